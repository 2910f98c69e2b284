"""Every further operator from ONNX to integers: close to ONNX Runtime, equal in the C engine."""

from __future__ import annotations

import numpy as np
import pytest

from espdl_hil import espdl
from espdl_hil.errors import UnsupportedModelError
from espdl_hil.pipeline import Quantized
from espdl_hil.simulator import Simulator
from tests.quantizer.operator_cases import FORMULAS, LINEAR_RESIZES, MOVES, RECURRENT
from tests.quantizer.test_straight_line import TARGETS, outcomes, quantized
from tests.support.reference_engine import ReferenceEngine

WORST_SQNR_DB = {8: 25.0, 16: 70.0}
RECURRENT_SQNR_DB = 25.0

every_width = pytest.mark.parametrize("bits", [8, 16])
every_target = pytest.mark.parametrize("target", TARGETS)


def sqnr_db(data: bytes, result: Quantized, samples: dict) -> float:
    signal = noise = 0.0
    for _, simulated, expected in outcomes(data, result, samples):
        assert simulated.shape == expected.shape
        signal += float(np.sum(expected.astype(np.float64) ** 2))
        noise += float(np.sum((simulated.astype(np.float64) - expected) ** 2))
    return 10.0 * np.log10(signal / max(noise, 1e-30))


def assert_equal_in_the_c_engine(result: Quantized) -> None:
    simulated = Simulator(result.model, result.config.target).run(keep="all")
    engine = ReferenceEngine(espdl.write(result.model), result.config.target)
    for output in engine.run_test_inputs():
        wanted = simulated[output.value]
        if wanted.dtype.kind == "f":
            np.testing.assert_allclose(output.array.ravel(), wanted.ravel(), rtol=0, atol=2e-5)
        else:
            np.testing.assert_array_equal(output.array.ravel(), wanted.ravel())


@every_width
@every_target
@pytest.mark.parametrize("case", MOVES)
def test_moved_elements_are_the_same_elements(case, target, bits):
    data, result, samples = quantized(MOVES[case], target, bits)
    for _, simulated, expected in outcomes(data, result, samples):
        np.testing.assert_array_equal(simulated, expected)
    assert_equal_in_the_c_engine(result)


@every_width
@every_target
@pytest.mark.parametrize("case", FORMULAS)
def test_formulas_keep_their_signal(case, target, bits):
    data, result, samples = quantized(FORMULAS[case], target, bits)
    assert sqnr_db(data, result, samples) > WORST_SQNR_DB[bits]
    assert_equal_in_the_c_engine(result)


@every_width
@every_target
@pytest.mark.parametrize("case", RECURRENT)
def test_recurrent_layers_keep_their_signal(case, target, bits):
    data, result, samples = quantized(RECURRENT[case], target, bits)
    assert sqnr_db(data, result, samples) > RECURRENT_SQNR_DB
    assert_equal_in_the_c_engine(result)


def test_batch_first_gives_the_bytes_of_time_first():
    # ONNX Runtime knows time first only, so the two exports are held against each other.
    weights = "float[1,16,4] w, float[1,16,4] r) => (float y, float yh)"
    time_first = f"g (float[9,1,4] x, {weights} {{ y, yh = LSTM<hidden_size = 4>(x, w, r) }}"
    batch_first = (
        f"g (float[1,9,4] x, {weights} {{ y, yh = LSTM<hidden_size = 4, layout = 1>(x, w, r) }}"
    )
    one, other = (quantized(body, "esp32p4", 8)[1].model for body in (time_first, batch_first))
    for a, b in zip(one.test_outputs, other.test_outputs, strict=True):
        assert a.data == b.data
        assert a.exponents == b.exponents


@every_target
@pytest.mark.parametrize("case", LINEAR_RESIZES)
def test_a_linear_resize_is_one_node_in_int8_and_products_in_int16(case, target):
    for bits, kind in ((8, "Resize"), (16, "Gemm")):
        data, result, samples = quantized(LINEAR_RESIZES[case], target, bits)
        assert sqnr_db(data, result, samples) > WORST_SQNR_DB[bits]
        assert kind in [node.op_type for node in result.model.nodes]
        assert_equal_in_the_c_engine(result)


REFUSED = {
    "the indices of Gather": "g (float[1,8] x, int64[2] x2) => (float y) { y = Gather(x, x2) }",
    "does not scale the product": "g (float[1,5,6] x, float[2,6] u) => (float y)"
    ' <int64[2,2] i = {0,1,0,2}> { y = ScatterND<reduction = "mul">(x, i, u) }',
    "value of the first run": "g (float[1,1] x, float[1,1] x2) => (float y) { y = Div(x, x2) }",
    "sequence lengths": "g (float[9,1,4] x, float[1,12,4] w, float[1,12,4] r) => (float y)"
    " <int32[1] l = {5}> { y = GRU<hidden_size = 4, linear_before_reset = 1>(x, w, r, , l) }",
    "65 time steps": "g (float[65,1,4] x, float[1,12,4] w, float[1,12,4] r) => (float y)"
    " { y = GRU<hidden_size = 4>(x, w, r) }",
    "activations": "g (float[9,1,4] x, float[1,16,4] w, float[1,16,4] r) => (float y)"
    ' { y = LSTM<hidden_size = 4, activations = ["Relu", "Tanh", "Tanh"]>(x, w, r) }',
    "input 1 of LSTM must be a constant": "g (float[9,1,4] x, float[1,16,4] x2,"
    " float[1,16,4] r) => (float y) { y = LSTM<hidden_size = 4>(x, x2, r) }",
    "tf_crop_and_resize": "g (float[1,3,4,5] x) => (float y) <float[8] r = {0,0,0,0,1,1,1,1},"
    ' float[4] s = {1.0,1.0,2.0,2.0}> { y = Resize<mode = "linear",'
    ' coordinate_transformation_mode = "tf_crop_and_resize">(x, r, s) }',
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_the_board_would_compute_otherwise_is_refused_with_the_reason(reason):
    with pytest.raises(UnsupportedModelError, match=reason):
        quantized(REFUSED[reason], "esp32p4", 8)


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax", "ReduceLogSumExp"])
def test_exponentials_beyond_float32_are_refused_in_int8_and_computed_in_int16(kind):
    body = f"g (float[1,10] x) => (float y) <float c = {{100.0}}> {{ t = Mul(x, c) y = {kind}(t) }}"
    with pytest.raises(UnsupportedModelError, match="overflows"):
        quantized(body, "esp32p4", 8)
    data, result, samples = quantized(body, "esp32p4", 16)
    for _, simulated, _ in outcomes(data, result, samples):
        assert np.isfinite(simulated).all()
