"""What a model loses in integers that no error tells: constants, samples and ranges, looked at.

The law of this file: it warns and decides nothing; each warning names what is lost, where, and
what to do about it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from espdl_hil.analysis.findings import Finding, Severity
from espdl_hil.calibration.observers import HIGHEST_EXPONENT, LOWEST_EXPONENT
from espdl_hil.calibration.ranges import Range, Ranges
from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ir.lowered import LoweredModel
from espdl_hil.ir.operator import ExponentRule, LayoutRule
from espdl_hil.ir.types import Array, DType
from espdl_hil.lowering.axes import channels_last, identity
from espdl_hil.results.quality import OutputQuality

LOW_SQNR_DB = 10.0
"""Below, noise has a third of the signal's amplitude: what an output says is doubtful."""

_FEW_STEPS = 8
"""An input of a Concat that keeps no more steps than this has lost what it says."""

_CONSTANT = "give --calib samples that are unlike each other, as the application will see them"
_RESCALE = "scale the model's constants or inputs so that values lie between 1e-6 and 1e6"


def constant_findings(graph: Graph, bits: int) -> tuple[Finding, ...]:
    """Constants that no exponent suits: known before any sample is run."""
    found: list[Finding] = []
    for node in graph.nodes:
        for index, name in enumerate(node.inputs):
            skipped = (*node.op.traits.index_inputs, *node.op.traits.float_inputs)
            if (
                name in graph.constants
                and index not in skipped
                and graph.types[name].dtype is DType.FLOAT
            ):
                peak = float(np.abs(graph.constants[name]).max(initial=0.0))
                # A small addend is an epsilon that float division needs: nothing is lost with it.
                factor = node.op.traits.multiplies or node.op.traits.products
                if factor or peak > 1.0:
                    found += _beyond(node, f"constant {name!r}", peak, bits)
    return tuple(found)


def range_findings(graph: Graph, ranges: Ranges, bits: int) -> tuple[Finding, ...]:
    """What calibration has seen that its exponents cannot say, or that says nothing.

    Args:
        graph: what was calibrated.
        ranges: of ``calibrated_values(graph)``.
        bits: of the integers.
    """
    made = {value: node for node in graph.nodes for value in node.outputs}
    found = [*_constant_inputs(graph, ranges), *_dead_values(graph, ranges, made)]
    for name, seen in ranges.items():
        found += _beyond(made.get(name), f"value {name!r}", seen.magnitude, bits)
    for output in graph.outputs:
        found += _lost_in_concat(output, ranges, made, bits)
    return tuple(found)


def _beyond(node: Node | None, what: str, peak: float, bits: int) -> Iterator[Finding]:
    """Magnitudes whose exponent would be out of what the runtime shifts by."""
    if peak <= 0.0:
        return
    place = ("", "") if node is None else (node.name, node.op.op_type)
    wanted = math.ceil(math.log2(2.0 * peak / (2**bits - 1)))
    if wanted > HIGHEST_EXPONENT:
        held = 2.0 ** (HIGHEST_EXPONENT + bits - 1)
        lost = f"the largest exponent holds {held:.2g}: all beyond saturates"
    elif wanted < LOWEST_EXPONENT:
        lost = f"the finest step is 2**{LOWEST_EXPONENT}: {_left_bits(wanted, bits)}"
    else:
        return
    yield Finding(Severity.WARNING, f"{what} reaches {peak:.2g}, {lost}", *place, _RESCALE)


def _left_bits(wanted: int, bits: int) -> str:
    left = bits - (LOWEST_EXPONENT - wanted)
    return f"{left} of {bits} bits are left" if left > 1 else "nothing is left of it"


def _constant_inputs(graph: Graph, ranges: Ranges) -> Iterator[Finding]:
    for name in graph.inputs:
        seen = ranges.get(name)
        if seen is not None and seen.lowest == seen.highest:
            yield Finding(
                Severity.WARNING,
                f"input {name!r} is {seen.lowest:g} in every calibration sample: all exponents "
                "behind it are guesses",
                hint=_CONSTANT,
            )


def _dead_values(graph: Graph, ranges: Ranges, made: Mapping[str, Node]) -> Iterator[Finding]:
    """One finding on all computed values that were constant: the first is where it begins."""
    dead = [
        (name, seen)
        for name, seen in ranges.items()
        if name in made and seen.lowest == seen.highest and math.prod(graph.types[name].shape) > 1
    ]
    if dead:
        name, seen = dead[0]
        others = f", and {len(dead) - 1} more value(s) are constant" if len(dead) > 1 else ""
        yield Finding(
            Severity.WARNING,
            f"value {name!r} is {seen.lowest:g} throughout calibration{others}: other inputs may "
            "saturate it",
            made[name].name,
            made[name].op.op_type,
            f"a dead layer, or samples that do not reach it: {_CONSTANT}",
        )


def _lost_in_concat(
    output: str, ranges: Ranges, made: Mapping[str, Node], bits: int
) -> Iterator[Finding]:
    """Inputs of a last Concat that keep next to no steps beside a larger one."""
    node = made.get(output)
    while node is not None and node.op.traits.exponents is ExponentRule.PASSIVE:
        node = made.get(node.inputs[0])
    if node is None or node.op.traits.layout is not LayoutRule.JOIN:
        return
    seen = {name: _range_of(name, ranges, made) for name in node.inputs}
    peaks = {name: one.magnitude for name, one in seen.items() if one is not None}
    largest = max(peaks.values(), default=0.0)
    if largest <= 0.0:
        return
    step = 2.0 ** math.ceil(math.log2(2.0 * largest / (2**bits - 1)))
    lost = {name: peak for name, peak in peaks.items() if 0.0 < peak <= _FEW_STEPS * step}
    if lost:
        name, peak = min(lost.items(), key=lambda item: item[1])
        ends = " ".join(f"--end-at {one}" for one in dict.fromkeys(node.inputs))
        yield Finding(
            Severity.WARNING,
            f"{name!r} reaches {peak:.3g} beside {largest:.3g} in one output: "
            f"{int(peak / step)} step(s) of {2 ** (bits - 1) - 1} are left of it",
            node.name,
            node.op.op_type,
            f"end the model in front of it: {ends}",
        )


def _range_of(name: str, ranges: Ranges, made: Mapping[str, Node]) -> Range | None:
    """The range of a value, or of what it is a copy of, or of what bounds it."""
    while name not in ranges:
        node = made.get(name)
        if node is None or node.op.traits.exponents is not ExponentRule.PASSIVE:
            return None
        name = node.inputs[0]
    return ranges[name]


def low_quality(
    qualities: Iterable[OutputQuality],
    graph: Graph,
    model: LoweredModel,
    expected: Mapping[str, Array],
    got: Mapping[str, Array],
) -> tuple[Finding, ...]:
    """A warning per output below ``LOW_SQNR_DB``, with the first node that is.

    Args:
        qualities: of the outputs.
        graph: the float model.
        model: what was made of it.
        expected: every float value of one sample, in ONNX order.
        got: every integer value of the same sample, as stored.
    """
    low = [quality for quality in qualities if quality.sqnr_db < LOW_SQNR_DB]
    if not low:
        return ()
    first = _first_collapse(graph, model, expected, got)
    found = []
    for quality in low:
        begins, place = "", ("", "")
        if first is not None:
            node, sqnr_db = first
            place = (node.name, node.op.op_type)
            begins = f"; first below {LOW_SQNR_DB:g} dB is this node with {sqnr_db:.1f} dB"
        found.append(
            Finding(
                Severity.WARNING,
                f"output {quality.output!r} has an SQNR of {quality.sqnr_db:.1f} dB on "
                f"calibration samples{begins}",
                *place,
                "quantize with --bits 16, end the model before this node (--end-at), or compare "
                "--observer minmax",
            )
        )
    return tuple(found)


def _first_collapse(
    graph: Graph, model: LoweredModel, expected: Mapping[str, Array], got: Mapping[str, Array]
) -> tuple[Node, float] | None:
    for node in graph.nodes:
        for name in node.outputs:
            if name not in expected or name not in got or name not in model.values:
                continue
            if model.values[name].dtype not in (DType.INT8, DType.INT16):
                continue
            exponent = model.values[name].exponent
            sqnr_db = _sqnr_db(expected[name], np.ldexp(got[name].astype(np.float64), exponent))
            if sqnr_db < LOW_SQNR_DB:
                return node, sqnr_db
    return None


def _sqnr_db(expected: Array, stored: npt.NDArray[np.float64]) -> float:
    """Of a value in either stored order; infinity where it has no signal or an unknown shape."""
    wanted = expected.astype(np.float64)
    signal = float(np.square(wanted).sum())
    orders: Sequence[tuple[int, ...]] = (identity(expected.ndim), channels_last(expected.ndim))
    fitting = [wanted.transpose(order) for order in dict.fromkeys(orders)]
    noises = [float(np.square(one - stored).sum()) for one in fitting if one.shape == stored.shape]
    if not noises or signal <= 0.0:
        return math.inf
    return 10.0 * math.log10(signal / max(min(noises), signal * 1e-30))
