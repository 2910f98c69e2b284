"""Pools in the one form that ESP-DL has: sizes rounded down, no dilation, padding counted.

The law of this file: every result is the pool of exactly the elements that ONNX pools, in one
rounding.

Before::

    y = AveragePool(x, kernel_shape=[3, 3], pads=[1, 1, 1, 1])      (padding not counted)

After::

    t = AveragePool(Slice(x), kernel_shape=[2, 2])          (one for each number of taps)
    y = Concat(Concat(t, …), …)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.frontend.build import Steps
from espdl_hil.frontend.scope import OnnxNode, Scope
from espdl_hil.frontend.windows import explicit_pads
from espdl_hil.ir.attributes import Attribute
from espdl_hil.ops.average_pool import AveragePool
from espdl_hil.ops.concat import Concat
from espdl_hil.ops.max_pool import MaxPool
from espdl_hil.ops.pad import Pad

_MOST_POOLS = 49  # a 7x7 kernel that is padded by 3


@dataclass(frozen=True, slots=True)
class _Axis:
    """How the windows lie along one axis.

    Attributes:
        length: of the input.
        outputs: number of windows.
        kernel: taps of a window.
        stride: from window to window.
        dilation: from tap to tap.
        begin: padding in front.
        end: padding behind.
    """

    length: int
    outputs: int
    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int

    def taps(self, index: int) -> list[int]:
        """The elements of the input that window ``index`` meets."""
        first = index * self.stride - self.begin
        every = range(first, first + self.kernel * self.dilation, self.dilation)
        return [place for place in every if 0 <= place < self.length]

    def longer(self) -> _Axis:
        """The same windows, with the padding that rounding sizes up implies written out."""
        reach = (self.outputs - 1) * self.stride + (self.kernel - 1) * self.dilation + 1
        return replace(self, end=max(reach - self.begin - self.length, self.end))

    @property
    def plain(self) -> bool:
        """Whether the board's windows are the same."""
        padded = self.length + self.begin + self.end
        fits = (padded - self.kernel) // self.stride + 1 == self.outputs
        safe = self.stride == 1 or self.length + self.begin >= self.kernel
        return self.dilation == 1 and fits and safe and max(self.begin, self.end) < self.kernel


def max_pool(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Windows that the board does not have are gathered side by side; a tap may stand twice."""
    node = explicit_pads(node, scope)
    axes = _axes(node, scope)
    if all(axis.plain for axis in axes) or len(node.outputs) > 1:
        return (node,)
    longer = [axis.longer() for axis in axes]
    if all(axis.plain for axis in longer):
        pads = [*(axis.begin for axis in longer), *(axis.end for axis in longer)]
        attributes = {**node.attributes, "pads": Attribute.of(pads), "ceil_mode": Attribute.of(0)}
        return (replace(node, attributes=attributes),)
    steps = Steps(node, scope)
    value = node.inputs[0]
    for number, axis in enumerate(axes, start=2):
        places: list[int] = []
        for index in range(axis.outputs):
            taps = axis.taps(index)
            if not taps:
                raise ModelError("a window without any element", node=node.name)
            places += taps + [taps[-1]] * (axis.kernel - len(taps))
        value = steps.gather(f"windows_{number}", value, number, places)
    kernel = [axis.kernel for axis in axes]
    return steps.end(MaxPool.op_type, (value,), kernel_shape=kernel, strides=kernel)


def average_pool(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Where windows have different numbers of taps, one pool for each number; see the head."""
    node = explicit_pads(node, scope)
    axes = _axes(node, scope)
    counted = node.typed(scope.opset).integer("count_include_pad", 0)
    padded = any(axis.begin or axis.end for axis in axes)
    if all(axis.plain for axis in axes) and (counted or not padded):
        return (node,)
    steps = Steps(node, scope)
    value = node.inputs[0]
    if counted and padded:
        # Padding counts, but what rounding up adds behind it does not.
        begins, ends = [axis.begin for axis in axes], [axis.end for axis in axes]
        pads = steps.constant("pads", np.array([0, 0, *begins, 0, 0, *ends], dtype=np.int64))
        shape = [n + axis.begin + axis.end for n, axis in zip(_size(steps), axes, strict=True)]
        value = steps.do(
            Pad.op_type, "padded", (value, pads), (*steps.shape(value)[:2], *shape), mode="constant"
        )
        axes = [
            _Axis(length, axis.outputs, axis.kernel, axis.stride, axis.dilation, 0, 0)
            for length, axis in zip(shape, axes, strict=True)
        ]
    return _decomposed(steps, value, axes)


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring windows with as many taps.

    Attributes:
        places: the elements of the input that they meet, as the pool shall find them.
        taps: of each window.
        stride: from window to window in ``places``.
        windows: how many.
    """

    places: tuple[int, ...]
    taps: int
    stride: int
    windows: int


def _decomposed(steps: Steps, value: str, axes: Sequence[_Axis]) -> Sequence[OnnxNode]:
    """A pool without padding for each number of taps, joined along each axis."""
    runs = [_runs(steps.node, axis) for axis in axes]
    if int(np.prod([len(run) for run in runs])) > _MOST_POOLS:
        raise ModelError(
            f"{steps.node.op_type} with {' x '.join(str(len(run)) for run in runs)} different "
            "divisors: ESP-DL divides by the whole window",
            node=steps.node.name,
            hint="train and export with count_include_pad=True, or without padding",
        )

    def pooled(value: str, chosen: tuple[_Run, ...], label: str) -> str:
        number = len(chosen)
        if number == len(axes):
            kernel, strides = [run.taps for run in chosen], [run.stride for run in chosen]
            shape = (*steps.shape(value)[:2], *(run.windows for run in chosen))
            return steps.do(
                AveragePool.op_type, label, (value,), shape, kernel_shape=kernel, strides=strides
            )
        parts = []
        for index, run in enumerate(runs[number]):
            name = f"{label}_{index}"
            first, last = run.places[0], run.places[-1] + 1
            if run.places == tuple(range(first, last)):
                part = steps.cut(f"{name}/windows", value, 2 + number, first, last)
            else:
                part = steps.gather(f"{name}/windows", value, 2 + number, run.places)
            parts.append(pooled(part, (*chosen, run), name))
        if len(parts) == 1:
            return parts[0]
        joined = list(steps.shape(parts[0]))
        joined[2 + number] = sum(steps.shape(part)[2 + number] for part in parts)
        return steps.do(Concat.op_type, f"{label}/joined", parts, joined, axis=2 + number)

    return steps.finish(pooled(value, (), "pool"))


def _runs(node: OnnxNode, axis: _Axis) -> list[_Run]:
    """The windows along one axis, in order."""
    found: list[_Run] = []
    for count, group in groupby(map(axis.taps, range(axis.outputs)), key=len):
        if not count:
            raise ModelError("a window without any element", node=node.name)
        windows = list(group)
        starts = [taps[0] for taps in windows]
        spaced = all(b - a == axis.stride for a, b in pairwise(starts))
        if axis.dilation == 1 and spaced:
            places = tuple(range(starts[0], windows[-1][-1] + 1))
            found.append(_Run(places, count, axis.stride, len(windows)))
        else:
            side_by_side = tuple(place for taps in windows for place in taps)
            found.append(_Run(side_by_side, count, count, len(windows)))
    return found


def _size(steps: Steps) -> tuple[int, ...]:
    return steps.shape(steps.node.inputs[0])[2:]


def _axes(node: OnnxNode, scope: Scope) -> list[_Axis]:
    read = node.typed(scope.opset)
    size = scope.shape(node, node.inputs[0])[2:]
    outputs = scope.shape(node, node.outputs[0])[2:]
    rank = len(size)
    kernel, ones = read.integers("kernel_shape"), (1,) * rank
    strides, dilations = read.integers("strides", ones), read.integers("dilations", ones)
    pads = read.integers("pads", (0,) * (2 * rank))
    if not len(kernel) == len(strides) == len(dilations) == rank == len(pads) // 2:
        raise ModelError(f"a window {kernel} over {rank} axes", node=node.name)
    return [
        _Axis(size[i], outputs[i], kernel[i], strides[i], dilations[i], pads[i], pads[rank + i])
        for i in range(rank)
    ]
