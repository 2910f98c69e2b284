"""MatMul: a matrix product whose right side lies in the layout of a 1x1 filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.layouts import FilterKind, unpack_taps
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
from espdl_hil.ir.types import Array
from espdl_hil.numerics import DenseMac
from espdl_hil.ops._mac import Activation, Filter, filter_block, mac_parameters, parse_activation
from espdl_hil.ops._packing import packing_moves
from espdl_hil.ops._plain import required
from espdl_hil.ops._stored import stored_weights
from espdl_hil.ops._window import peak_of

LAYERS = "layers"
"""Where ``Execution.memo`` holds the layers of a constant right side."""

PASSING_LAYERS = "passing layers"
"""Where it holds those of the last run, whose right side was computed."""

_PACKED = "packed"
_NATIVE = "native_kn"


@dataclass(frozen=True, slots=True)
class MatMul(Operator):
    """``y = a @ b`` with ONNX's broadcasting of leading axes.

    Attributes:
        activation: fused into the kernel.
        input1_layout: ``"packed"`` where every ``[K, N]`` slice of b lies as a filter does;
            ``"native_kn"`` where newer esp-ppq says that b is stored as it stands.
    """

    op_type: ClassVar[str] = "MatMul"
    traits: ClassVar[Traits] = Traits(LayoutRule.ONNX, ExponentRule.CALIBRATED, multiplies=True)

    activation: Activation
    input1_layout: str

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> MatMul:
        """Parse."""
        layout = attributes.text("input1_layout", _PACKED)
        if layout not in (_PACKED, _NATIVE):
            raise attributes.unsupported("input1_layout", layout, f"{_PACKED} or {_NATIVE}")
        return cls(parse_activation(attributes), layout)

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes."""
        return {
            "activation": Attribute.of(self.activation.value),
            "input1_layout": Attribute.of(self.input1_layout),
        }

    def weight_axis(self) -> int:
        """Weights are ``[..., K, N]``."""
        return -1

    def rectified(self) -> MatMul:
        """This product with a fused Relu."""
        return replace(self, activation=Activation.RELU)

    def check(self, site: LoweringSite) -> None:
        """Refuse what ESP-DL's loops over at most four axes do not reach."""
        left, right = site.inputs[0], site.inputs[1]
        assert left is not None
        assert right is not None
        if not 2 <= len(left.shape) <= 4 or not 2 <= len(right.shape) <= 4:
            raise ModelError(
                f"MatMul of {list(left.shape)} by {list(right.shape)}",
                hint="two to four axes on both sides: reshape before and after",
            )

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """Every ``[K, N]`` slice of the right side packed as a filter, by the board if need be."""
        right = site.inputs[1]
        assert right is not None
        if right.constant is not None:
            return LoweredOperator(
                self.op_type, self.to_attributes(), stored_weights(site, FilterKind.MATMUL)
            )
        block = site.target.mac[site.bits].filter_block
        moves = packing_moves(right.shape, block)
        return LoweredOperator(self.op_type, self.to_attributes(), {}, moves={1: moves})

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Multiply slice by slice; the layers stay in ``at.memo``."""
        left, right = required(inputs, 0), required(inputs, 1)
        if len(inputs) > 2 and inputs[2] is not None:
            raise ModelError("the board's MatMul has no bias")
        a = left.array if left.array.ndim > 1 else left.array[None]
        b_shape = right.array.shape if right.array.ndim > 1 else (right.array.size, 1)
        inner, channels = b_shape[-2:]
        if a.shape[-1] != inner:
            raise ModelError(f"cannot multiply {left.array.shape} by {right.array.shape}")
        layers = at.memo.get(LAYERS) if right.tensor is not None else None
        if layers is None:
            slices = right.array.reshape(-1, inner * channels)
            layers = [self._layer(left, right, one, outputs[0], at) for one in slices]
            at.memo[LAYERS if right.tensor is not None else PASSING_LAYERS] = layers
        assert isinstance(layers, list)
        batch = np.broadcast_shapes(a.shape[:-2], b_shape[:-2])
        which = np.arange(len(layers)).reshape(b_shape[:-2])
        rows = np.broadcast_to(a, (*batch, *a.shape[-2:])).reshape(-1, *a.shape[-2:])
        peak = peak_of(a)
        result = np.empty((len(rows), a.shape[-2], channels), dtype=outputs[0].dtype.numpy)
        for i, index in enumerate(np.broadcast_to(which, batch).ravel()):
            layer = layers[index]
            result[i] = layer.run(rows[i].astype(layer.type_for(peak)), peak)
        shape = (*batch, *a.shape[-2:-1], channels)
        if left.array.ndim == 1:
            shape = (*shape[:-2], shape[-1])
        if right.array.ndim == 1:
            shape = shape[:-1]
        return (result.reshape(shape or (1,)),)

    def _layer(
        self, left: Operand, right: Operand, packed: Array, output: ValueInfo, at: Execution
    ) -> DenseMac:
        """The layer of one slice of the right side."""
        inner = left.array.shape[-1]
        channels = packed.size // inner
        if self.input1_layout == _NATIVE:
            matrix = packed.reshape(inner, channels)
        else:
            matrix = unpack_taps(packed, inner, channels, filter_block(right, at))
        filters = Filter(matrix, inner)
        return DenseMac(mac_parameters((left, right, None), filters, output, self.activation, at))
