"""How close a model's multiply-accumulate layers come to the ends of their accumulators.

The law of this file: a bound holds for every input that the layer can meet, in whatever order the
products are added; what inputs have shown is beside it, never instead of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from espdl_hil.analysis.rehearsal import Act, Rehearsal
from espdl_hil.ir.lowered import LoweredModel
from espdl_hil.ir.operator import ExponentRule
from espdl_hil.ir.types import Array, DType, Floats
from espdl_hil.numerics.mac import Mac
from espdl_hil.ops._recurrent import GATE_SUMS, GateSums, Recurrent, gates_in_accumulator
from espdl_hil.ops._requantize import assigned
from espdl_hil.ops.matmul import PASSING_LAYERS
from espdl_hil.ops.requantize_linear import RequantizeLinear
from espdl_hil.targets import Accumulator, Overflow, Target

Range = tuple[int, int]
"""Smallest and largest integer that a value can hold."""


@dataclass(frozen=True, slots=True)
class LayerHeadroom:
    """One accumulator kind of one layer.

    Attributes:
        node: name of the node.
        op_type: its operator.
        tail: whether these are the channels beyond the last whole vector, or the gates of a
            recurrent layer, which the scalar accumulator sums.
        channels: how many output channels it sums; for gates, those of the input, then those of
            the state, over all directions.
        accumulator: width and behaviour.
        bound: the largest magnitude that any partial sum can reach, bias included.
        at_risk: output channels whose partial sums can leave the accumulator.
        reached: the largest magnitude that a partial sum of the given inputs reaches in the worst
            order of additions; ``None`` without inputs, and for products of two activations.
        left: how many accumulators truly left their width with the given inputs, in the order of
            the kernel; ``None`` where ``reached`` is.
    """

    node: str
    op_type: str
    tail: bool
    channels: int
    accumulator: Accumulator
    bound: int
    at_risk: tuple[int, ...]
    reached: int | None = None
    left: int | None = None

    @property
    def bits_free(self) -> float:
        """Bits between the bound and the end of the accumulator; negative where it can leave."""
        return _bits_free(self.bound, self.accumulator)

    @property
    def bits_seen(self) -> float | None:
        """The same for what the given inputs reach."""
        return None if self.reached is None else _bits_free(self.reached, self.accumulator)


def _bits_free(magnitude: int, accumulator: Accumulator) -> float:
    return accumulator.bits - 1 - math.log2(max(magnitude, 1))


def headroom(
    model: LoweredModel, target: Target, samples: Iterable[Mapping[str, Array]] = ()
) -> tuple[LayerHeadroom, ...]:
    """The headroom of every multiply-accumulate layer, in file order.

    Layers that the target's kernels refuse are left out.

    Args:
        model: lowered.
        target: whose accumulators.
        samples: integers by input name, in stored layout, to show what inputs reach.
    """
    rehearsal = Rehearsal(model, target)
    rehearsal.run()
    return headroom_of(rehearsal, samples)


def headroom_of(
    rehearsal: Rehearsal, samples: Iterable[Mapping[str, Array]] = ()
) -> tuple[LayerHeadroom, ...]:
    """The same for a model that has been rehearsed once."""
    layers = [(act, macs_of(act)) for act in rehearsal.acts]
    watches = [[_Watch(mac) for mac in macs] for _, macs in layers]
    gates = [_watch_gates(act) for act in rehearsal.acts]
    seen = False
    for sample in samples:
        rehearsal.run(sample)
        seen = True
    for _, macs in layers:
        for mac in macs:
            mac.watcher = None
    ranges = value_ranges(rehearsal)
    found = []
    for (act, macs), watched, sums in zip(layers, watches, gates, strict=True):
        if sums is not None:
            del act.at.memo[GATE_SUMS]
            found += _gate_rows(act, sums if seen else None, ranges, rehearsal.target)
            continue
        given = [ranges[name] for name in act.node.inputs[:2] if name in ranges]
        if macs and given:
            found += _rows(act, macs, watched if seen else None, given[0])
        elif len(given) == 2:
            found += _product_rows(act, given[0], given[1])
    return tuple(found)


def _watch_gates(act: Act) -> GateSums | None:
    """Watch a recurrent layer; ``None`` for any other."""
    if not isinstance(act.operator, Recurrent):
        return None
    sums = GateSums()
    act.at.memo[GATE_SUMS] = sums
    return sums


def _gate_rows(
    act: Act, sums: GateSums | None, ranges: Mapping[str, Range], target: Target
) -> list[LayerHeadroom]:
    """The scalar accumulator of a recurrent layer; nothing where it computes in float."""
    x, *others = act.inputs[:3]
    matrices = [operand.array for operand in others if operand is not None]
    if x is None or x.array.dtype.name not in ("int8", "int16") or len(matrices) < 2:
        return []
    bits = 8 * x.array.dtype.itemsize
    accumulator, full = target.mac[bits].tail, 1 << (bits - 1)
    limits = (ranges.get(act.node.inputs[0], (-full, full - 1)), (-full, full - 1))
    above: list[int] = []
    below: list[int] = []
    for matrix, (low, high) in zip(matrices, limits, strict=True):
        rows = matrix.reshape(-1, matrix.shape[-1]).astype(np.int64)
        if not gates_in_accumulator(rows.shape[1], bits, target):
            continue
        positive, negative = np.maximum(rows, 0).sum(axis=1), np.minimum(rows, 0).sum(axis=1)
        above += [int(n) for n in positive * max(high, 0) + negative * min(low, 0)]
        below += [int(n) for n in positive * min(low, 0) + negative * max(high, 0)]
    if not above:
        return []
    limit = 1 << (accumulator.bits - 1)
    pairs = enumerate(zip(above, below, strict=True))
    return [
        LayerHeadroom(
            node=act.node.name,
            op_type=act.node.op_type,
            tail=True,
            channels=len(above),
            accumulator=accumulator,
            bound=max(*above, *(-n for n in below)),
            at_risk=tuple(n for n, (high, low) in pairs if high >= limit or low < -limit),
            reached=None if sums is None else sums.reached,
            left=None if sums is None else sums.left,
        )
    ]


def macs_of(act: Act) -> list[Mac]:
    """The layers of constant weights that a node has prepared: one, or one per slice."""
    return _held(act, passing=False)


def passing_macs_of(act: Act) -> list[Mac]:
    """The layers of a product of two activations, as the last run made them."""
    return _held(act, passing=True)


def _held(act: Act, *, passing: bool) -> list[Mac]:
    held = [item for key, item in act.at.memo.items() if (key == PASSING_LAYERS) is passing]
    items = [item for many in held for item in (many if isinstance(many, list) else [many])]
    return [item for item in items if isinstance(item, Mac)]


def value_ranges(rehearsal: Rehearsal) -> dict[str, Range]:
    """What each quantized activation can hold, as far as the producing node limits it."""
    ranges: dict[str, Range] = {}
    values = rehearsal.model.values
    for name, info in values.items():
        if info.dtype in (DType.INT8, DType.INT16):
            limits = np.iinfo(info.dtype.numpy)  # type: ignore[type-var]
            ranges[name] = (int(limits.min), int(limits.max))
    for act in rehearsal.acts:
        limited = _limited(act, ranges)
        for name in act.node.outputs:
            if limited is not None and name in ranges:
                low, high = ranges[name]
                ranges[name] = (max(low, limited[0]), min(high, limited[1]))
    return ranges


def _limited(act: Act, ranges: Mapping[str, Range]) -> Range | None:
    """What the outputs of a node can hold; ``None`` where it says nothing."""
    operator = act.operator
    if operator is None or not act.node.inputs:
        return None
    x = ranges.get(act.node.inputs[0])
    macs = macs_of(act)
    if macs and all(mac.parameters.relu for mac in macs):
        return (0, int(np.iinfo(macs[0].dtype).max))
    table = act.at.tables.get(getattr(operator, "lut", ""))
    if table is not None and x is not None and table.dtype is DType.INT8:
        entries = table.array().ravel()[x[0] + 128 : x[1] + 129]
        return (int(entries.min()), int(entries.max())) if entries.size else None
    if isinstance(operator, RequantizeLinear) and x is not None:
        return _requantized(act, x)
    if operator.traits.exponents is ExponentRule.PASSIVE and x is not None:
        # Some of these add zeros or a constant around what they copy.
        added = [
            operand.array
            for operand in act.inputs[1:]
            if operand is not None and operand.array.dtype.name in ("int8", "int16")
        ]
        low = min([x[0], 0, *(int(array.min(initial=0)) for array in added)])
        return low, max([x[1], 0, *(int(array.max(initial=0)) for array in added)])
    return None


def _requantized(act: Act, given: Range) -> Range | None:
    """What a conversion, which is monotonous, makes of the ends of its input's range."""
    operand, info = act.inputs[0], act.infos[0]
    if operand is None or operand.array.dtype.kind != "i" or info.dtype.numpy.kind != "i":
        return None
    ends = np.array(given, dtype=operand.array.dtype)
    low, high = assigned(replace(operand, array=ends), info, act.at)
    return int(low), int(high)


@dataclass(slots=True)
class _Watch:
    """What the runs of one layer have shown, per output channel."""

    mac: Mac
    reached: npt.NDArray[np.float64] = field(init=False)
    left: npt.NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        channels = self.mac.parameters.taps.shape[1]
        self.reached = np.zeros(channels)
        self.left = np.zeros(channels, dtype=np.int64)
        self.mac.watcher = self.see

    def see(self, sums: Floats, magnitudes: Floats, saturated: npt.NDArray[np.int64]) -> None:
        """Note the extremes of one run; a watcher of ``Mac``."""
        bias = self.mac.bias.astype(np.float64)
        wide, total = sums.astype(np.float64), magnitudes.astype(np.float64)
        # The positive products sum to (A + S) / 2, the negative ones to (S - A) / 2.
        high = bias + np.max((total + wide) / 2, axis=0, initial=0.0)
        low = bias + np.min((wide - total) / 2, axis=0, initial=0.0)
        self.reached = np.maximum(self.reached, np.maximum(high, -low))
        np.add.at(self.left, saturated, 1)
        for part, accumulator, _ in self.mac.accumulators:
            if accumulator.overflow is Overflow.WRAP:
                limit = 2.0 ** (accumulator.bits - 1)
                ends = wide[:, part] + bias[part]
                self.left[part] += ((ends >= limit) | (ends < -limit)).sum(axis=0)


def _rows(
    act: Act, macs: list[Mac], watches: list[_Watch] | None, given: Range
) -> list[LayerHeadroom]:
    """Lane and tail of one node; the slices of a product count together."""
    found = []
    for index, (part, accumulator, _) in enumerate(macs[0].accumulators):
        first, stop, _ = part.indices(macs[0].parameters.taps.shape[1])
        if first >= stop:
            continue
        extremes = [_extremes(mac, given) for mac in macs]
        above = np.max([high[part] for high, _ in extremes], axis=0)
        below = np.min([low[part] for _, low in extremes], axis=0)
        reached = left = None
        if watches is not None:
            reached = int(max(watch.reached[part].max() for watch in watches))
            left = int(sum(watch.left[part].sum() for watch in watches))
        limit = 2.0 ** (accumulator.bits - 1)
        risky = (above >= limit) | (below < -limit)
        found.append(
            LayerHeadroom(
                node=act.node.name,
                op_type=act.node.op_type,
                tail=index > 0,
                channels=stop - first,
                accumulator=accumulator,
                bound=int(max(above.max(), -below.min())),
                at_risk=tuple(first + int(n) for n in np.flatnonzero(risky)),
                reached=reached,
                left=left,
            )
        )
    return found


def _product_rows(act: Act, left: Range, right: Range) -> list[LayerHeadroom]:
    """Lane and tail of a product of two activations, whose factors may be anything in range."""
    macs = passing_macs_of(act)
    if not macs:
        return []
    inner, channels = macs[0].parameters.taps.shape
    corners = [a * b for a in left for b in right]
    above, below = inner * max(*corners, 0), inner * min(*corners, 0)
    found = []
    for index, (part, accumulator, _) in enumerate(macs[0].accumulators):
        first, stop, _ = part.indices(channels)
        limit = 1 << (accumulator.bits - 1)
        risky = range(first, stop) if above >= limit or below < -limit else ()
        if first < stop:
            found.append(
                LayerHeadroom(
                    node=act.node.name,
                    op_type=act.node.op_type,
                    tail=index > 0,
                    channels=stop - first,
                    accumulator=accumulator,
                    bound=max(above, -below),
                    at_risk=tuple(risky),
                )
            )
    return found


def _extremes(mac: Mac, given: Range) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The largest and the smallest partial sum that can occur, per output channel.

    Every product lies between ``w * low`` and ``w * high`` and may be 0 (padding), so that the
    bias plus all that can be positive, or all that can be negative, is never exceeded.
    """
    low, high = min(given[0], 0), max(given[1], 0)
    taps = mac.parameters.taps.astype(np.float64)
    positive, negative = np.maximum(taps, 0).sum(axis=0), np.minimum(taps, 0).sum(axis=0)
    bias = mac.bias.astype(np.float64)
    above = bias + positive * high + negative * low
    below = bias + positive * low + negative * high
    return np.maximum(above, 0.0), np.minimum(below, 0.0)
