"""Our files against the peer's: what differs in bytes, and in the integers that they compute.

The law of this file: the exponents are the peer's, everything else of our file is ours; nobody's
refusal ends the comparison silently, it is a difference as well.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from espdl_hil import espdl, pipeline
from espdl_hil.errors import EspdlHilError
from espdl_hil.ir.lowered import LoweredModel, Tensor
from espdl_hil.lowering import lower, to_stored
from espdl_hil.quantizer import QuantizeConfig
from espdl_hil.simulator import Simulator
from espdl_hil.targets import Target, target_named
from tests.peer.cases import Case
from tests.peer.compare import Difference, differences
from tests.peer.exports import TARGETS, Export
from tests.peer.same_exponents import with_exponents_of

MADE = "a file"
RUNS = "runs"


@dataclass(frozen=True, slots=True)
class Met:
    """A difference and the file that it was met in."""

    case: str
    target: str
    bits: int
    difference: Difference

    def __str__(self) -> str:
        return f"{self.case} {self.target} int{self.bits}: {self.difference}"


def compared(case: Case, export: Export) -> Iterator[Met]:
    """All differences between the peer's ``export`` of ``case`` and ours."""
    try:
        for difference in _differences(case, export):
            yield Met(case.name, export.target, export.bits, difference)
    except Exception as error:  # a finding like others: the next comparison goes on
        text = "".join(traceback.format_exception(error)[-3:])
        found = Difference("graph", "comparison", f"{type(error).__name__}: {error}", text, "")
        yield Met(case.name, export.target, export.bits, found)


def _differences(case: Case, export: Export) -> Iterator[Difference]:
    chip = target_named(TARGETS[export.target])
    refusal = ""
    try:
        # With the peer's exponents the rounded weights are its own; so must the biases be.
        config = QuantizeConfig(target=chip, bits=export.bits, bias_correction=False)
        ours = pipeline.quantize(case.model.SerializeToString(), config, case.data)
    except EspdlHilError as error:
        refusal = f"{type(error).__name__}: {error}"
    if refusal or export.refused:
        yield Difference("graph", "export", refusal or MADE, export.refused or MADE, "")
        return
    peer = espdl.read_file(export.path)
    try:
        bare = lower(with_exponents_of(ours.quant, peer), chip)
    except EspdlHilError as error:
        yield Difference("graph", "lowering", f"{type(error).__name__}: {error}", MADE, "")
        return
    vectors = tuple(
        Tensor.of(
            name,
            to_stored(bare, name, case.data[name][0], chip),
            exponents=bare.values[name].exponents,
        )
        for name in bare.inputs
    )
    model = espdl.read(espdl.write(replace(bare, test_inputs=vectors)))
    yield from differences(model, peer)
    yield from _integers(model, peer, chip)


def _integers(ours: LoweredModel, peer: LoweredModel, chip: Target) -> Iterator[Difference]:
    """What the two files compute from the peer's test inputs, and what the peer says of it."""
    makers = {output: node.op_type for node in ours.nodes for output in node.outputs}
    kept = [tensor.name for tensor in peer.test_outputs]
    given = {tensor.name: tensor.array() for tensor in peer.test_inputs}
    fits = all(
        given[name].shape == ours.values[name].dims
        and given[name].dtype == ours.values[name].dtype.numpy
        for name in ours.inputs
    )
    mine, theirs = _run(ours, chip, given if fits else None, []), _run(peer, chip, given, kept)
    if isinstance(mine, str) or isinstance(theirs, str):
        texts = [item if isinstance(item, str) else RUNS for item in (mine, theirs)]
        yield Difference("graph", "run", *texts, "")
    if isinstance(theirs, str):
        return
    for tensor in peer.test_outputs:
        operator = makers.get(tensor.name, "graph")
        found, expected = theirs[tensor.name].ravel(), tensor.array().ravel()
        yield from _unlike(operator, "expected values", found, expected, tensor.name)
    if isinstance(mine, str) or not fits:
        return  # said already
    for name in ours.outputs:
        if name in theirs:
            found, other = mine[name].ravel(), theirs[name].ravel()
            yield from _unlike(makers.get(name, "graph"), "results", found, other, name)


def _run(
    model: LoweredModel, chip: Target, inputs: dict[str, np.ndarray] | None, keep: list[str]
) -> dict[str, np.ndarray] | str:
    """What ``model`` computes from ``inputs`` or its own, or why nothing."""
    try:
        return Simulator(model, chip).run(inputs, keep or None)
    except EspdlHilError as error:
        return f"{type(error).__name__}: {error}"


def _unlike(
    operator: str, field: str, found: np.ndarray, other: np.ndarray, place: str
) -> Iterator[Difference]:
    if found.dtype != other.dtype or found.size != other.size:
        texts = f"{found.dtype}[{found.size}]", f"{other.dtype}[{other.size}]"
        yield Difference(operator, field, *texts, place)
        return
    if found.dtype.kind == "f":
        wrong = ~np.isclose(found, other, rtol=0, atol=2e-5, equal_nan=True)
        steps = np.abs(found - other)
    else:
        steps = np.abs(found.astype(np.int64) - other.astype(np.int64))
        wrong = steps != 0
    if wrong.any():
        apart = float(steps[wrong].max())
        text = f"{int(wrong.sum())} of {wrong.size} differ by up to {apart:g}"
        yield Difference(operator, field, "the chip's", text, place, apart)
