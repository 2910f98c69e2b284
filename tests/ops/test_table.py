"""Functions of one value: tables, the float path, and the tables that exporters make."""

from __future__ import annotations

import numpy as np
import pytest

from espdl_hil.errors import ModelError
from espdl_hil.espdl import read_file
from espdl_hil.ir.attributes import Attributes
from espdl_hil.ir.lowered import Tensor
from espdl_hil.numerics import quantize
from espdl_hil.ops import OPERATORS
from espdl_hil.targets import target_named
from tests.ops.nodes import simulate_node
from tests.support import golden

EVERY_INT8 = np.arange(-128, 128, dtype=np.int8)


def test_an_int8_table_is_indexed_from_the_most_negative_value() -> None:
    entries = np.random.default_rng(1).integers(-128, 128, 256).astype(np.int8)
    table = Tensor.of("table", entries, exponents=(-7,))
    got = simulate_node(
        "esp32", "Sigmoid", {"x": (EVERY_INT8, -4)}, (np.int8, -7), (table,), lut="table"
    )
    np.testing.assert_array_equal(got, entries)


@pytest.mark.parametrize(("target", "index"), [("esp32", 2), ("esp32s3", 2), ("esp32p4", 2)])
def test_an_int16_table_gives_the_nearest_entry_and_ties_by_the_targets_rounding(
    target: str, index: int
) -> None:
    table = Tensor.of("table", np.arange(257, dtype=np.int16), exponents=(0,))
    tie_below_odd, tie_below_even = -32768 + 128, -32768 + 256 + 128
    x = np.array([-32768, tie_below_odd - 1, tie_below_odd, tie_below_even, 32767], np.int16)
    got = simulate_node(target, "Gelu", {"x": (x, 0)}, (np.int16, 0), (table,), lut="table")
    first_tie = 0 if target == "esp32p4" else 1
    assert got.tolist() == [0, 0, first_tie, index, 256]


def test_int16_activations_compute_and_leave_their_table_alone() -> None:
    table = Tensor.of("table", np.zeros(257, dtype=np.int16), exponents=(-15,))
    x = np.array([0, 4096, -4096], dtype=np.int16)
    got = simulate_node("esp32", "Sigmoid", {"x": (x, -12)}, (np.int16, -15), (table,), lut="table")
    expected = np.floor(32768 / (1 + np.exp(-x / 4096.0)) + 0.5)
    assert np.abs(got - expected).max() <= 1
    assert got[0] == 16384


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        (Tensor.of("other", np.zeros(256, np.int8), exponents=(-7,)), "is not in the file"),
        (Tensor.of("table", np.zeros(256, np.int8), exponents=(-6,)), "exponent"),
        (Tensor.of("table", np.zeros(255, np.int8), exponents=(-7,)), "256 entries"),
        (Tensor.of("table", np.zeros(257, np.int16), exponents=(-7,)), "int16"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(table: Tensor, complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        simulate_node(
            "esp32", "Relu", {"x": (EVERY_INT8, -4)}, (np.int8, -7), (table,), lut="table"
        )


def test_gelu_without_a_table_is_refused() -> None:
    with pytest.raises(ModelError, match="only with a table"):
        simulate_node("esp32", "Gelu", {"x": (EVERY_INT8, -4)}, (np.int8, -4))


def _tables() -> list[tuple[str, str]]:
    """(suite, case) of every int8 golden case of a tabulated operator."""
    found = []
    for suite in ("c_s8", "s3_s8", "p4_s8", "models_c_s8", "models_p4_s8"):
        try:
            for case in golden.cases(suite):
                if any(op in OPERATORS and OPERATORS[op].traits.tabulates for op in case.ops):
                    found.append((suite, case.name))
        except pytest.skip.Exception:
            return []
    return found


@pytest.mark.parametrize(("suite", "name"), _tables())
def test_evaluating_makes_the_table_that_esp_ppq_wrote(suite: str, name: str) -> None:
    case = next(case for case in golden.cases(suite) if case.name == name)
    model = read_file(case.path)
    rounding = target_named(case.target).rounding
    for node in model.nodes:
        kind = OPERATORS[node.op_type]
        if not kind.traits.tabulates or "lut" not in node.attributes:
            continue
        operator = kind.from_attributes(Attributes(node.name, node.op_type, node.attributes))
        table = model.parameters[str(node.attributes["lut"].value)]
        x = model.values[node.inputs[0]]
        real = np.ldexp(EVERY_INT8.astype(np.float32), x.exponent)
        scaled = np.ldexp(operator.evaluate(real), -table.exponents[0])
        made = quantize(scaled.astype(np.float32), np.int8, rounding)
        np.testing.assert_array_equal(made, table.array().ravel(), err_msg=node.op_type)
