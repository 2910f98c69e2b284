"""Corrected biases take back what rounded weights add on average, where a model gains by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper

from espdl_hil.frontend.evaluate import FloatModel
from espdl_hil.frontend.onnx_import import import_onnx
from espdl_hil.ir.graph import QuantModel
from espdl_hil.ir.types import QuantParams
from espdl_hil.passes import simplify
from espdl_hil.pipeline import quantize
from espdl_hil.quantizer import QuantizeConfig, channel_means, corrected, corrected_nodes
from espdl_hil.targets import target_named
from tests.support.onnx_models import model_of

P4 = target_named("esp32p4")
LAYERS = {
    "conv": "g (float[1,6,7,7] x, float[4,6,3,3] w, float[4] b) => (float y) { y = Conv(x, w, b) }",
    "depthwise": "g (float[1,6,7,7] x, float[6,1,3,3] w, float[6] b) => (float y)"
    " { y = Conv<group = 6>(x, w, b) }",
    "gemm": "g (float[1,9] x, float[4,9] w, float[4] b) => (float y)"
    " { y = Gemm<transB = 1>(x, w, b) }",
}


def rounded(graph, exponent: int):
    """The graph with weights rounded to steps of ``2**exponent``, and a model that says so."""
    (node,) = corrected_nodes(graph)
    weights = node.inputs[1]
    quant = QuantModel(graph, {}, {(node.name, 1): QuantParams((exponent,), 8)}, {node.name: 8})
    coarse = np.clip(np.rint(graph.constants[weights] / 2.0**exponent), -128, 127) * 2.0**exponent
    return quant, {**graph.constants, weights: coarse.astype(np.float32)}


@given(st.integers(0, 2**32), st.sampled_from(sorted(LAYERS)), st.integers(-6, -1))
def test_a_corrected_layer_has_the_mean_of_the_real_one(seed, name, exponent):
    graph = simplify(import_onnx(model_of(LAYERS[name], seed=seed % 97).SerializeToString()))
    rng = np.random.default_rng(seed)
    shape = graph.types["x"].shape
    # Constant over each picture: then borders do not see another mean than the rest.
    levels = rng.uniform(0.2, 1.0, (5, *shape[:2], *[1] * (len(shape) - 2)))
    samples = [{"x": np.broadcast_to(one, shape).astype(np.float32)} for one in levels]
    quant, coarse = rounded(graph, exponent)
    means = channel_means(graph, FloatModel(graph, ["x"]).run, samples)
    repaired = corrected(quant, means)

    def average(one):
        run = FloatModel(one).run
        axes = (0, 1, *range(3, len(shape) + 1))
        return np.stack([run(sample)[graph.outputs[0]] for sample in samples]).mean(axis=axes)

    both = {**coarse, **{k: v for k, v in repaired.constants.items() if v.ndim == 1}}
    np.testing.assert_allclose(
        average(replace(graph, constants=both)), average(graph), rtol=1e-4, atol=1e-4
    )
    assert repaired.types == graph.types


def offset_network():
    """Inputs far from zero, weights that all round the same way: an offset in every channel."""
    model = model_of(
        "g (float[1,64] x, float[16,64] w, float[16] b, float[4,16] w2, float[4] b2) => (float y)"
        " { h = Gemm<transB = 1>(x, w, b) y = Gemm<transB = 1>(h, w2, b2) }"
    )
    for tensor in model.graph.initializer:
        if tensor.name == "w":
            array = numpy_helper.to_array(tensor)
            coarse = 2.0 ** np.floor(np.log2(np.abs(array).max() / 127))
            lifted = (np.rint(array / coarse) + 0.4) * coarse
            tensor.CopyFrom(numpy_helper.from_array(lifted.astype(np.float32), "w"))
    rng = np.random.default_rng(4)
    return model.SerializeToString(), {"x": rng.uniform(0.5, 1, (12, 1, 64)).astype(np.float32)}


def test_a_model_that_gains_says_so_and_one_that_need_not_stays_as_it_is():
    data, samples = offset_network()
    plain = quantize(data, QuantizeConfig(P4, bias_correction=False), samples, compare=8)
    better = quantize(data, QuantizeConfig(P4), samples, compare=8)
    assert better.model.metadata["bias_correction"] == "calibration"
    assert "bias_correction" not in plain.model.metadata
    assert better.quality[0].sqnr_db > plain.quality[0].sqnr_db + 0.5
    wide = quantize(data, QuantizeConfig(P4, 16), samples)
    assert "bias_correction" not in wide.model.metadata


@pytest.mark.parametrize("target", ["esp32s3", "esp32p4"])
def test_random_samples_correct_nothing(target):
    data, _ = offset_network()
    made = quantize(data, QuantizeConfig(target_named(target), random_samples=4))
    assert "bias_correction" not in made.model.metadata
