"""The board's side of a lowering: its values, parameters and nodes, and conversions between values.

The law of this file: it knows names, types and bytes, and not the graph they come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.operator import Move
from espdl_hil.ir.types import DType, QuantParams
from espdl_hil.lowering.axes import Perm, stored_shape
from espdl_hil.lowering.linear import linear_node
from espdl_hil.ops._stored import UNPACKED
from espdl_hil.ops.transpose import Transpose

_QUANT_TYPES = {8: "S8", 16: "S16", None: "F32"}


def quant_type(bits: int | None) -> Attribute:
    """The ``quant_type`` that every node must say; ``None`` for a node of floats."""
    return Attribute.of(_QUANT_TYPES[bits])


@dataclass(slots=True)
class Board:
    """What has been written for the board so far.

    Attributes:
        names: all that are taken, by values, parameters and nodes.
        nodes: in execution order.
        values: activations, in the order in which they appear.
        quants: quantization of each value; ``None`` where it is no quantized integer.
        parameters: by name.
        tables: parameters that attributes refer to.
    """

    names: set[str]
    nodes: list[LoweredNode] = field(default_factory=list)
    values: dict[str, ValueInfo] = field(default_factory=dict)
    quants: dict[str, QuantParams | None] = field(default_factory=dict)
    parameters: dict[str, Tensor] = field(default_factory=dict)
    tables: dict[str, Tensor] = field(default_factory=dict)
    _variants: dict[tuple[str, object], str] = field(default_factory=dict)

    def free(self, name: str) -> str:
        """``name``, or ``name_2`` … where it is taken; taken from now on."""
        found, count = name, 1
        while found in self.names:
            count += 1
            found = f"{name}_{count}"
        self.names.add(found)
        return found

    def enter(
        self,
        name: str,
        shape: tuple[int, ...],
        quant: QuantParams | None,
        dtype: DType = DType.FLOAT,
    ) -> None:
        """Enter a value of stored ``shape``; ``dtype`` counts where it is not quantized.

        The board has no value without axes: such a one has a single axis of length 1 there.
        """
        exponents = (0,) if quant is None else quant.exponents
        self.values[name] = ValueInfo(
            name, dtype if quant is None else quant.dtype, shape or (1,), exponents
        )
        self.quants[name] = quant

    def store(self, tensor: Tensor) -> str:
        """Enter a parameter; its name, changed where another tensor has it."""
        if tensor.name in self.parameters or tensor.name in self.values:
            tensor = replace(tensor, name=self.free(tensor.name))
        if not tensor.doc:
            tensor = replace(tensor, doc=UNPACKED)
        self.parameters[tensor.name] = tensor
        return tensor.name

    def store_table(self, tensor: Tensor) -> str:
        """Enter a lookup table; its name."""
        name = self.free(tensor.name)
        self.tables[name] = replace(tensor, name=name)
        return name

    def rename(self, old: str, new: str) -> None:
        """Call the value ``old``, which some node gives, ``new`` everywhere."""

        def called(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(new if name == old else name for name in names)

        self.nodes = [
            replace(node, inputs=called(node.inputs), outputs=called(node.outputs))
            for node in self.nodes
        ]
        self.values = {
            new if name == old else name: replace(info, name=new) if name == old else info
            for name, info in self.values.items()
        }
        self.quants[new] = self.quants.pop(old)
        self._variants = {
            (new if name == old else name, form): new if result == old else result
            for (name, form), result in self._variants.items()
        }

    def converted(self, name: str, quant: QuantParams | None) -> str:
        """``name`` with another quantization; equal requests share one node.

        Before: ``y = Add(a, b)``; after: ``r = RequantizeLinear(a)``, ``y = Add(r, b)``.
        """
        if quant == self.quants[name]:
            return name
        known = self._variants.get((name, quant))
        if known is not None:
            return known
        given = self.values[name]
        suffix = "float" if quant is None else f"s{quant.bits}e{quant.exponent}"
        result = self.free(f"{name}/{suffix}")
        node, parameters = linear_node(result, given, self.quants[name], quant)
        self.enter(result, given.dims, quant)
        self.nodes.append(node)
        for tensor in parameters:
            self.store(tensor)
        self._variants[name, quant] = result
        return result

    def transposed(self, name: str, axes: Perm) -> str:
        """``name`` with its stored axes in the order ``axes``; equal requests share one node."""
        known = self._variants.get((name, axes))
        if known is not None:
            return known
        given, quant = self.values[name], self.quants[name]
        result = self.free(f"{name}/{'x'.join(map(str, axes))}")
        self.enter(result, stored_shape(given.dims, axes), quant, given.dtype)
        attributes = dict(Transpose(axes).to_attributes())
        attributes["quant_type"] = quant_type(None if quant is None else quant.bits)
        node = LoweredNode(result, Transpose.op_type, (name,), (result,), attributes)
        self.nodes.append(node)
        self._variants[name, axes] = result
        return result

    def moved(self, name: str, moves: tuple[Move, ...]) -> str:
        """``name`` after ``moves``; equal requests share their nodes."""
        known = self._variants.get((name, moves))
        if known is not None:
            return known
        quant, dtype = self.quants[name], self.values[name].dtype
        results = [name]
        for move in moves:
            result = self.free(f"{name}/{move.op.op_type.lower()}")
            self.enter(result, move.shape, quant, dtype)
            inputs = [results[index] for index in move.sources]
            inputs += [
                self.store(replace(tensor, name=f"{result}/{tensor.name}"))
                for tensor in move.parameters
            ]
            attributes = dict(move.op.to_attributes())
            attributes["quant_type"] = quant_type(None if quant is None else quant.bits)
            self.nodes.append(
                LoweredNode(result, move.op.op_type, tuple(inputs), (result,), attributes)
            )
            results.append(result)
        self._variants[name, moves] = results[-1]
        return results[-1]

    def model(
        self,
        name: str,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        metadata: Mapping[str, str],
    ) -> LoweredModel:
        """Everything as a model; tables come first among the parameters, inputs among values."""
        return LoweredModel(
            name=name,
            nodes=tuple(self.nodes),
            inputs=inputs,
            outputs=outputs,
            values={**{value: self.values[value] for value in inputs}, **self.values},
            parameters={**self.tables, **self.parameters},
            metadata=metadata,
        )
