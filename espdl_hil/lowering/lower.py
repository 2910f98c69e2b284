"""The lowering itself: one walk over the graph that writes the board's nodes.

The law of this file: it asks traits for layouts and quantization for edges; what an operator turns
into is the operator's own ``lower``. Equal models give equal files: names follow from names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError, UnsupportedModelError
from espdl_hil.ir.attributes import Attribute, AttributeKind
from espdl_hil.ir.graph import Node, QuantModel
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.operator import LayoutRule, LoweredOperator, LoweringSite, Operator, Site
from espdl_hil.ir.types import Array, QuantParams
from espdl_hil.lowering.axes import (
    Perm,
    axes_metadata,
    channels_last,
    identity,
    moves_nothing,
    stored_shape,
    transposition,
)
from espdl_hil.lowering.linear import linear_node
from espdl_hil.ops._stored import stored_constant, tabulate
from espdl_hil.ops.reshape import Reshape
from espdl_hil.ops.transpose import Transpose
from espdl_hil.targets import Target

PRODUCER = "espdl-hil"

_QUANT_TYPES = {8: "S8", 16: "S16", None: "F32"}


def lower(
    model: QuantModel, target: Target, metadata: Mapping[str, str] | None = None
) -> LoweredModel:
    """The model as ``target`` executes it, without test vectors.

    Args:
        model: with all exponents.
        target: whose layouts, packings and rounding to write.
        metadata: entries for the file, beside ``target``, ``producer`` and the stored axis order
            of graph inputs and outputs.

    Raises:
        UnsupportedModelError: nodes that ``target`` cannot compute.
    """
    walk = _Walk(model, target)
    findings: list[ModelError] = []
    for node in model.graph.nodes:
        try:
            walk.place(node)
        except ModelError as finding:
            findings.append(finding)
    if findings:
        raise UnsupportedModelError(findings)
    return walk.result(dict(metadata or {}))


@dataclass(frozen=True, slots=True)
class _Stored:
    """Where a value of the graph is found on the board.

    Attributes:
        name: the board's value.
        perm: its stored order, in axes of the graph's value.
    """

    name: str
    perm: Perm


@dataclass(slots=True)
class _Walk:
    """The nodes written so far."""

    model: QuantModel
    target: Target
    nodes: list[LoweredNode] = field(default_factory=list)
    values: dict[str, ValueInfo] = field(default_factory=dict)
    quants: dict[str, QuantParams | None] = field(default_factory=dict)
    parameters: dict[str, Tensor] = field(default_factory=dict)
    tables: dict[str, Tensor] = field(default_factory=dict)
    stored: dict[str, _Stored] = field(default_factory=dict)
    variants: dict[tuple[str, object], str] = field(default_factory=dict)
    scrambled: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        graph = self.model.graph
        self.names.update(graph.types)
        self.names.update(node.name for node in graph.nodes)

    # --- inputs of a node -----------------------------------------------------------------------

    def _perm(self, value: str) -> Perm | None:
        """The stored order of an activation; ``None`` for a graph input nobody has read yet."""
        found = self.stored.get(value)
        return None if found is None else found.perm

    def _place_input(self, value: str, perm: Perm) -> None:
        """Settle the stored order of a graph input."""
        self.stored[value] = _Stored(value, perm)
        self._declare(value, value, perm)

    def _declare(self, name: str, like: str, perm: Perm) -> None:
        """Enter a board value of graph value ``like``, stored as ``perm``."""
        kind = self.model.graph.types[like]
        quant = self.model.values.get(like)
        self._enter(name, stored_shape(kind.shape, perm), quant, like)

    def _enter(
        self, name: str, shape: tuple[int, ...], quant: QuantParams | None, like: str
    ) -> None:
        dtype = self.model.graph.types[like].dtype if quant is None else quant.dtype
        exponents = (0,) if quant is None else quant.exponents
        self.values[name] = ValueInfo(name, dtype, shape, exponents)
        self.quants[name] = quant

    def _fetch(self, value: str, perm: Perm, quant: QuantParams | None) -> str:
        """The board's value for ``value`` in this order and quantization, converting on demand."""
        if value not in self.stored:
            self._place_input(value, perm)
        found = self.stored[value]
        name = found.name
        if quant != self.quants[name]:
            name = self._converted(name, quant)
        if perm != found.perm:
            shape = self.model.graph.types[value].shape
            name = self._transposed(name, transposition(found.perm, perm), value, shape, perm)
        return name

    def _converted(self, name: str, quant: QuantParams | None) -> str:
        """``name`` with another quantization, by a Quantize, Dequantize or RequantizeLinear."""
        known = self.variants.get((name, quant))
        if known is not None:
            return known
        old = self.values[name]
        suffix = "float" if quant is None else f"s{quant.bits}e{quant.exponent}"
        result = self._free(f"{name}/{suffix}")
        node, parameters = linear_node(result, old, self.quants[name], quant)
        self._enter(result, old.dims, quant, self._origin(name))
        self.nodes.append(node)
        self.parameters.update((tensor.name, tensor) for tensor in parameters)
        self.variants[name, quant] = result
        return result

    def _origin(self, name: str) -> str:
        """A graph value that gives the float element type of a board value."""
        if name in self.model.graph.types:
            return name
        return next(value for value, found in self.stored.items() if found.name == name)

    def _transposed(
        self, name: str, axes: Perm, value: str, shape: tuple[int, ...], perm: Perm
    ) -> str:
        known = self.variants.get((name, axes))
        if known is not None:
            return known
        result = self._free(f"{name}/{'x'.join(map(str, axes))}")
        quant = self.quants[name]
        self._enter(result, stored_shape(shape, perm), quant, value)
        self._emit(result, Transpose(axes), (name,), (result,), quant)
        self.variants[name, axes] = result
        return result

    def _free(self, name: str) -> str:
        """``name``, or ``name_2`` … where it is taken; taken from now on."""
        free, count = name, 1
        while free in self.names:
            count += 1
            free = f"{name}_{count}"
        self.names.add(free)
        return free

    def _emit(
        self,
        name: str,
        op: Operator,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        quant: QuantParams | None,
    ) -> None:
        """Write an inserted node, named after its result."""
        attributes = dict(op.to_attributes())
        attributes["quant_type"] = _quant_type(None if quant is None else quant.bits)
        self.nodes.append(LoweredNode(name, op.op_type, inputs, outputs, attributes))

    # --- layouts --------------------------------------------------------------------------------

    def _activations(self, node: Node) -> list[str]:
        return [value for value in node.inputs if value and value not in self.model.graph.constants]

    def _orders(self, node: Node) -> tuple[Operator, Perm, Perm]:
        """The operator in stored axes, the order its inputs must have, the order it gives."""
        types = self.model.graph.types
        rank_in = len(types[node.inputs[0]].shape)
        rank_out = len(types[node.outputs[0]].shape)
        activations = self._activations(node)
        given = self._perm(activations[0]) if activations else None
        match node.op.traits.layout:
            case LayoutRule.CHANNELS_LAST:
                return node.op, channels_last(rank_in), channels_last(rank_out)
            case LayoutRule.PASSIVE if given is not None and rank_in == rank_out:
                return node.op, given, given
            case LayoutRule.AXIS if given is not None and rank_in == rank_out:
                return node.op.permuted(given), given, given
            case LayoutRule.BROADCAST | LayoutRule.JOIN:
                perm = self._common_order(activations, rank_out)
                op = node.op.permuted(perm) if node.op.traits.layout is LayoutRule.JOIN else node.op
                return op, perm, perm
            case _:
                return node.op, identity(rank_in), identity(rank_out)

    def _common_order(self, activations: list[str], rank: int) -> Perm:
        """The order that the fewest elements must be moved for."""
        types = self.model.graph.types
        weight: dict[Perm, int] = {}
        for value in activations:
            perm = self._perm(value)
            shape = types[value].shape
            if len(shape) != rank:
                return identity(rank)  # a smaller operand broadcasts in ONNX order only
            if perm is not None:
                weight[perm] = weight.get(perm, 0) + int(np.prod(shape))
        return max(weight, key=lambda perm: weight[perm]) if weight else identity(rank)

    # --- nodes ----------------------------------------------------------------------------------

    def place(self, node: Node) -> None:
        """Write ``node`` and whatever its inputs need first."""
        if isinstance(node.op, Transpose) and self._relabelled(node, node.op):
            return
        op, wanted, given = self._orders(node)
        perm = self._perm(node.inputs[0])
        flat = False
        if node.op.traits.flat and perm is not None:
            shape = self.model.graph.types[node.inputs[0]].shape
            flat = moves_nothing(perm, shape) or self._absorbed(node, perm, shape)
            wanted = perm if flat else wanted
        sites = tuple(
            self._input(node, index, value, wanted) if value else None
            for index, value in enumerate(node.inputs)
        )
        outputs = tuple(self._placed_output(output, given) for output in node.outputs)
        types = self.model.graph.types
        site = LoweringSite(
            node=node.name,
            target=self.target,
            bits=self.model.bits[node.name],
            inputs=sites,
            outputs=tuple(
                Site(name, types[output].shape, given, self.model.values.get(output))
                for name, output in zip(outputs, node.outputs, strict=True)
            ),
        )
        self._write(node, site, _reshaped(site) if flat else op.lower(site))

    def _placed_output(self, value: str, perm: Perm) -> str:
        """Enter a result; one whose elements are in another order than its value's is renamed."""
        name = self._free(f"{value}/stored") if value in self.scrambled else value
        self.stored[value] = _Stored(name, perm)
        self._declare(name, value, perm)
        return name

    def _absorbed(self, node: Node, perm: Perm, shape: tuple[int, ...]) -> bool:
        """Whether the one reader's weights can take the flattened value in its stored order.

        Before: Conv → Transpose → Flatten → Gemm; after: Conv → Reshape → Gemm, its rows permuted.
        """
        graph = self.model.graph
        result = node.outputs[0]
        readers = [other for other in graph.nodes if result in other.inputs]
        if result in graph.outputs or len(readers) != 1:
            return False
        reader = readers[0]
        size = int(np.prod(shape))
        weights = graph.constants.get(reader.inputs[1]) if len(reader.inputs) > 1 else None
        if (
            not reader.op.traits.multiplies
            or reader.op.traits.layout is not LayoutRule.ONNX
            or weights is None
            or reader.inputs[0] != result
            or graph.types[result].shape[-1] != size
            or weights.shape[-2:-1] != (size,)
            or reader.op.weight_axis() % weights.ndim != weights.ndim - 1
        ):
            return False
        self.scrambled[result] = np.arange(size).reshape(shape).transpose(perm).ravel()
        return True

    def _relabelled(self, node: Node, op: Transpose) -> bool:
        """Take a Transpose as another reading of the same bytes; not where its result leaves."""
        given, result = node.inputs[0], node.outputs[0]
        graph = self.model.graph
        if result in graph.outputs or given in graph.constants:
            return False
        rank = len(graph.types[given].shape)
        if given not in self.stored:
            self._place_input(given, identity(rank))
        found = self.stored[given]
        axes = tuple(axis % rank for axis in op.perm) or identity(rank)[::-1]
        self.stored[result] = _Stored(found.name, tuple(axes.index(axis) for axis in found.perm))
        return True

    def _input(self, node: Node, index: int, value: str, perm: Perm) -> Site:
        """Input ``index`` as the node sees it; activations are converted by inserted nodes."""
        graph = self.model.graph
        shape = graph.types[value].shape
        constant = graph.constants.get(value)
        quant = self.model.edges.get((node.name, index), self.model.values.get(value))
        if constant is None:
            order = perm if len(perm) == len(shape) else identity(len(shape))
            return Site(self._fetch(value, order, quant), shape, order, quant)
        return self._constant(node, index, constant, perm, quant)

    def _constant(
        self, node: Node, index: int, constant: Array, perm: Perm, quant: QuantParams | None
    ) -> Site:
        name = node.inputs[index]
        if name in self.parameters:
            name = self._free(f"{name}/{node.name}")
        if index == 1 and node.inputs[0] in self.scrambled:
            constant = constant.take(self.scrambled[node.inputs[0]], axis=-2)
        together = node.op.traits.layout in (LayoutRule.BROADCAST, LayoutRule.JOIN)
        if together and perm != identity(len(perm)) and constant.ndim:
            constant = constant.reshape((1,) * (len(perm) - constant.ndim) + constant.shape)
            return Site(name, constant.shape, perm, quant, constant)
        return Site(name, constant.shape, identity(constant.ndim), quant, constant)

    def _write(self, node: Node, site: LoweringSite, lowered: LoweredOperator) -> None:
        attributes = {name: _single(value) for name, value in lowered.attributes.items()}
        attributes["quant_type"] = _quant_type(site.bits)
        if node.op.traits.tabulates and site.bits == 8 and not lowered.tables:
            lowered = self._tabulated(node.op, site, lowered)
        for table in lowered.tables:
            name = self._free(table.name)
            self.tables[name] = replace(table, name=name)
            attributes["lut"] = Attribute.of(name)
        count = max(len(site.inputs), *(index + 1 for index in lowered.parameters), 0)
        inputs = tuple(self._stored_input(site, lowered, index) for index in range(count))
        outputs = tuple(output.name for output in site.outputs)
        self.nodes.append(LoweredNode(node.name, lowered.op_type, inputs, outputs, attributes))

    def _stored_input(self, site: LoweringSite, lowered: LoweredOperator, index: int) -> str:
        """The name that input ``index`` has on the board; constants are entered there."""
        given = site.inputs[index] if index < len(site.inputs) else None
        if index in lowered.parameters:
            tensor = lowered.parameters[index]
        elif given is not None and given.constant is not None:
            tensor = stored_constant(given, self.target)
        else:
            return "" if given is None else given.name
        if tensor is None:
            return ""
        self.parameters[tensor.name] = tensor
        return tensor.name

    def _tabulated(
        self, op: Operator, site: LoweringSite, lowered: LoweredOperator
    ) -> LoweredOperator:
        """The operator with its 256 results."""
        given, result = site.inputs[0], site.outputs[0]
        if given is None or given.quant is None or result.quant is None:
            return lowered
        exponents = (given.quant.exponent, result.quant.exponent)
        name = f"{op.op_type}_lut"
        table = tabulate(op.evaluate, name, exponents, self.target.rounding)
        return replace(lowered, tables=(table,))

    def result(self, metadata: dict[str, str]) -> LoweredModel:
        """The whole model."""
        graph = self.model.graph
        perms: dict[str, Perm] = {}
        for name in (*graph.inputs, *graph.outputs):
            if name not in self.stored:  # an input that nothing reads
                self._place_input(name, identity(len(graph.types[name].shape)))
            perms[name] = self.stored[name].perm
        inputs = {name: self.values[name] for name in graph.inputs}
        return LoweredModel(
            name=graph.name,
            nodes=tuple(self.nodes),
            inputs=graph.inputs,
            outputs=graph.outputs,
            values={**inputs, **self.values},
            parameters={**self.tables, **self.parameters},
            metadata={
                "target": self.target.name,
                "producer": PRODUCER,
                **axes_metadata(perms),
                **metadata,
            },
        )


def _reshaped(site: LoweringSite) -> LoweredOperator:
    """A Flatten, Squeeze … as a Reshape to the shape it gives: it need not know its axes."""
    shape = np.array(site.outputs[0].shape, dtype=np.int64)
    tensor = Tensor.of(f"{site.node}/shape", shape)
    return LoweredOperator(Reshape.op_type, {"allowzero": Attribute.of(0)}, {1: tensor})


def _single(attribute: Attribute) -> Attribute:
    """The attribute as the file holds it: FLOAT has 32 bits."""
    if attribute.kind is not AttributeKind.FLOAT:
        return attribute
    return Attribute(attribute.kind, float(np.float32(attribute.value)))  # type: ignore[arg-type]


def _quant_type(bits: int | None) -> Attribute:
    return Attribute.of(_QUANT_TYPES[bits])
