"""Conv: dense (group 1) and depthwise convolution in one or two dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.layouts import FilterKind, unpack_depthwise_taps, unpack_taps
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import (
    Execution,
    ExponentRule,
    LayoutRule,
    LoweredOperator,
    LoweringSite,
    Operand,
    Operator,
    Traits,
)
from espdl_hil.ir.types import Array, Floats, Ints
from espdl_hil.numerics import DenseMac, DepthwiseMac
from espdl_hil.ops._mac import Activation, Filter, filter_block, mac_parameters, parse_activation
from espdl_hil.ops._plain import required
from espdl_hil.ops._stored import stored_weights, weighted
from espdl_hil.ops._window import (
    Window,
    as_image,
    explicit_pads,
    like_input,
    peak_of,
    spatial,
)

_PATCH_BYTES = 1 << 23  # of one matrix of patches: larger ones leave the cache and cost time


@dataclass(frozen=True, slots=True)
class Conv(Operator):
    """A convolution.

    Attributes:
        strides: per spatial axis; empty means ones.
        dilations: per spatial axis; empty means ones.
        pads: begins, then ends; empty means zeros.
        group: 1, or the number of channels.
        activation: fused into the kernel.
        kernel_shape: as ONNX has it; informational, the weights decide. May be empty.
    """

    op_type: ClassVar[str] = "Conv"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.CHANNELS_LAST, ExponentRule.CALIBRATED, multiplies=True, channelwise=True
    )

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    group: int
    activation: Activation
    kernel_shape: tuple[int, ...]

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Conv:
        """Parse; attributes that are absent stay empty until the rank is known."""
        return cls(
            strides=spatial(attributes, "strides"),
            dilations=spatial(attributes, "dilations"),
            pads=explicit_pads(attributes),
            group=attributes.integer("group", 1),
            activation=parse_activation(attributes),
            kernel_shape=spatial(attributes, "kernel_shape"),
        )

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes; strides, dilations and pads are filled in where the rank is known."""
        lengths = (self.kernel_shape, self.strides, self.dilations, self.pads[::2])
        rank = max(len(axes) for axes in lengths)
        attributes = {
            "activation": Attribute.of(self.activation.value),
            "dilations": Attribute.of(self.dilations or (1,) * rank),
            "group": Attribute.of(self.group),
            "pads": Attribute.of(self.pads or (0,) * (2 * rank)),
            "strides": Attribute.of(self.strides or (1,) * rank),
        }
        if self.kernel_shape:
            attributes["kernel_shape"] = Attribute.of(self.kernel_shape)
        return attributes

    def weight_axis(self) -> int:
        """Weights are ``[N, C, ...]``."""
        return 0

    def rectified(self) -> Conv:
        """This convolution with a fused Relu."""
        return replace(self, activation=Activation.RELU)

    def check(self, site: LoweringSite) -> None:
        """Refuse what no kernel computes, and windows that read past the tensor."""
        x, weights = weighted(site)
        spatial_axes = len(x.shape) - 2
        if spatial_axes not in (1, 2):
            raise ModelError(
                f"a convolution over {spatial_axes} axes", hint="only 1-D and 2-D ones exist"
            )
        channels, outputs = x.shape[1], weights.shape[0]
        if self.group != 1 and not self.group == channels == outputs:
            raise ModelError(f"group {self.group} with {channels} → {outputs} channels")
        window = Window.of(weights.shape[2:], self.strides, self.dilations, self.pads)
        size = x.shape[2:] if spatial_axes == 2 else (1, *x.shape[2:])
        window.refuse_unsafe(size)

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """Attributes written out, weights packed, bias at the exponent of the product."""
        _, weights = weighted(site)
        spatial_axes = len(weights.shape) - 2
        full = replace(
            self,
            strides=self.strides or (1,) * spatial_axes,
            dilations=self.dilations or (1,) * spatial_axes,
            pads=self.pads or (0,) * (2 * spatial_axes),
            kernel_shape=weights.shape[2:],
        )
        kind = FilterKind.DENSE if self.group == 1 else FilterKind.DEPTHWISE
        return LoweredOperator(self.op_type, full.to_attributes(), stored_weights(site, kind))

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Convolve; the layer is prepared once and kept in ``at.memo``."""
        x, weights = required(inputs, 0), required(inputs, 1)
        image = as_image(x.array)
        layer = at.memo.get("layer")
        if layer is None:
            bias = inputs[2] if len(inputs) > 2 else None
            layer = self._layer((x, weights, bias), outputs[0], at)
            at.memo["layer"] = layer
        kernel = weights.array.shape[: x.array.ndim - 2]
        window = Window.of(kernel, self.strides, self.dilations, self.pads)
        size = (image.shape[0], image.shape[1])
        window.refuse_unsafe(size)
        window.output_size(size)
        peak = peak_of(image)
        if isinstance(layer, DepthwiseMac):
            padded = window.padded(image.astype(layer.type_for(peak)), 0)
            result = layer.run(lambda tap: window.tap(padded, *divmod(tap, window.kernel[1])), peak)
        else:
            assert isinstance(layer, DenseMac)
            padded = window.padded(image.astype(layer.type_for(peak)), 0)
            result = _dense(layer, window, padded, peak)
        return (like_input(result, x.array.ndim),)

    def _layer(
        self, operands: tuple[Operand, Operand, Operand | None], output: ValueInfo, at: Execution
    ) -> DenseMac | DepthwiseMac:
        x, weights, _ = operands
        dims, channels = weights.array.shape, x.array.shape[-1]
        if len(dims) != x.array.ndim:
            raise ModelError(f"a filter of dims {list(dims)} on an input {list(x.array.shape)}")
        block, flat = filter_block(weights, at), weights.array.ravel()
        if self.group == 1:
            if dims[-2] != channels:
                raise ModelError(f"the filter reads {dims[-2]} channels, the input has {channels}")
            taps = unpack_taps(flat, int(np.prod(dims[:-1])), dims[-1], block)
            layer = Filter(taps, channels)
            return DenseMac(mac_parameters(operands, layer, output, self.activation, at))
        if not (self.group == channels == dims[-2] and dims[-1] == 1):
            raise ModelError(
                f"group {self.group} with {channels} input and {dims[-2]} output channels: only "
                "group 1 and one group per channel exist",
                hint="split the convolution into one per group",
            )
        taps = unpack_depthwise_taps(flat, int(np.prod(dims[:-2])), dims[-2], block)
        filters = Filter(taps, 1, depthwise=True)
        return DepthwiseMac(mac_parameters(operands, filters, output, self.activation, at))


def _dense(layer: DenseMac, window: Window, padded: Floats, peak: int) -> Ints:
    """Run a dense layer over all windows, as many rows at a time as the cache likes."""
    view = window.patches(padded)
    height, width = view.shape[:2]
    inner = int(np.prod(view.shape[2:]))
    if inner == view.shape[4] and window.strides == (1, 1):
        # A 1x1 convolution: the image itself is the matrix.
        return layer.run(padded.reshape(-1, inner), peak).reshape(height, width, -1)
    rows = max(1, _PATCH_BYTES // (width * inner * padded.itemsize))
    parts = [
        layer.run(np.ascontiguousarray(view[at : at + rows]).reshape(-1, inner), peak)
        for at in range(0, height, rows)
    ]
    return np.concatenate(parts).reshape(height, width, -1)
