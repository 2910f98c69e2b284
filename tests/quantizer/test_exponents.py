"""The rules of exponents that no model may break."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espdl_hil.calibration.observers import Observer
from espdl_hil.pipeline import quantize
from espdl_hil.quantizer import QuantizeConfig, WeightRange
from espdl_hil.quantizer.weights import MacSite, limited_exponents, weight_exponents
from espdl_hil.targets import TARGETS, target_named
from tests.quantizer.cases import EXACT, PRODUCTS
from tests.support.onnx_models import inputs_of, model_of


def quant_of(body, target, bits=8, observer=Observer.KL, **options):
    model = model_of(body, **options)
    config = QuantizeConfig(target_named(target), bits, observer)
    return quantize(model.SerializeToString(), config, inputs_of(model, 4)).quant


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    target=st.sampled_from(TARGETS),
    bits=st.sampled_from([8, 16]),
    seed=st.integers(0, 999),
    given_exponent=st.integers(-12, 3),
    shift_base=st.integers(-10, 6),
    weight_scale=st.floats(1e-6, 1e3),
    bias_scale=st.floats(0.0, 1e4),
    method=st.sampled_from(WeightRange),
)
def test_shift_bias_and_accumulator_fit_whatever_the_weights(
    target, bits, seed, given_exponent, shift_base, weight_scale, bias_scale, method
):
    rng = np.random.default_rng(seed)
    weights = (rng.standard_normal((6, 5)) * weight_scale).astype(np.float32)
    weights[2] = 0.0
    bias = (rng.standard_normal(6) * bias_scale).astype(np.float32)
    site = MacSite(weights, 0, bias, target.per_channel_weights)
    wanted = weight_exponents(site, bits, method)
    chosen = limited_exponents(site, wanted, shift_base, given_exponent, bits, target)
    assert len(chosen) == (6 if target.per_channel_weights else 1)
    shifts = shift_base - chosen
    limited = chosen == -30  # the runtime has no smaller exponent
    assert ((shifts >= 0) | limited).all()
    arithmetic = target.mac[bits]
    longest = min(arithmetic.lane.bits, arithmetic.tail.bits) - bits
    assert (shifts <= longest).all()
    # The bias fits, unless no exponent with a shift of 0 or more would do.
    room = 2.0 ** (arithmetic.bias_bits - 1) * np.exp2(chosen + given_exponent)
    fits = site.bias_peaks() <= room
    assert (fits | (shifts <= 0)).all()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("target", ["esp32", "esp32s3", "esp32p4"])
@pytest.mark.parametrize("case", [*EXACT, *PRODUCTS])
def test_what_kernels_assume_of_exponents_holds_in_every_graph(case, target, bits):
    model = model_of({**EXACT, **PRODUCTS}[case])
    config = QuantizeConfig(target_named(target), bits)
    lowered = quantize(model.SerializeToString(), config, inputs_of(model, 4)).model
    raw = {"Add", "Sub", "Concat", "MaxPool", "Reshape", "Flatten", "Transpose", "Slice", "Pad"}
    for node in lowered.nodes:
        found = {
            name: lowered.values.get(name) or lowered.parameters.get(name)
            for name in (*node.inputs, *node.outputs)
            if name
        }
        result = found[node.outputs[0]].exponents[0]
        data = [found[name] for name in node.inputs[:2] if name and found[name].dtype <= 5]
        if node.op_type in raw:
            assert {value.exponents[0] for value in data} == {result}
        if node.op_type in ("Conv", "Gemm", "MatMul", "Mul", "PRelu"):
            assert all(result - data[0].exponents[0] - e >= 0 for e in data[1].exponents)
        if "lut" in node.attributes:
            assert lowered.parameters[node.attributes["lut"].value].exponents == (result,)


def test_only_targets_that_can_get_one_exponent_per_channel():
    body = PRODUCTS["conv"]
    for target in TARGETS:
        quant = quant_of(body, target.name)
        weights = quant.edges[quant.graph.nodes[0].name, 1]
        bias = quant.edges[quant.graph.nodes[0].name, 2]
        assert len(weights.exponents) == (16 if target.per_channel_weights else 1)
        assert len(bias.exponents) == len(weights.exponents)
        given_exponent = quant.values["x"].exponent
        assert bias.exponents == tuple(given_exponent + e for e in weights.exponents)


def test_what_feeds_only_a_sum_is_produced_with_its_exponent():
    quant = quant_of(PRODUCTS["residual"], "esp32p4")
    conv, add = quant.graph.nodes[0], quant.graph.nodes[1]
    assert quant.values[conv.outputs[0]] == quant.values[add.outputs[0]]
    assert all(node != conv.name or index > 0 for node, index in quant.edges)


def test_a_clip_and_the_convolution_before_it_share_an_exponent():
    quant = quant_of(PRODUCTS["inverted_residual"], "esp32p4")
    conv, clip = quant.graph.nodes[0], quant.graph.nodes[1]
    assert quant.values[conv.outputs[0]] == quant.values[clip.outputs[0]]


@pytest.mark.parametrize("observer", [Observer.MINMAX, Observer.KL])
@pytest.mark.parametrize("case", [*EXACT, *PRODUCTS])
def test_an_edge_is_never_finer_than_its_value(case, observer):
    quant = quant_of({**EXACT, **PRODUCTS}[case], "esp32p4", observer=observer)
    inputs = {node.name: node.inputs for node in quant.graph.nodes}
    for (node, index), wanted in quant.edges.items():
        value = quant.values.get(inputs[node][index])
        assert value is None or wanted.exponent > value.exponent
