"""Gemm: a fully connected layer, stored and computed as a 1x1 convolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.layouts import FilterKind, unpack_filter
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
from espdl_hil.ops._plain import required
from espdl_hil.ops._stored import stored_weights, weighted
from espdl_hil.ops._window import peak_of


@dataclass(frozen=True, slots=True)
class Gemm(Operator):
    """``y = alpha * x @ w + beta * b``; the board has only alpha = beta = 1 and no transposition.

    Attributes:
        alpha: factor of the product.
        beta: factor of the bias.
        trans_a: whether x is transposed.
        trans_b: whether w is stored ``[N, K]`` (never in a lowered model).
        activation: fused into the kernel.
    """

    op_type: ClassVar[str] = "Gemm"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.ONNX, ExponentRule.CALIBRATED, multiplies=True, channelwise=True
    )

    alpha: float
    beta: float
    trans_a: int
    trans_b: int
    activation: Activation

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Gemm:
        """Parse; ONNX's defaults stand for what is absent."""
        return cls(
            alpha=attributes.number("alpha", 1.0),
            beta=attributes.number("beta", 1.0),
            trans_a=attributes.integer("transA", 0),
            trans_b=attributes.integer("transB", 0),
            activation=parse_activation(attributes),
        )

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes."""
        return {
            "activation": Attribute.of(self.activation.value),
            "alpha": Attribute.of(float(self.alpha)),
            "beta": Attribute.of(float(self.beta)),
            "transA": Attribute.of(self.trans_a),
            "transB": Attribute.of(self.trans_b),
        }

    def weight_axis(self) -> int:
        """Weights are ``[K, N]``, or ``[N, K]`` with ``transB``."""
        return 0 if self.trans_b else 1

    def rectified(self) -> Gemm:
        """This layer with a fused Relu."""
        return replace(self, activation=Activation.RELU)

    def check(self, site: LoweringSite) -> None:
        """Refuse what the passes could not move into the constants."""
        _, weights = weighted(site)
        if self.trans_a:
            raise ModelError("transA=1", hint="transpose the input before Gemm")
        if self.trans_b or self.alpha != 1.0 or self.beta != 1.0:
            raise ModelError("alpha, beta or transB with operands that are not constants")
        bias = site.inputs[2] if len(site.inputs) > 2 else None
        if bias is not None and bias.shape != (weights.shape[1],):
            raise ModelError(
                f"a bias of shape {list(bias.shape)} for {weights.shape[1]} outputs",
                hint="the board adds one bias per output: use Add",
            )

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """Weights packed as a 1x1 filter, bias at the exponent of the product."""
        attributes = {
            "activation": Attribute.of(self.activation.value),
            "alpha": Attribute.of(1.0),
            "beta": Attribute.of(1.0),
            "transA": Attribute.of(0),
            "transB": Attribute.of(0),
        }
        return LoweredOperator(self.op_type, attributes, stored_weights(site, FilterKind.GEMM))

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Multiply; all leading axes of x are rows. The layer is kept in ``at.memo``."""
        x, weights = required(inputs, 0), required(inputs, 1)
        if self.trans_a or self.trans_b or self.alpha != 1.0 or self.beta != 1.0:
            raise ModelError("the board's Gemm has alpha = beta = 1 and transposes nothing")
        layer = at.memo.get("layer")
        if layer is None:
            bias = inputs[2] if len(inputs) > 2 else None
            matrix = unpack_filter(
                weights.array, weights.array.shape, FilterKind.GEMM, filter_block(weights, at)
            )
            filters = Filter(matrix, matrix.shape[0])
            operands = (x, weights, bias)
            layer = DenseMac(mac_parameters(operands, filters, outputs[0], self.activation, at))
            at.memo["layer"] = layer
        assert isinstance(layer, DenseMac)
        rows = x.array.reshape(-1, weights.array.shape[2])
        peak = peak_of(rows)
        result = layer.run(rows.astype(layer.type_for(peak)), peak)
        return (result.reshape(*x.array.shape[:-1], -1),)
