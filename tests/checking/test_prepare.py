"""Files made ready for a board: what the preflight refuses, and running it all the same."""

from __future__ import annotations

import pytest

from espdl_hil import espdl
from espdl_hil.checking import Checker
from espdl_hil.errors import UnsupportedModelError
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, ValueInfo
from espdl_hil.ir.types import DType
from espdl_hil.targets import target_named

TARGET = target_named("esp32p4")


def doubled_on_the_way() -> bytes:
    """A copy between two exponents, as an upstream exporter writes it behind InsertZeros."""
    values = {
        name: ValueInfo(name, DType.INT8, (4,), (exponent,))
        for name, exponent in (("x", 1), ("y", 2))
    }
    nodes = (LoweredNode("copy", "Identity", ("x",), ("y",), {}),)
    return espdl.write(LoweredModel("m", nodes, ("x",), ("y",), values, {}))


def test_what_computes_something_else_than_it_means_is_taken_only_without_preflight(tmp_path):
    path = tmp_path / "m.espdl"
    path.write_bytes(doubled_on_the_way())
    with pytest.raises(UnsupportedModelError, match="different exponents"):
        Checker().take(path, TARGET)
    prepared = Checker().take(path, TARGET, preflight=False)
    assert not prepared.preflight
    assert prepared.simulator.run(prepared.vectors[-1].inputs)["y"].shape == (4,)
