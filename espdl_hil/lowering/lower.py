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
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor
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
from espdl_hil.lowering.board import Board, quant_type
from espdl_hil.ops._reduce import Reduction
from espdl_hil.ops._stored import stored_constant, tabulate
from espdl_hil.ops.reshape import Reshape
from espdl_hil.ops.transpose import Transpose
from espdl_hil.targets import Target

PRODUCER = "espdl-hil"


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
    board: Board = field(init=False)
    stored: dict[str, _Stored] = field(default_factory=dict)
    scrambled: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        graph = self.model.graph
        self.board = Board({*graph.types, *(node.name for node in graph.nodes)})

    # --- values ---------------------------------------------------------------------------------

    def _perm(self, value: str) -> Perm | None:
        """The stored order of an activation; ``None`` for a graph input nobody has read yet."""
        found = self.stored.get(value)
        return None if found is None else found.perm

    def _place(self, value: str, perm: Perm, name: str | None = None) -> str:
        """Settle where a graph input or result is found; the name that it has there."""
        name = value if name is None else name
        kind = self.model.graph.types[value]
        shape = stored_shape(kind.shape, perm)
        self.board.enter(name, shape, self.model.values.get(value), kind.dtype)
        self.stored[value] = _Stored(name, perm)
        return name

    def _fetch(self, value: str, perm: Perm, quant: QuantParams | None) -> str:
        """The board's value for ``value`` in this order and quantization, converting on demand."""
        if value not in self.stored:
            self._place(value, perm)
        found = self.stored[value]
        name = self.board.converted(found.name, quant)
        if perm == found.perm:
            return name
        return self.board.transposed(name, transposition(found.perm, perm))

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
        if isinstance(node.op, Transpose) and given is not None:
            # From the stored order at once: what stands in front of it is not restored first.
            return (
                Transpose(transposition(given, _axes(node.op, rank_in))),
                given,
                identity(rank_in),
            )
        match node.op.traits.layout:
            case LayoutRule.CHANNELS_LAST:
                return node.op, channels_last(rank_in), channels_last(rank_out)
            case LayoutRule.PASSIVE if given is not None and rank_in == rank_out:
                return node.op, given, given
            case LayoutRule.AXIS if given is not None and rank_in == rank_out:
                return node.op.permuted(given), given, given
            case LayoutRule.AXIS if given is not None and isinstance(node.op, Reduction):
                return node.op, given, self._kept(node, given)
            case LayoutRule.BROADCAST | LayoutRule.JOIN:
                perm = self._common_order(activations, rank_out)
                op = node.op.permuted(perm) if node.op.traits.layout is LayoutRule.JOIN else node.op
                return op, perm, perm
            case _:
                return node.op, identity(rank_in), identity(rank_out)

    def _kept(self, node: Node, perm: Perm) -> Perm:
        """The order of what a reduction without ``keepdims`` leaves of one stored as ``perm``."""
        axes = self.model.graph.constants.get(node.inputs[1]) if len(node.inputs) > 1 else None
        if axes is None or not axes.size:
            return ()
        gone = {int(axis) % len(perm) for axis in axes.ravel()}
        kept = [axis for axis in perm if axis not in gone]
        return tuple(sorted(kept).index(axis) for axis in kept)

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
        if isinstance(node.op, Transpose) and self._renamed(node, node.op):
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
        types = self.model.graph.types
        # Only outputs of the first one's rank can share its order (a GRU's state has less axes).
        orders = {
            output: given if len(given) == rank else identity(rank)
            for output, rank in ((value, len(types[value].shape)) for value in node.outputs)
        }
        outputs = tuple(self._placed_output(output, orders[output]) for output in node.outputs)
        site = LoweringSite(
            node=node.name,
            target=self.target,
            bits=self.model.bits[node.name],
            inputs=sites,
            outputs=tuple(
                Site(name, types[output].shape, orders[output], self.model.values.get(output))
                for name, output in zip(outputs, node.outputs, strict=True)
            ),
        )
        self._write(node, site, _reshaped(site) if flat else op.lower(site))

    def _placed_output(self, value: str, perm: Perm) -> str:
        """Enter a result; one whose elements are in another order than its value's is renamed."""
        renamed = self.board.free(f"{value}/stored") if value in self.scrambled else None
        return self._place(value, perm, renamed)

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
            self._place(given, identity(rank))
        found = self.stored[given]
        axes = _axes(op, rank)
        self.stored[result] = _Stored(found.name, tuple(axes.index(axis) for axis in found.perm))
        return True

    def _renamed(self, node: Node, op: Transpose) -> bool:
        """Give the result's name to the value it is the stored form of, unless that leaves too.

        Before: ``t = MaxPool(x)``, ``y = Transpose(t)`` to the order that t is stored in anyway;
        after: ``y = MaxPool(x)``.
        """
        value, result = node.inputs[0], node.outputs[0]
        found = self.stored.get(value)
        values = self.model.values
        if (
            found is None
            or found.perm != _axes(op, len(found.perm))
            or found.name in {*self.model.graph.inputs, *self.model.graph.outputs}
            or self.model.edges.get((node.name, 0), values.get(value)) != values.get(result)
            or self.board.quants[found.name] != values.get(result)
        ):
            return False
        self.board.rename(found.name, result)
        for known, place in self.stored.items():
            if place.name == found.name:
                self.stored[known] = _Stored(result, place.perm)
        self.stored[result] = _Stored(result, identity(len(found.perm)))
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
        if name in self.board.parameters:
            name = self.board.free(f"{name}/{node.name}")
        if index == 1 and node.inputs[0] in self.scrambled:
            constant = constant.take(self.scrambled[node.inputs[0]], axis=-2)
        together = node.op.traits.layout in (LayoutRule.BROADCAST, LayoutRule.JOIN)
        if together and perm != identity(len(perm)) and constant.ndim:
            constant = constant.reshape((1,) * (len(perm) - constant.ndim) + constant.shape)
            return Site(name, constant.shape, perm, quant, constant)
        return Site(name, constant.shape, identity(constant.ndim), quant, constant)

    def _write(self, node: Node, site: LoweringSite, lowered: LoweredOperator) -> None:
        attributes = {name: _single(value) for name, value in lowered.attributes.items()}
        attributes["quant_type"] = quant_type(site.bits)
        if node.op.traits.tabulates and site.bits == 8 and not lowered.tables:
            lowered = self._tabulated(node.op, site, lowered)
        for table in lowered.tables:
            attributes["lut"] = Attribute.of(self.board.store_table(table))
        count = max(len(site.inputs), *(index + 1 for index in lowered.parameters), 0)
        inputs = [self._stored_input(site, lowered, index) for index in range(count)]
        for index, moves in lowered.moves.items():
            inputs[index] = self.board.moved(inputs[index], moves)
        while inputs and not inputs[-1]:
            inputs.pop()
        outputs = tuple(output.name for output in site.outputs)
        self.board.nodes.append(
            LoweredNode(node.name, lowered.op_type, tuple(inputs), outputs, attributes)
        )

    def _stored_input(self, site: LoweringSite, lowered: LoweredOperator, index: int) -> str:
        """The name that input ``index`` has on the board; constants are entered there."""
        given = site.inputs[index] if index < len(site.inputs) else None
        if index in lowered.parameters:
            tensor = lowered.parameters[index]
        elif given is not None and given.constant is not None:
            tensor = stored_constant(given, self.target)
        else:
            return "" if given is None else given.name
        return "" if tensor is None else self.board.store(tensor)

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
                self._place(name, identity(len(graph.types[name].shape)))
            perms[name] = self.stored[name].perm
        return self.board.model(
            graph.name,
            graph.inputs,
            graph.outputs,
            {
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


def _axes(op: Transpose, rank: int) -> Perm:
    """The ONNX axis of the input that each axis of the result is."""
    return tuple(axis % rank for axis in op.perm) or identity(rank)[::-1]


def _single(attribute: Attribute) -> Attribute:
    """The attribute as the file holds it: FLOAT has 32 bits."""
    if attribute.kind is not AttributeKind.FLOAT:
        return attribute
    return Attribute(attribute.kind, float(np.float32(attribute.value)))  # type: ignore[arg-type]
