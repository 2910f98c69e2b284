"""Functions and normalizations are found however they are written, and nothing else is."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espdl_hil import espdl
from espdl_hil.calibration.observers import Observer
from espdl_hil.errors import UnsupportedModelError
from espdl_hil.frontend.evaluate import FloatModel
from espdl_hil.frontend.onnx_import import import_onnx
from espdl_hil.lowering import to_real, to_stored
from espdl_hil.passes import PASSES, simplify
from espdl_hil.pipeline import quantize
from espdl_hil.quantizer import QuantizeConfig, WeightRange
from espdl_hil.simulator import Simulator
from espdl_hil.targets import target_named
from tests.passes.patterns import FUNCTIONS, LEFT_ALONE, NORMALIZATIONS
from tests.support.onnx_models import inputs_of, model_of

ALL = {**FUNCTIONS, **NORMALIZATIONS, **LEFT_ALONE}


def kinds_of(body, opset=18):
    graph = simplify(import_onnx(model_of(body, opset=opset).SerializeToString()))
    return [node.op.op_type for node in graph.nodes]


def float_outputs(data, sample):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, sample), strict=True))


@pytest.mark.parametrize("name", ALL)
def test_each_pass_keeps_the_outputs_of_the_users_model(name):
    model = model_of(ALL[name][0])
    data = model.SerializeToString()
    sample = {key: 3.0 * array[0] for key, array in inputs_of(model, 1).items()}
    expected = float_outputs(data, sample)
    graph = import_onnx(data)
    for rewrite in PASSES:
        graph = rewrite(graph)
        found = FloatModel(graph).run(sample)
        for output, array in expected.items():
            np.testing.assert_allclose(found[output], array, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", ALL)
def test_patterns_become_what_the_board_has(name):
    body, nodes = ALL[name]
    assert kinds_of(body) == nodes


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("target", ["esp32", "esp32s3", "esp32p4"])
@pytest.mark.parametrize("name", {**FUNCTIONS, **NORMALIZATIONS})
def test_fused_results_are_near_the_users_model(name, target, bits):
    model = model_of(ALL[name][0])
    data, samples, chip = model.SerializeToString(), inputs_of(model, 4), target_named(target)
    config = QuantizeConfig(chip, bits, Observer.MINMAX, WeightRange.MINMAX)
    lowered = espdl.read(espdl.write(quantize(data, config, samples).model))
    # Normalizations also round their scale and bias; the nearest entry of an int16 table lies some
    # steps of the input away.
    step = 2.0 ** lowered.values["y"].exponent
    if bits == 16:
        step = max(step, 2.0 ** lowered.values["x"].exponent)
    allowed = {8: 1.01, 16: 10.0} if name in FUNCTIONS else {8: 3.0, 16: 40.0}
    if "Clip" in ALL[name][1]:
        allowed = {8: 2.01, 16: 2.01}
    for index in range(4):
        stored = {key: to_stored(lowered, key, a[index], chip) for key, a in samples.items()}
        real = {key: to_real(lowered, key, array) for key, array in stored.items()}
        found = to_real(lowered, "y", Simulator(lowered, chip).run(stored)["y"])
        error = np.abs(found - float_outputs(data, real)["y"]).max()
        assert error <= allowed[bits] * step


FIXED = ("Abs", "Atan", "Ceil", "Cos", "Erf", "Floor", "Round", "Sign", "Sin", "Softplus")
FIXED += ("Softsign", "Sinh", "Asinh", "Cosh", "Mish", "Reciprocal")
WITH_PARAMETER = ("Celu", "Selu", "ThresholdedRelu", "Shrink")
NAMES = {"Celu": "alpha", "Selu": "alpha", "ThresholdedRelu": "alpha", "Shrink": "lambd"}
STEEP = ("Ceil", "Floor", "Round", "Sign", "Reciprocal", "ThresholdedRelu", "Shrink")


def function_of(kind, parameter=None):
    attribute = f"<{NAMES[kind]} = {parameter}>" if parameter else ""
    return f"g (float[1,64] x) => (float y) {{ y = {kind}{attribute}(x) }}"


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from([*FIXED, *WITH_PARAMETER]),
    parameter=st.sampled_from([None, 0.25, 0.5, 1.0, 2.0]),
    scale=st.sampled_from([0.5, 2.0, 8.0]),
    target=st.sampled_from(["esp32", "esp32s3", "esp32p4"]),
)
def test_a_function_without_a_kernel_is_exact_in_int8(kind, parameter, scale, target):
    body = function_of(kind, parameter if kind in WITH_PARAMETER else None)
    model = model_of(body, opset=18)
    chip = target_named(target)
    samples = {key: array * scale for key, array in inputs_of(model, 3).items()}
    config = QuantizeConfig(chip, 8, Observer.MINMAX, WeightRange.MINMAX)
    lowered = espdl.read(espdl.write(quantize(model.SerializeToString(), config, samples).model))
    assert [node.op_type for node in lowered.nodes] == ["LUT"]
    step = 2.0 ** lowered.values["y"].exponent
    for sample in samples["x"]:
        stored = {"x": to_stored(lowered, "x", sample, chip)}
        real = {"x": to_real(lowered, "x", stored["x"])}
        found = to_real(lowered, "y", Simulator(lowered, chip).run(stored)["y"])
        wanted = float_outputs(model.SerializeToString(), real)["y"]
        saturated = np.clip(wanted, -128 * step, 127 * step)  # a pole, for one
        assert np.abs(found - saturated).max() <= 0.51 * step


@pytest.mark.parametrize("kind", sorted({*FIXED, *WITH_PARAMETER} - set(STEEP)))
def test_a_smooth_function_is_a_fine_table_in_int16(kind):
    model = model_of(function_of(kind))
    chip, samples = target_named("esp32p4"), inputs_of(model, 3)
    config = QuantizeConfig(chip, 16, Observer.MINMAX, WeightRange.MINMAX)
    lowered = quantize(model.SerializeToString(), config, samples).model
    (table,) = (tensor for name, tensor in lowered.parameters.items() if "lut" in name.lower())
    assert 257 <= table.array().size <= 8193
    stored = {"x": to_stored(lowered, "x", samples["x"][0], chip)}
    wanted = float_outputs(model.SerializeToString(), {"x": to_real(lowered, "x", stored["x"])})[
        "y"
    ]
    found = to_real(lowered, "y", Simulator(lowered, chip).run(stored)["y"])
    noise = np.sum((found - wanted).astype(np.float64) ** 2)
    assert 10.0 * np.log10(np.sum(wanted.astype(np.float64) ** 2) / noise) > 60.0


@pytest.mark.parametrize("kind", ["Floor", "Round", "Sign", "Reciprocal"])
def test_a_function_with_jumps_or_poles_is_refused_in_int16(kind):
    model = model_of(function_of(kind))
    config = QuantizeConfig(target_named("esp32p4"), 16)
    with pytest.raises(UnsupportedModelError, match=rf"{kind}(.|\n)*int8"):
        quantize(model.SerializeToString(), config, inputs_of(model, 3))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "g (float[1,9] x) => (float y, int64 i) <int64[1] k = {3}> { y, i = TopK(x, k) }",
            "let the application do it",
        ),
        ("g (float[1,9] x) => (float y) { y = LRN<size = 3>(x) }", "BatchNormalization"),
        ('g (float[1,3,3] x) => (float y) { y = Einsum<equation = "bii->bi">(x) }', "MatMul"),
    ],
)
def test_what_cannot_be_rewritten_is_refused_with_a_hint(body, reason):
    model = model_of(body)
    config = QuantizeConfig(target_named("esp32p4"), random_samples=2)
    with pytest.raises(UnsupportedModelError, match=reason):
        quantize(model.SerializeToString(), config)
