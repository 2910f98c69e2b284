"""What has no operator of its own in ESP-DL: near ONNX Runtime, equal in both engines."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from espdl_hil.errors import UnsupportedModelError
from espdl_hil.frontend.evaluate import FloatModel
from espdl_hil.frontend.onnx_import import import_onnx
from espdl_hil.passes import adapt, simplify
from tests.frontend.rewritten import (
    COMPUTED,
    CONDITIONS,
    EXACT,
    MASKED,
    NEWER,
    OLDER,
    RECURRENT,
)
from tests.quantizer.test_every_operator import assert_equal_in_the_c_engine, sqnr_db
from tests.quantizer.test_straight_line import outcomes, quantized
from tests.support.onnx_models import inputs_of, model_of

BODIES = {**EXACT, **COMPUTED, **CONDITIONS, **RECURRENT}
ALL = {name: (18, body) for name, body in BODIES.items()} | NEWER | OLDER
ALL |= {name: (19, ALL[name][1]) for name in ("a dilated mean", "a padding that goes round")}
WIDTHS = [("esp32p4", 8), ("esp32s3", 16)]
WORST_SQNR_DB = {8: 25.0, 16: 65.0}
RECURRENT_SQNR_DB = {8: 18.0, 16: 25.0}  # gates of 1/512 in both widths; each step rounds


@pytest.mark.parametrize("name", ALL)
def test_the_float_graph_computes_what_the_file_says(name):
    opset, body = ALL[name]
    model = model_of(body, opset=opset)
    sample = {key: array[0] for key, array in inputs_of(model, 1).items()}
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    graph = simplify(import_onnx(model.SerializeToString()))
    for bits in (8, 16):
        found = FloatModel(adapt(graph, bits)).run(sample)
        for output, expected in zip(names, session.run(names, sample), strict=True):
            np.testing.assert_allclose(found[output], expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("target", "bits"), WIDTHS)
@pytest.mark.parametrize("name", EXACT)
def test_what_is_moved_or_compared_is_within_a_step(name, target, bits):
    opset, body = ALL[name]
    data, result, samples = quantized(body, target, bits, opset)
    for output, simulated, expected in outcomes(data, result, samples):
        step = 2.0 ** result.model.values[output].exponent
        assert simulated.shape == expected.shape
        assert np.abs(simulated - expected).max() <= 1.01 * step
    assert_equal_in_the_c_engine(result)


@pytest.mark.parametrize(("target", "bits"), WIDTHS)
@pytest.mark.parametrize("name", [*COMPUTED, *NEWER, *OLDER])
def test_what_others_compute_keeps_its_signal(name, target, bits):
    opset, body = ALL[name]
    data, result, samples = quantized(body, target, bits, opset)
    assert sqnr_db(data, result, samples) > WORST_SQNR_DB[bits]
    assert_equal_in_the_c_engine(result)


@pytest.mark.parametrize(("target", "bits"), WIDTHS)
@pytest.mark.parametrize("name", RECURRENT)
def test_layers_over_time_keep_their_signal(name, target, bits):
    data, result, samples = quantized(RECURRENT[name], target, bits)
    assert sqnr_db(data, result, samples) > RECURRENT_SQNR_DB[bits]
    assert_equal_in_the_c_engine(result)


@pytest.mark.parametrize("target", ["esp32", "esp32s3", "esp32p4"])
@pytest.mark.parametrize("name", CONDITIONS)
def test_conditions_and_single_divisors_are_tables_in_int8(name, target):
    data, result, samples = quantized(CONDITIONS[name], target, 8)
    assert sqnr_db(data, result, samples) > WORST_SQNR_DB[8]
    assert_equal_in_the_c_engine(result)


def test_a_condition_that_is_computed_is_refused_in_int16_with_the_reason():
    with pytest.raises(UnsupportedModelError, match=r"int16 table(.|\n)*int8"):
        quantized(CONDITIONS["chosen by a comparison"], "esp32p4", 16)


@pytest.mark.parametrize(("target", "bits"), WIDTHS)
@pytest.mark.parametrize("name", MASKED)
def test_a_mask_of_infinity_hides_and_costs_the_scores_nothing(name, target, bits):
    body = MASKED[name].replace("-inf", "-3.4e38")
    data, result, samples = quantized(body, target, bits)
    assert sqnr_db(data, result, samples) > {8: 28.0, 16: 65.0}[bits]
    for _, simulated, _ in outcomes(data, result, samples):
        assert simulated[..., 1].max() < 1e-4
    assert_equal_in_the_c_engine(result)


def test_a_mask_that_no_softmax_reads_is_refused():
    body = (
        "g (float[1,4] x) => (float y) <float[4] m = {0,-3.4e38,0,0}> { t = Add(x, m) y = Relu(t) }"
    )
    with pytest.raises(UnsupportedModelError, match="in front of a softmax"):
        quantized(body, "esp32p4", 8)
