"""Errata of multiply-accumulate kernels: accumulators, biases, shifts, groups, batches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from espdl_hil.ir.types import DType
from espdl_hil.targets import target_named
from tests.analysis.models import gemm
from tests.errata.catalogue import shows
from tests.errata.judges import (
    ALL,
    VECTOR,
    both,
    conv,
    noted,
    pair,
    quantize_keeps,
    quantize_refuses,
    refused,
)

SHIFT = 12


def worked(target: str, channels: int) -> np.ndarray:
    """36 products of 127 * 127, then 12 of 127 * -127, for every output channel."""
    weights = np.full((48, channels), 127, np.int8)
    weights[36:] = -127
    lowered = gemm(weights, target_named(target), exponents={"x": 0, "w": 0, "y": SHIFT})
    return both(lowered, target, {"x": np.full((1, 48), 127, np.int8)})["y"][0]


@shows("20-bit lanes", "tail accumulator")
def test_a_lane_saturates_on_the_way_and_the_tail_channel_of_the_same_layer_does_not():
    assert worked("esp32s3", 17).tolist() == [81] * 16 + [95]
    assert worked("esp32", 17).tolist() == [95] * 17
    assert worked("esp32p4", 17).tolist() == [95] * 17


@shows("tail accumulator")
def test_a_depthwise_layer_has_no_tail():
    lowered = conv((1, 7, 7, 17), (7, 7), 1, (0, 0, SHIFT), group=17)
    weights = lowered.parameters["w"]
    full = np.full(49 * 17, 127, np.int8)
    packed = replace(weights, data=full.tobytes(), dims=(7, 7, 17, 1))
    info = replace(lowered.values["y"], shape=(1, 1, 1, 17))
    lowered = replace(lowered, parameters={"w": packed}, values={**lowered.values, "y": info})
    x = {"x": np.full((1, 7, 7, 17), 127, np.int8)}
    half = {"x": x["x"].copy()}
    half["x"][:, 5:] = -127
    limit = (1 << 19) - 1
    wanted = (limit - 14 * 127 * 127 + (1 << (SHIFT - 1))) >> SHIFT
    assert both(lowered, "esp32s3", half)["y"].ravel().tolist() == [wanted] * 17
    assert (
        both(lowered, "esp32", half)["y"].ravel().tolist()
        == [(21 * 127 * 127 + (1 << (SHIFT - 1))) >> SHIFT] * 17
    )


@shows("20-bit lanes")
def test_quantize_keeps_a_model_out_of_the_lanes_limits():
    body = "g (float[1,64] x, float[64,16] w, float[16] b) => (float y) { y = Gemm(x, w, b) }"
    quantize_keeps(body, "esp32s3")


@shows("cut bias")
@pytest.mark.parametrize(("target", "bits"), [("esp32s3", 8)])
def test_a_bias_beyond_the_lane_is_refused_by_preflight_and_computed_as_the_chip_does(target, bits):
    bias = np.zeros(16)
    bias[15] = 1 << 19
    lowered = gemm(np.ones((4, 16), np.int8), target_named(target), bias=bias)
    noted(lowered, target, "the bias of 1 channel")
    y = both(lowered, target, {"x": np.zeros((1, 4), np.int8)})["y"][0]
    assert y[15] == -128, "524288 is -524288 in 20 bits"
    assert not y[:15].any()


@shows("negative shift")
@pytest.mark.parametrize("target", VECTOR)
@pytest.mark.parametrize("dtype", [DType.INT8, DType.INT16])
def test_a_left_shift_is_refused_where_vectors_compute(target, dtype):
    refused(conv((1, 4, 4, 16), exponents=(-5, -7, -13), dtype=dtype), target, "cannot shift left")


@shows("negative shift")
def test_a_left_shift_is_computed_where_plain_c_computes():
    lowered = conv((1, 3, 3, 1), channels=1, exponents=(-5, -7, -14))
    y = both(lowered, "esp32", {"x": np.full((1, 3, 3, 1), 2, np.int8)})["y"]
    assert y.ravel().tolist() == [18 * 4]


@shows("large shift")
@pytest.mark.parametrize(
    ("target", "shift", "lane"), [("esp32s3", 33, 72), ("esp32s3", 36, 9), ("esp32p4", 34, 36)]
)
def test_a_shift_that_the_register_cannot_hold_is_another_one_and_refused_by_preflight(
    target, shift, lane
):
    lowered = conv((1, 3, 3, 16), channels=17, exponents=(-20, -20, shift - 40))
    y = both(lowered, target, {"x": np.ones((1, 3, 3, 16), np.int8)})["y"].ravel()
    assert y.tolist() == [lane] * 16 + [0], "144 by the low five bits; the tail is right"
    noted(lowered, target, "does not fit the shift register")


@shows("large shift")
@pytest.mark.parametrize(("target", "shift"), [("esp32s3", 32), ("esp32p4", 31)])
def test_the_largest_shift_that_the_register_holds_is_right(target, shift):
    lowered = conv((1, 3, 3, 16), channels=17, exponents=(-20, -20, shift - 40))
    y = both(lowered, target, {"x": np.full((1, 3, 3, 16), 127, np.int8)})["y"]
    assert not y.any()


@shows("negative shift", "large shift")
@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("scale", [1e-7, 1e5])
def test_quantize_chooses_exponents_that_shift_as_the_kernels_can(target, scale):
    body = (
        "g (float[1,8,6,6] x, float[16,8,3,3] w, float s) => (float y)"
        f" <float s = {{{scale}}}> {{ t = Mul(w, s) y = Conv(x, t) }}"
    ).replace(", float s)", ")")
    lowered = quantize_keeps(body, target)
    (layer,) = [item for item in lowered.nodes if item.op_type == "Conv"]
    e_x = lowered.values[layer.inputs[0]].exponent
    e_y = lowered.values[layer.outputs[0]].exponent
    shifts = [e_y - e_x - e for e in lowered.parameters[layer.inputs[1]].exponents]
    assert min(shifts) >= 0
    assert max(shifts) <= 31


@shows("per-channel weights")
@pytest.mark.parametrize("target", ["esp32", "esp32s3"])
def test_per_channel_weights_are_refused_where_a_null_pointer_would_be_read(target):
    lowered = conv((1, 4, 4, 16), weight_exponents=tuple([-7] * 15 + [-6]))
    refused(lowered, target, "per-channel weights do not exist")
    body = "g (float[1,8,6,6] x, float[16,8,3,3] w) => (float y) { y = Conv(x, w) }"
    made = quantize_keeps(body, target)
    assert all(len(tensor.exponents) == 1 for tensor in made.parameters.values())


@shows("grouped convolution")
@pytest.mark.parametrize("target", ALL)
def test_a_real_grouped_convolution_is_refused_in_files_and_made_dense_by_quantize(target):
    refused(conv((1, 4, 4, 8), channels=8, group=2), target, "group 2 with 8 input")
    body = (
        "g (float[1,8,6,6] x, float[12,4,3,3] w, float[12] b) => (float y)"
        " { y = Conv<group = 2>(x, w, b) }"
    )
    (layer,) = [item for item in quantize_keeps(body, target).nodes if item.op_type == "Conv"]
    assert layer.attributes["group"].value == 1


@shows("batch")
@pytest.mark.parametrize("target", ALL)
def test_a_second_sample_is_refused(target):
    refused(conv((2, 4, 4, 16)), target, "one sample")


@shows("batch")
def test_a_recurrent_layer_of_two_samples_is_refused():
    body = (
        "g (float[9,2,4] x, float[1,16,4] w, float[1,16,4] r) => (float y)"
        " { y = LSTM<hidden_size = 4>(x, w, r) }"
    )
    quantize_refuses(body, "esp32s3", "2 samples|batch|sample")


@shows("Mul left shift")
@pytest.mark.parametrize("target", VECTOR)
def test_a_left_shifted_vector_product_is_refused(target):
    refused(pair("Mul", ((1, 16), (1, 16)), (-5, -5, -11)), target, "shift by -1")
    quantize_keeps("g (float[1,16] x, float[1,16] x2) => (float y) { y = Mul(x, x2) }", target)


@shows("Mul int16")
def test_an_int16_product_is_exact_in_a_vector_and_rounded_to_24_bits_elsewhere():
    a, b = 32767, 16385  # 536887295 + half of 2**15: float32 loses the last bits
    for target, inner, wanted in (
        ("esp32s3", 8, (a * b + (1 << 14)) >> 15),
        ("esp32s3", 7, int(np.floor(np.float32(a * b) / np.float32(1 << 15) + np.float32(0.5)))),
        ("esp32", 8, int(np.floor(np.float32(a * b) / np.float32(1 << 15) + np.float32(0.5)))),
    ):
        lowered = pair("Mul", ((1, inner), (1, inner)), (-15, -15, -15), DType.INT16)
        given = {
            "a": np.full((1, inner), a, np.int16),
            "b": np.full((1, inner), b, np.int16),
        }
        assert set(both(lowered, target, given)["y"].ravel().tolist()) == {wanted}


@shows("fused activations")
@pytest.mark.parametrize("target", ALL)
def test_a_fused_activation_that_is_dead_code_is_refused(target):
    refused(conv((1, 4, 4, 16), activation="LeakyRelu"), target, "LeakyRelu")


@shows("Gemm attributes")
@pytest.mark.parametrize("target", ALL)
def test_factors_and_transposition_move_into_the_constants(target):
    body = (
        "g (float[1,20] x, float[10,20] w, float[10] b) => (float y)"
        " { y = Gemm<alpha = 0.5, beta = 2.0, transB = 1>(x, w, b) }"
    )
    (layer,) = [n for n in quantize_keeps(body, target).nodes if n.op_type == "Gemm"]
    written = {name: layer.attributes[name].value for name in ("alpha", "beta", "transB")}
    assert written == {"alpha": 1.0, "beta": 1.0, "transB": 0}


@shows("native_kn")
@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("channels", [16, 17, 5])
def test_a_run_time_right_side_is_packed_by_the_board(target, channels):
    body = f"g (float[1,6,8] x, float[1,8,{channels}] x2) => (float y) {{ y = MatMul(x, x2) }}"
    lowered = quantize_keeps(body, target)
    (product,) = [item for item in lowered.nodes if item.op_type == "MatMul"]
    written = product.attributes.get("input1_layout")
    assert written is None or written.value == "packed"
