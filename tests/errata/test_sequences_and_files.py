"""Errata of recurrent layers, and of files that a runtime takes although they are not its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from espdl_hil.errors import ConfigError, ModelError
from espdl_hil.espdl import write
from espdl_hil.ir.lowered import Tensor
from espdl_hil.pipeline import resolve_target
from espdl_hil.targets import target_named
from tests.analysis.models import gemm, model, node, value
from tests.errata.catalogue import shows
from tests.errata.judges import ALL, VECTOR, both, noted, quantize_keeps, refused
from tests.support.reference_engine import ReferenceEngine, ReferenceEngineError

HIDDEN = 2


def gru(e_x: int, e_w: int, bias: np.ndarray, size: int = 16, linear: int = 1, weights: int = 127):
    """One step of a GRU whose gates see ``size`` inputs."""
    w = np.full((1, 3 * HIDDEN, size), weights, np.int8)
    r = np.zeros((1, 3 * HIDDEN, HIDDEN), np.int8)
    parameters = (
        Tensor.of("w", w, exponents=(e_w,)),
        Tensor.of("r", r, exponents=(-7,)),
        Tensor.of("b", bias.astype(np.int16).reshape(1, -1), exponents=(-9,)),
    )
    values = [
        value("x", (1, 1, size), e_x),
        value("y", (1, 1, 1, HIDDEN), -7),
        value("h", (1, 1, HIDDEN), -7),
    ]
    item = node(
        "GRU",
        ["x", "w", "r", "b"],
        ["y", "h"],
        hidden_size=HIDDEN,
        linear_before_reset=linear,
        gate_exponent=-9,
        direction="forward",
        layout=0,
    )
    return model([item], values, parameters, None)


@shows("gate tables")
@pytest.mark.parametrize("target", ALL)
def test_gates_are_flat_beyond_their_tables_and_their_sums_wrap(target):
    bias = np.zeros(12 * HIDDEN // 2)
    bias[:HIDDEN] = -32768  # z far below the table: 1 - sigmoid(6.3)
    bias[2 * HIDDEN : 3 * HIDDEN] = 32767  # n far above the table: tanh(3.5)
    x = {"x": np.zeros((1, 1, 16), np.int8)}
    flat = both(gru(-7, -7, bias), target, x)["y"].ravel()
    z = 1 - 1 / (1 + np.exp(-6.3))
    wanted = (1 - z) * np.tanh(3.5) * 128
    assert flat.tolist() == [min(127, int(np.floor(wanted + 0.5)))] * HIDDEN
    ones = {"x": np.ones((1, 1, 16), np.int8)}
    wrapped = both(gru(-2, -7, bias, weights=1), target, ones)["y"].ravel()
    assert (wrapped < 0).all(), "the largest bias plus 16 is negative in int16"


@shows("gate shift")
@pytest.mark.parametrize("target", VECTOR)
def test_a_gate_shift_beyond_31_bits_is_refused(target):
    bias = np.zeros(6 * HIDDEN)
    refused(gru(-20, -21, bias), target, "gate shift by 32")
    both(gru(-20, -20, bias), target, {"x": np.full((1, 1, 16), 127, np.int8)})


@shows("linear_before_reset")
@pytest.mark.parametrize("target", ALL)
def test_a_reset_gate_before_the_product_is_refused_in_files(target):
    refused(gru(-7, -7, np.zeros(6 * HIDDEN), linear=0), target, "linear_before_reset")


@shows("linear_before_reset")
@pytest.mark.parametrize("target", ALL)
def test_quantize_computes_a_reset_gate_before_the_product_by_other_nodes(target):
    body = (
        "g (float[3,1,4] x, float[1,12,4] w, float[1,12,4] r) => (float y)"
        " { y = GRU<hidden_size = 4>(x, w, r) }"
    )
    quantize_keeps(body, target)


@shows("wrong target")
@pytest.mark.parametrize(("made", "run"), [("esp32p4", "esp32s3"), ("esp32", "esp32p4")])
def test_a_file_of_another_chip_is_refused_by_everybody(made, run):
    lowered = gemm(np.ones((16, 16), np.int8), target_named(made))
    chip = target_named(run)
    with pytest.raises((ConfigError, ModelError), match=made):
        resolve_target(lowered, chip)
    with pytest.raises(ReferenceEngineError):
        ReferenceEngine(write(lowered), chip).run({"x": np.zeros((1, 16), np.int8)})
    noted(lowered, run, f"the file is for {made}")


@shows("wrong target")
@pytest.mark.parametrize(("made", "run"), [("esp32", "esp32s3"), ("esp32p4", "esp32")])
def test_a_file_that_names_no_chip_is_known_by_its_filters(made, run):
    lowered = replace(gemm(np.ones((16, 16), np.int8), target_named(made)), metadata={})
    noted(lowered, run, "reads another order")
