"""Exponents with which no accumulator of a model overflows, at the least cost in noise.

The law of this file: whether an accumulator overflows is found out by the accumulators themselves,
in the order of the kernels, or by a bound that holds for every input; never by an estimate. Only
which of several ways costs least is estimated: products get smaller by a coarser weight or by a
coarser input, and whichever adds less noise to the layer's result gives up the bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from espdl_hil.analysis.headroom import headroom_of, macs_of, passing_macs_of
from espdl_hil.analysis.rehearsal import Act, Rehearsal
from espdl_hil.calibration.observers import HIGHEST_EXPONENT, fitting_exponent
from espdl_hil.calibration.ranges import Ranges
from espdl_hil.errors import ModelError
from espdl_hil.ir.graph import Graph, Node, QuantModel
from espdl_hil.ir.types import Array
from espdl_hil.lowering import lower, to_stored
from espdl_hil.ops._recurrent import GATE_SUMS, GateSums, Recurrent
from espdl_hil.quantizer import AccumulatorHeadroom, QuantizeConfig, Room, assign

_KEPT_BITS = 4
"""What weights and inputs keep at least: with fewer, a layer computes noise."""

_UNIFORM = 1 / 12
"""Variance of a rounding error, in steps squared."""

SampleAt = Callable[[int], Mapping[str, Array]]
"""A calibration sample by index: reals by input name, ONNX order."""


@dataclass(frozen=True, slots=True)
class Relief:
    """What one layer gave up.

    Attributes:
        node: name of the node.
        op_type: its operator.
        weights_bits: by how many bits its weights (or its second activation) are coarser.
        input_bits: by how many bits its input is.
        output_bits: by how many bits its output is, which may not be finer than the products.
        noise_db: by how much the noise in its result grows; an estimate.
    """

    node: str
    op_type: str
    weights_bits: int
    input_bits: int
    output_bits: int
    noise_db: float

    def __str__(self) -> str:
        parts = {
            "weights": self.weights_bits,
            "input": self.input_bits,
            "output": self.output_bits,
        }
        given = ", ".join(f"{name} {bits}" for name, bits in parts.items() if bits)
        return f"{self.op_type} {self.node}: bits given up: {given}; noise +{self.noise_db:.1f} dB"


@dataclass(frozen=True, slots=True)
class Relieved:
    """A model with room in its accumulators.

    Attributes:
        quant: all exponents.
        mode: for which inputs nothing overflows.
        reliefs: the layers that gave something up, in the order of the graph.
        stuck: layers whose accumulators overflow all the same, each with a hint.
        samples: how many calibration samples showed that nothing overflows; 0 where a bound did.
    """

    quant: QuantModel
    mode: AccumulatorHeadroom
    reliefs: tuple[Relief, ...] = ()
    stuck: tuple[ModelError, ...] = ()
    samples: int = 0


def relieve(
    graph: Graph,
    ranges: Ranges,
    config: QuantizeConfig,
    samples: Sequence[int],
    sample_at: SampleAt,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Relieved:
    """All exponents, chosen so that accumulators do not overflow as ``config.headroom`` asks.

    Args:
        graph: simplified float graph.
        ranges: of ``calibrated_values(graph)``.
        config: target, bits, methods, headroom.
        samples: indices of the calibration samples.
        sample_at: gives them.
        progress: told ``(done, total)`` of the pass over the samples.

    Raises:
        ModelError: nodes that the target cannot compute.
    """
    quant = assign(graph, ranges, config)
    mode = config.headroom
    if mode is AccumulatorHeadroom.OFF:
        return Relieved(quant, mode)
    search = _Search(graph, ranges, config, sample_at, progress)
    search.settle(quant, list(samples))
    return Relieved(
        quant=search.quant,
        mode=mode,
        reliefs=search.reliefs(quant),
        stuck=tuple(search.stuck.values()),
        samples=len(samples) if search.ran and mode is AccumulatorHeadroom.CALIBRATION else 0,
    )


@dataclass(slots=True)
class _Search:
    """The rooms given so far; they only grow, so that the search ends."""

    graph: Graph
    ranges: Ranges
    config: QuantizeConfig
    sample_at: SampleAt
    progress: Callable[[int, int], None]
    quant: QuantModel = field(init=False)
    start: QuantModel = field(init=False)
    rooms: dict[str, Room] = field(default_factory=dict)
    stuck: dict[str, ModelError] = field(default_factory=dict)
    powers: dict[str, _Powers] = field(default_factory=dict)
    ran: bool = False

    def settle(self, quant: QuantModel, samples: list[int]) -> None:
        """Give room until nothing overflows that could be helped."""
        self.quant = self.start = quant
        suspects = samples
        while True:
            rehearsal = self._rehearsal()
            at_risk = self._at_risk(rehearsal)
            if self.config.headroom is AccumulatorHeadroom.ANY_INPUT:
                if at_risk and not self.powers:
                    self._watch(rehearsal, samples[:1])
                missing = at_risk
            elif at_risk:
                missing, suspects = self._watch(rehearsal, suspects)
                if not missing and suspects is not samples:
                    # Those that overflowed no longer do; whether another does now, all must show.
                    missing, suspects = self._watch(rehearsal, samples)
            else:
                missing = {}
            if not self._give(missing):
                return
            suspects = suspects or samples
            self.quant = assign(self.graph, self.ranges, self.config, self.rooms)

    def _rehearsal(self) -> Rehearsal:
        model = lower(self.quant, self.config.target)
        rehearsal = Rehearsal(model, self.config.target)
        rehearsal.run()
        return rehearsal

    def _at_risk(self, rehearsal: Rehearsal) -> dict[str, int]:
        """Layers that some input may overflow, and how many bits their bound has too many."""
        found: dict[str, int] = {}
        for row in headroom_of(rehearsal):
            if row.at_risk:
                lacking = row.bound.bit_length() - (row.accumulator.bits - 1)
                found[row.node] = max(found.get(row.node, 1), lacking)
        return found

    def _watch(
        self, rehearsal: Rehearsal, samples: Sequence[int]
    ) -> tuple[dict[str, int], list[int]]:
        """Run samples: the bits that accumulators lacked, by node, and the samples that showed it.

        The first one also tells the power of what layers read.
        """
        model, target = rehearsal.model, rehearsal.target
        found: dict[str, int] = {}
        guilty: list[int] = []
        for act in rehearsal.acts:
            if isinstance(act.operator, Recurrent):
                act.at.memo[GATE_SUMS] = GateSums()
        for done, index in enumerate(samples):
            sample = self.sample_at(index)
            rehearsal.reset()
            rehearsal.run(
                {name: to_stored(model, name, sample[name], target) for name in model.inputs}
            )
            overflowed = False
            for act in rehearsal.acts:
                lacking = _missing_bits(act)
                if lacking and act.node.name not in self.stuck:
                    found[act.node.name] = max(found.get(act.node.name, 0), lacking)
                    overflowed = True
                if act.node.name not in self.powers and (macs_of(act) or passing_macs_of(act)):
                    self.powers[act.node.name] = _Powers.of(act)
            if overflowed:
                guilty.append(index)
            self.progress(done + 1, len(samples))
        self.ran = True
        return found, guilty

    def _give(self, missing: Mapping[str, int]) -> bool:
        """Give the layers in ``missing`` room; whether any layer got some."""
        given = False
        for node in self.graph.nodes:
            lacking = missing.get(node.name, 0)
            if not lacking or node.name in self.stuck:
                continue
            # What a recurrent layer gives up moves its gates, which have one exponent.
            fixed = isinstance(node.op, Recurrent)
            room = None if fixed else self._cheapest(node, lacking)
            if room is None or room == self.rooms.get(node.name):
                self.stuck[node.name] = self._cannot(node, lacking)
            else:
                self.rooms[node.name] = room
                given = True
        return given

    def _cheapest(self, node: Node, lacking: int) -> Room | None:
        """The room that makes products smaller by ``lacking`` bits with the least noise."""
        weights, inputs = self._exponents(self.quant, node)
        coarsest_weights, coarsest_input = self._coarsest(node)
        candidates = []
        for of_input in range(lacking + 1):
            coarser = tuple(exponent + lacking - of_input for exponent in weights)
            if (
                max(coarser) <= coarsest_weights
                and inputs + of_input <= coarsest_input
                and max(coarser) + inputs + of_input <= HIGHEST_EXPONENT
            ):
                noise = self._noise(node, coarser, inputs + of_input)
                candidates.append((noise, of_input, coarser))
        if not candidates:
            return None
        _, of_input, coarser = min(candidates)
        converts = self.config.headroom is AccumulatorHeadroom.ANY_INPUT
        before = self.rooms.get(node.name, Room())
        wanted = inputs + of_input if of_input else before.inputs
        return Room(coarser, wanted, converts)

    def _coarsest(self, node: Node) -> tuple[int, int]:
        """The exponents of weights and input beyond which these would keep too few bits."""
        weights, inputs = self._exponents(self.start, node)
        spare = self.config.bits - _KEPT_BITS
        constant = self.graph.constants.get(node.inputs[1])
        if constant is None:
            return weights[0] + spare, inputs + spare
        return fitting_exponent(float(np.abs(constant).max()), _KEPT_BITS), inputs + spare

    def _cannot(self, node: Node, lacking: int) -> ModelError:
        arithmetic = self.config.target.mac[self.config.bits]
        if isinstance(node.op, Recurrent):
            return ModelError(
                f"{node.op.op_type}: the {arithmetic.tail.bits}-bit scalar accumulator of "
                f"{self.config.target.name} lacks {lacking} bit(s) for the gates",
                node=node.name,
                hint="fewer inputs or hidden elements, compute in int8, or accept saturation: "
                "--accumulator-headroom off",
            )
        accumulator = arithmetic.lane.bits
        return ModelError(
            f"{node.op.op_type}: the {accumulator}-bit accumulators of {self.config.target.name} "
            f"lack {lacking} bit(s), and weights and inputs would keep fewer than {_KEPT_BITS}",
            node=node.name,
            hint="split the layer into sums over fewer inputs, compute in int16, or accept "
            "saturation: --accumulator-headroom off",
        )

    def _exponents(self, quant: QuantModel, node: Node) -> tuple[tuple[int, ...], int]:
        """Exponents of what a node reads: weights or second factor, and input."""
        first, second = (
            quant.edges.get((node.name, index)) or quant.values[node.inputs[index]]
            for index in (0, 1)
        )
        return second.exponents, first.exponent

    def _noise(self, node: Node, weights: tuple[int, ...], inputs: int) -> float:
        """Power of the rounding noise in one result, all products taken together."""
        bits = self.config.bits
        constant = self.graph.constants.get(node.inputs[1])
        powers = self.powers[node.name]
        if constant is None:
            count, power = powers.second_count, powers.second
            error = count * _UNIFORM * 4.0 ** weights[0]
        else:
            axis = node.op.weight_axis()
            rows = np.moveaxis(constant.astype(np.float64), axis, 0).reshape(
                constant.shape[axis], -1
            )
            steps = np.exp2(np.array(weights, dtype=np.float64))[:, None]
            top = 2 ** (bits - 1)
            rounded = np.clip(np.rint(rows / steps), -top, top - 1) * steps
            error, power = float(np.sum((rows - rounded) ** 2)), float(np.sum(rows**2))
        rounding = _UNIFORM * 4.0**inputs
        given = self.quant.values.get(node.inputs[0])
        if given is not None and given.exponent < inputs:
            rounding += _UNIFORM * 4.0**given.exponent
        return powers.first * error + rounding * power

    def reliefs(self, before: QuantModel) -> tuple[Relief, ...]:
        """What every layer gave up between ``before`` and now."""
        found = []
        for node in self.graph.nodes:
            if node.name not in self.rooms:
                continue
            old_weights, old_input = self._exponents(before, node)
            weights, inputs = self._exponents(self.quant, node)
            result = node.outputs[0]
            old_output, output = (quant.values[result].exponent for quant in (before, self.quant))
            ratio = self._noise(node, weights, inputs) / max(
                self._noise(node, old_weights, old_input), np.finfo(float).tiny
            )
            found.append(
                Relief(
                    node=node.name,
                    op_type=node.op.op_type,
                    weights_bits=weights[0] - old_weights[0],
                    input_bits=inputs - old_input,
                    output_bits=output - old_output,
                    noise_db=max(0.0, 10.0 * math.log10(max(ratio, 1.0))),
                )
            )
        return tuple(found)


@dataclass(frozen=True, slots=True)
class _Powers:
    """Mean square of a layer's input, and of its second activation with its size per output."""

    first: float
    second: float = 0.0
    second_count: int = 0

    @classmethod
    def of(cls, act: Act) -> _Powers:
        first, *others = act.inputs
        assert first is not None, "a layer that ran has its input"
        mean = _mean_square(first.array) * 4.0**first.exponent
        second = others[0] if others else None
        if second is None or second.tensor is not None:
            return cls(mean)
        count = int(np.prod(second.array.shape[-2:]))
        return cls(mean, _mean_square(second.array) * 4.0**second.exponent * count, count)


def _mean_square(array: Array) -> float:
    return float(np.mean(np.square(array.astype(np.float64)))) if array.size else 0.0


def _missing_bits(act: Act) -> int:
    """How many bits the accumulators of a node lacked since they were asked last."""
    macs = (*macs_of(act), *passing_macs_of(act))
    lacking = max((mac.missing_bits for mac in macs), default=0)
    for mac in macs:
        mac.missing_bits = 0
    gates = act.at.memo.get(GATE_SUMS)
    if isinstance(gates, GateSums):
        lacking, gates.missing_bits = max(lacking, gates.missing_bits), 0
    return lacking
