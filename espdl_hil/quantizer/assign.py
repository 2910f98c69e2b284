"""Exponents for a whole graph: what each value is stored with, and what each consumer wants.

The law of this file: it chooses exponents and touches no element. A value has one exponent, given
by its producer; a consumer that needs another one gets an edge, where the lowering requantizes.
An edge is never finer than its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from espdl_hil.calibration.observers import (
    HIGHEST_EXPONENT,
    LOWEST_EXPONENT,
    choose_exponent,
    fitting_exponent,
)
from espdl_hil.calibration.ranges import Ranges
from espdl_hil.ir.graph import Graph, Node, QuantModel
from espdl_hil.ir.operator import ExponentRule
from espdl_hil.ir.types import DType, QuantParams
from espdl_hil.quantizer.config import QuantizeConfig
from espdl_hil.quantizer.room import NO_ROOMS, Room, Rooms
from espdl_hil.quantizer.weights import (
    Exponents,
    MacSite,
    limited_exponents,
    longest_shift,
    weight_exponents,
)

_OWN_RANGE = (ExponentRule.CALIBRATED, ExponentRule.ALIGNED, ExponentRule.FLOAT)
_RAISABLE = (ExponentRule.CALIBRATED, ExponentRule.ALIGNED)
_ANY = Room()


def calibrated_values(graph: Graph) -> tuple[str, ...]:
    """The values whose range ``assign`` needs, in order: inputs, and results of computation.

    A value that only feeds a Relu or Clip has the exponent of what comes out of it, and no range.
    """
    bounded = {value for value, _ in _bounded(graph)}
    values = [name for name in graph.inputs if graph.types[name].dtype is DType.FLOAT]
    for node in graph.nodes:
        if node.op.traits.exponents in _OWN_RANGE:
            values += [v for v in node.outputs if v and v not in bounded]
    return tuple(value for value in values if graph.types[value].dtype is DType.FLOAT)


def assign(
    graph: Graph, ranges: Ranges, config: QuantizeConfig, rooms: Rooms = NO_ROOMS
) -> QuantModel:
    """Choose all exponents.

    Args:
        graph: simplified float graph.
        ranges: of ``calibrated_values(graph)``.
        config: target, bits, methods.
        rooms: precision that nodes give up for room in narrow accumulators.
    """
    work = _Assignment(graph, ranges, config, rooms)
    work.choose_values()
    work.spare_requantizations()
    work.choose_edges()
    bits = {node.name: config.bits for node in graph.nodes}
    values = {
        name: QuantParams((exponent,), config.bits)
        for name, exponent in work.exponents.items()
        if name not in work.floats
    }
    values.update(work.fixed)
    return QuantModel(graph, values, work.edges, bits)


def _raisable(node: Node) -> bool:
    """Whether the result of ``node`` may have any exponent that is large enough."""
    return node.op.traits.exponents in _RAISABLE and not node.op.traits.tied_inputs


def _bounded(graph: Graph) -> list[tuple[str, str]]:
    """``(input, output)`` of each Relu or Clip that alone reads what a computation gives."""
    flow = _Flow.of(graph)
    return [
        (node.inputs[0], node.outputs[0])
        for node in graph.nodes
        if node.op.traits.bounds
        and flow.readers[node.inputs[0]] == 1
        and node.inputs[0] in flow.made
        and _raisable(flow.made[node.inputs[0]])
    ]


@dataclass(frozen=True, slots=True)
class _Flow:
    """Who makes each value, and how many read it (graph outputs count as read)."""

    made: Mapping[str, Node]
    readers: Mapping[str, int]

    @classmethod
    def of(cls, graph: Graph) -> _Flow:
        readers: dict[str, int] = dict.fromkeys(graph.outputs, 1)
        made: dict[str, Node] = {}
        for node in graph.nodes:
            made.update(dict.fromkeys(node.outputs, node))
            for value in node.inputs:
                readers[value] = readers.get(value, 0) + 1
        return cls(made, readers)

    def upwards(self, value: str) -> list[str]:
        """``value``, what it is a copy of, and so on, while nobody else reads these."""
        chain = [value]
        producer = self.made.get(value)
        while producer is not None and self._passes_on(producer, chain[-1]):
            chain.append(producer.inputs[0])
            producer = self.made.get(chain[-1])
        return chain

    def may_change(self, chain: list[str]) -> bool:
        """Whether the end of the chain may have a larger exponent with nobody else concerned."""
        producer = self.made.get(chain[-1])
        alone = all(self.readers.get(value, 0) == 1 for value in (chain[0], chain[-1]))
        return alone and (producer is None or _raisable(producer))

    def _passes_on(self, producer: Node, value: str) -> bool:
        """Whether ``producer`` hands the integers of its first input to ``value`` alone."""
        passive = producer.op.traits.exponents is ExponentRule.PASSIVE
        return passive and len(producer.outputs) == 1 and self.readers.get(value, 0) == 1


@dataclass(slots=True)
class _Assignment:
    """The exponents chosen so far."""

    graph: Graph
    ranges: Ranges
    config: QuantizeConfig
    rooms: Rooms
    exponents: dict[str, int] = field(default_factory=dict)
    floats: set[str] = field(default_factory=set)
    fixed: dict[str, QuantParams] = field(default_factory=dict)
    wanted_weights: dict[str, Exponents] = field(default_factory=dict)
    edges: dict[tuple[str, int], QuantParams] = field(default_factory=dict)

    def choose_values(self) -> None:
        """Give every value an exponent, inputs before outputs."""
        shared = dict(_bounded(self.graph))
        for name in calibrated_values(self.graph):
            self.exponents[name] = choose_exponent(
                self.ranges[name], self.config.bits, self.config.observer
            )
        self._give_room_at_the_source()
        for value, bounded in reversed(shared.items()):
            self.exponents[value] = self.exponents[bounded]
        for node in self.graph.nodes:
            self._choose_outputs(node)

    def _give_room_at_the_source(self) -> None:
        """Let what alone feeds a node that needs a coarser input be produced like that."""
        flow = _Flow.of(self.graph)
        for node in self.graph.nodes:
            room = self.rooms.get(node.name, _ANY)
            if room.inputs is None or room.converts:
                continue
            chain = flow.upwards(node.inputs[0])
            if flow.may_change(chain) and chain[-1] in self.exponents:
                self.exponents[chain[-1]] = max(self.exponents[chain[-1]], room.inputs)

    def _choose_outputs(self, node: Node) -> None:
        traits, activations = node.op.traits, self._activations(node)
        for index, quant in traits.fixed_outputs:
            if index < len(node.outputs):
                value = node.outputs[index]
                self.fixed[value] = quant
                # Its readers get the model's own width, at an exponent of the range seen.
                self.exponents[value] = max(self.exponents[value], quant.exponent)
        if traits.tied_inputs:
            tied = [v for v in node.outputs if v not in self.fixed]
            tied_inputs = [node.inputs[index] for index in traits.tied_inputs]
            known = [self.exponents[v] for v in (*tied, *tied_inputs) if v in self.exponents]
            known += [self._fitting(v) for v in tied_inputs if v in self.graph.constants]
            self.exponents.update(dict.fromkeys(tied, max(known)))
        match node.op.traits.exponents:
            case ExponentRule.PASSIVE:
                for value in node.outputs:
                    self.exponents[value] = self.exponents[node.inputs[0]]
            case ExponentRule.ALIGNED:
                needed = [self.exponents[value] for value in activations]
                if not node.op.traits.products:
                    needed += [self._fitting(value) for _, value in self._constants(node)]
                for value in node.outputs:
                    self.exponents[value] = max(self.exponents[value], *needed)
            case ExponentRule.FLOAT:
                self.floats.update(node.outputs)
            case ExponentRule.CALIBRATED:
                if node.op.traits.products or node.op.traits.multiplies:
                    lowest = self._product_exponent(node)
                    for value in node.outputs:
                        self.exponents[value] = max(self.exponents[value], lowest)

    def _product_exponent(self, node: Node) -> int:
        """The exponent of the product of inputs 0 and 1: the output's may not be below."""
        factors = 0
        for index, value in enumerate(node.inputs[:2]):
            if value in self.exponents:
                factors += max(self.exponents[value], self._finest(node, index))
            elif node.op.traits.multiplies and value == node.inputs[1]:
                suiting = weight_exponents(self._mac(node), self.config.bits, self.config.weights)
                finest = self.rooms.get(node.name, _ANY).weights or (LOWEST_EXPONENT,)
                self.wanted_weights[node.name] = np.maximum(suiting, finest)
                factors += int(self.wanted_weights[node.name].max())
            else:
                factors += self._fitting(value)
        return min(factors, HIGHEST_EXPONENT)

    def spare_requantizations(self) -> None:
        """Let what alone feeds an aligned node be produced with that node's exponent at once.

        One rounding instead of two, and no RequantizeLinear.
        """
        flow = _Flow.of(self.graph)
        for node in reversed(self.graph.nodes):
            if node.op.traits.exponents is not ExponentRule.ALIGNED:
                continue
            exponent = self.exponents[node.outputs[0]]
            for value in self._activations(node):
                chain = flow.upwards(value)
                if flow.may_change(chain):
                    self.exponents.update(dict.fromkeys(chain, exponent))

    def choose_edges(self) -> None:
        """Say what consumers want where it differs from what they are given."""
        for node in self.graph.nodes:
            traits = node.op.traits
            fixed = dict(traits.fixed_inputs)
            for index, value in enumerate(node.inputs):
                if value not in self.exponents or index in traits.index_inputs:
                    continue
                wanted = fixed.get(index) or self._params(self._wanted(node, index))
                given = self.fixed.get(value) or self._params(self.exponents[value])
                if value in self.floats or wanted != given:
                    self.edges[node.name, index] = wanted
            if traits.multiplies and node.inputs[1] in self.graph.constants:
                self._want_weights(node)
                continue
            for index, _ in self._constants(node):
                if index not in traits.float_inputs:
                    wanted = fixed.get(index) or self._params(self._wanted(node, index))
                    self.edges[node.name, index] = wanted

    def _wanted(self, node: Node, index: int) -> int:
        """The exponent that ``node`` wants its input ``index`` to have."""
        traits, value = node.op.traits, node.inputs[index]
        constant = value in self.graph.constants
        if index in traits.tied_inputs:
            return self.exponents[node.outputs[0]]
        match traits.exponents:
            case ExponentRule.ALIGNED if not (constant and traits.products):
                return self.exponents[node.outputs[0]]
            case ExponentRule.PASSIVE if constant:
                return self.exponents[node.inputs[0]]
            case ExponentRule.COMPARED:
                both = (
                    self._fitting(v) if v in self.graph.constants else self.exponents[v]
                    for v in node.inputs
                )
                return max(both)
        if constant:
            return max(self._fitting(value), self._finest(node, index))
        if traits.multiplies and index == 1:
            return self._factor_exponent(node)
        return max(self.exponents[value], self._finest(node, index))

    def _finest(self, node: Node, index: int) -> int:
        """The finest exponent that the room of ``node`` allows its input ``index``."""
        room = self.rooms.get(node.name, _ANY)
        if index == 0 and room.inputs is not None:
            return room.inputs
        return max(room.weights, default=LOWEST_EXPONENT) if index == 1 else LOWEST_EXPONENT

    def _factor_exponent(self, node: Node) -> int:
        """The exponent of a run-time right side: the shift stays within the accumulators."""
        left, right = (
            max(
                self._fitting(v) if v in self.graph.constants else self.exponents[v],
                self._finest(node, index),
            )
            for index, v in enumerate(node.inputs[:2])
        )
        longest = longest_shift(self.config.target.mac[self.config.bits], self.config.bits)
        return max(right, self.exponents[node.outputs[0]] - left - longest)

    def _params(self, exponent: int) -> QuantParams:
        return QuantParams((exponent,), self.config.bits)

    def _want_weights(self, node: Node) -> None:
        bits, target = self.config.bits, self.config.target
        site = self._mac(node)
        given, result = self._wanted(node, 0), self.exponents[node.outputs[0]]
        chosen = limited_exponents(
            site, self.wanted_weights[node.name], result - given, given, bits, target
        )
        exponents = tuple(int(exponent) for exponent in chosen)
        axis = site.axis if site.per_channel else None
        self.edges[node.name, 1] = QuantParams(exponents, bits, axis)
        if site.bias is not None:
            width = 32 if bits == 8 else 64
            products = tuple(given + exponent for exponent in exponents)
            self.edges[node.name, 2] = QuantParams(products, width, None if axis is None else 0)

    def _mac(self, node: Node) -> MacSite:
        bias = node.inputs[2] if len(node.inputs) > 2 else ""
        per_channel = self.config.target.per_channel_weights and node.op.traits.channelwise
        return MacSite(
            weights=self.graph.constants[node.inputs[1]],
            axis=node.op.weight_axis(),
            bias=self.graph.constants[bias] if bias else None,
            per_channel=per_channel,
        )

    def _activations(self, node: Node) -> list[str]:
        index_inputs = node.op.traits.index_inputs
        return [
            value
            for index, value in enumerate(node.inputs)
            if index not in index_inputs and value in self.exponents
        ]

    def _constants(self, node: Node) -> list[tuple[int, str]]:
        """The float constants that are data of ``node``, with their input index."""
        index_inputs = node.op.traits.index_inputs
        return [
            (index, value)
            for index, value in enumerate(node.inputs)
            if value in self.graph.constants
            and index not in index_inputs
            and self.graph.types[value].dtype is DType.FLOAT
        ]

    def _fitting(self, constant: str) -> int:
        array = self.graph.constants[constant]
        return fitting_exponent(float(np.abs(array).max(initial=0.0)), self.config.bits)
