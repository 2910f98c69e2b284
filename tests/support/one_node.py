"""Models of one node, as ``.espdl`` bytes: a single kernel under test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from espdl_hil.espdl import write
from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.types import DType


@dataclass(frozen=True)
class Operand:
    """An array with its exponent; graph inputs are run with it, constants are stored."""

    array: np.ndarray
    exponent: int = 0
    constant: bool = False
    dims: tuple[int, ...] | None = None
    exponents: tuple[int, ...] | None = None


@dataclass(frozen=True)
class OneNode:
    """One operator on operands ``i0, i1, ...`` with outputs ``o0, o1, ...``.

    An operand of None is an omitted optional input. ``table`` becomes the ``lut`` attribute.
    """

    op_type: str
    operands: Sequence[Operand | None]
    outputs: Sequence[tuple[type[np.generic], int]]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    table: Operand | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    with_test_inputs: bool = False

    @property
    def inputs(self) -> dict[str, np.ndarray]:
        return {
            f"i{index}": operand.array
            for index, operand in enumerate(self.operands)
            if operand is not None and not operand.constant
        }

    def model(self) -> bytes:
        names = ["" if operand is None else f"i{i}" for i, operand in enumerate(self.operands)]
        stored = {
            name: operand
            for name, operand in zip(names, self.operands, strict=True)
            if operand is not None
        }
        attributes = dict(self.attributes)
        if self.table is not None:
            attributes["lut"] = Attribute.of("table")
            stored["table"] = self.table
        parameters = {
            name: Tensor.of(
                name,
                operand.array,
                exponents=operand.exponents or (operand.exponent,),
                dims=operand.dims,
            )
            for name, operand in stored.items()
            if operand.constant or name == "table"
        }
        values = {
            name: ValueInfo(
                name, DType.of(operand.array.dtype), operand.array.shape, (operand.exponent,)
            )
            for name, operand in stored.items()
            if name not in parameters
        }
        inputs = tuple(values)
        outputs = tuple(f"o{i}" for i in range(len(self.outputs)))
        for name, (scalar, exponent) in zip(outputs, self.outputs, strict=True):
            values[name] = ValueInfo(name, DType.of(np.dtype(scalar)), None, (exponent,))
        tests = tuple(
            Tensor.of(name, stored[name].array, exponents=(stored[name].exponent,))
            for name in (inputs if self.with_test_inputs else ())
        )
        node = LoweredNode("node", self.op_type, tuple(names), outputs, attributes)
        return write(
            LoweredModel(
                name="one node",
                nodes=(node,),
                inputs=inputs,
                outputs=outputs,
                values=values,
                parameters=parameters,
                test_inputs=tests,
                metadata=self.metadata,
            )
        )
