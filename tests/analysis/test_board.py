"""What a board says of itself stops a file that it cannot run, before it is uploaded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from espdl_hil.analysis import Severity, board_findings, refuse_errors
from espdl_hil.errors import UnsupportedModelError
from espdl_hil.ops import OPERATORS
from espdl_hil.ops._releases import FIRST_RELEASE
from espdl_hil.runs import Engine, MemoryRegion
from tests.analysis import models
from tests.analysis.test_headroom import S3
from tests.support.results import identity


def board(arena: int = 1 << 20, store: int = 1 << 20, espdl: str = "", **heaps: int):
    regions = {"arena": arena, "store": store, **heaps}
    engines = (Engine.ESPDL, Engine.REFERENCE) if espdl else (Engine.REFERENCE,)
    return replace(
        identity(),
        memory=tuple(MemoryRegion(name, size, size, 0) for name, size in regions.items()),
        engines=engines,
        engine_versions=(espdl, "1")[-len(engines) :],
    )


def relu(channels: int):
    values = [models.value("x", (1, 8, 8, channels)), models.value("y", (1, 8, 8, channels))]
    return models.model([models.node("Relu", ["x"], ["y"])], values)


def test_a_model_that_fits_has_no_finding():
    assert board_findings(relu(8), 1000, board()) == ()


@pytest.mark.parametrize(
    ("channels", "size_bytes", "identity", "said"),
    [
        (1 << 14, 1000, board(), "activations need at least 2.0 MiB"),
        (8, (1 << 20) + 1, board(), "the board's model store 1.0 MiB"),
    ],
)
def test_what_does_not_fit_is_an_error_with_both_sizes(channels, size_bytes, identity, said):
    (finding,) = board_findings(relu(channels), size_bytes, identity)
    assert finding.severity is Severity.ERROR
    assert said in finding.what
    with pytest.raises(UnsupportedModelError, match=r"model store|activations"):
        refuse_errors([finding])


def test_an_arena_may_be_small_where_the_heap_is_not():
    assert board_findings(relu(1 << 14), 1000, board(psram=8 << 20, internal=1 << 18)) == ()


def test_an_engine_that_is_not_built_in_is_named():
    (finding,) = board_findings(relu(8), 1000, board(), Engine.ESPDL)
    assert "'espdl'" in finding.what
    assert "reference" in finding.hint


@pytest.mark.parametrize(
    ("version", "missing"),
    [
        ("3.3.9", []),
        ("v3.3.5", ["RMSNormalization"]),
        ("3.1.0 (abc)", ["RMSNormalization", "Swish"]),
        ("unknown", []),
    ],
)
def test_operators_that_the_boards_release_lacks_are_errors(version, missing):
    values = [models.value(name, (1, 16)) for name in "xyzw"]
    found = models.model(
        [
            models.node("Swish", ["x"], ["y"]),
            models.node("Swish", ["y"], ["z"]),
            models.node("RMSNormalization", ["z"], ["w"]),
        ],
        values,
    )
    told = board_findings(found, 1000, board(espdl=version))
    assert sorted(finding.op_type for finding in told) == missing
    assert board_findings(found, 1000, board(espdl=version), Engine.REFERENCE) == ()


def test_releases_are_told_of_operators_that_exist():
    assert set(FIRST_RELEASE) <= set(OPERATORS)


def test_slow_layers_say_what_they_cost():
    from espdl_hil.analysis import preflight

    lowered = models.gemm(np.ones((16, 24), dtype=np.int8), S3)
    notes = [one.what for one in preflight(lowered, S3) if one.severity is Severity.NOTE]
    assert any("(100% of the model's multiply-accumulates)" in what for what in notes)
    assert any(what.startswith("100% of the model's") for what in notes)
