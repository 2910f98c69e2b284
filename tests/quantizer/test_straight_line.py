"""From ONNX to integers and back: every operator, target and width against ONNX Runtime."""

from __future__ import annotations

import functools

import numpy as np
import onnxruntime
import pytest

from espdl_hil import espdl
from espdl_hil.calibration.observers import Observer
from espdl_hil.ir.types import DType
from espdl_hil.lowering import to_real, to_stored
from espdl_hil.pipeline import Quantized, quantize
from espdl_hil.quantizer import QuantizeConfig, WeightRange
from espdl_hil.simulator import Simulator
from espdl_hil.targets import target_named
from tests.quantizer.cases import EXACT, INT8_ONLY, PRODUCTS
from tests.support.onnx_models import inputs_of, model_of
from tests.support.reference_engine import ReferenceEngine

SAMPLES = 4
TARGETS = ("esp32", "esp32s3", "esp32p4")
FLOAT_STEP = -17  # the board's expf and division differ by a few units in the last place
WORST_SQNR_DB = {8: 25.0, 16: 65.0}


@functools.cache
def quantized(body: str, target: str, bits: int, opset: int = 18) -> tuple[bytes, Quantized, dict]:
    """The model and its samples; ranges without saturation, so that steps bound the error."""
    data = model_of(body, opset=opset).SerializeToString()
    samples = inputs_of(model_of(body, opset=opset), SAMPLES)
    config = QuantizeConfig(target_named(target), bits, Observer.MINMAX, WeightRange.MINMAX)
    return data, quantize(data, config, samples), samples


def outcomes(data: bytes, result: Quantized, samples: dict):
    """``(name, simulated, float)`` per sample and output; the float model gets what fits int."""
    target = result.config.target
    model = espdl.read(espdl.write(result.model))
    simulator = Simulator(model, target)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options)
    names = [output.name for output in session.get_outputs()]
    for index in range(SAMPLES):
        stored = {name: to_stored(model, name, a[index], target) for name, a in samples.items()}
        real = {name: to_real(model, name, array) for name, array in stored.items()}
        simulated = simulator.run(stored)
        for name, expected in zip(names, session.run(names, real), strict=True):
            yield name, to_real(model, name, simulated[name]), expected


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case", EXACT)
def test_results_are_within_one_step_of_float(case, target, bits):
    data, result, samples = quantized(EXACT[case], target, bits)
    for name, simulated, expected in outcomes(data, result, samples):
        info = result.model.values[name]
        step = 2.0 ** (FLOAT_STEP if info.dtype is DType.FLOAT else info.exponent)
        assert simulated.shape == expected.shape
        assert np.abs(simulated - expected).max() <= 1.01 * step


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case", INT8_ONLY)
def test_int8_only_operators_are_written_in_others_in_int16(case, target):
    for bits, steps in ((8, 1.01), (16, 2.01)):
        data, result, samples = quantized(INT8_ONLY[case], target, bits)
        for name, simulated, expected in outcomes(data, result, samples):
            step = 2.0 ** result.model.values[name].exponent
            assert np.abs(simulated - expected).max() <= steps * step


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("bits", "steps"), [(8, 1.01), (16, 10.0)])
def test_gelu_is_a_table_in_both_widths(target, bits, steps):
    body = "g (float[1,200] x) => (float y) { y = Gelu(x) }"
    data, result, samples = quantized(body, target, bits, opset=20)
    for name, simulated, expected in outcomes(data, result, samples):
        step = 2.0 ** result.model.values[name].exponent
        # The nearest of the int16 entries lies up to 8 input steps away; the slope is below 1.13.
        assert np.abs(simulated - expected).max() <= steps * step


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case", PRODUCTS)
def test_products_keep_their_signal(case, target, bits):
    data, result, samples = quantized(PRODUCTS[case], target, bits)
    signal = noise = 0.0
    for _, simulated, expected in outcomes(data, result, samples):
        assert simulated.shape == expected.shape
        signal += float(np.sum(expected.astype(np.float64) ** 2))
        noise += float(np.sum((simulated.astype(np.float64) - expected) ** 2))
    assert 10.0 * np.log10(signal / noise) > WORST_SQNR_DB[bits]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case", [*EXACT, *PRODUCTS])
def test_the_c_engine_computes_the_simulators_integers(case, target, bits):
    _, result, _ = quantized({**EXACT, **PRODUCTS}[case], target, bits)
    simulated = Simulator(result.model, result.config.target).run(keep="all")
    engine = ReferenceEngine(espdl.write(result.model), result.config.target)
    for output in engine.run_test_inputs():
        wanted = simulated[output.value]
        if wanted.dtype.kind == "f":
            np.testing.assert_allclose(output.array.ravel(), wanted.ravel(), rtol=0, atol=2e-5)
        else:
            np.testing.assert_array_equal(output.array.ravel(), wanted.ravel())


@pytest.mark.parametrize("case", [*EXACT, *PRODUCTS])
def test_equal_models_give_equal_bytes(case):
    body = {**EXACT, **PRODUCTS}[case]
    first = quantized(body, "esp32p4", 8)[1].model
    second = quantized.__wrapped__(body, "esp32p4", 8)[1].model
    data = espdl.write(first)
    assert data == espdl.write(second)
    assert espdl.read(data) == first


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case", [*EXACT, *PRODUCTS])
def test_every_node_and_value_says_what_the_runtime_reads(case, target):
    model = quantized({**EXACT, **PRODUCTS}[case], target, 8)[1].model
    names = [node.name for node in model.nodes]
    assert len(set(names)) == len(names)
    known = {*model.inputs, *model.parameters}
    for node in model.nodes:
        assert node.attributes["quant_type"].value in ("S8", "S16", "F32")
        for value in filter(None, node.inputs):
            assert value in known, "nodes stand in execution order"
        known.update(node.outputs)
        assert all(output in model.values for output in node.outputs)
    assert {*model.inputs, *model.outputs} <= set(model.values)
    assert {tensor.name for tensor in model.test_inputs} == set(model.inputs)
    assert {tensor.name for tensor in model.test_outputs} == set(model.outputs)
    assert model.metadata["target"] == target
    for value in model.values.values():
        assert all(-30 <= exponent <= 30 for exponent in value.exponents)


@pytest.mark.parametrize(
    ("case", "nodes"),
    [
        ("transpose_in_front", ["MaxPool"]),
        ("transpose_between", ["MaxPool", "Relu"]),
        ("flatten_after_global", ["GlobalAveragePool", "Reshape"]),
        ("squeeze_after_global", ["GlobalAveragePool", "Reshape"]),
        ("pad_value", ["MaxPool", "Pad"]),
        ("slice_after_pool", ["MaxPool", "Slice"]),
        ("add_channels", ["Add"]),
        ("swish", ["Swish"]),
        ("conv_batchnorm", ["Conv"]),
        ("batchnorm_alone", ["Conv"]),
        ("matmul_bias", ["Gemm"]),
        ("conv_same", ["Conv"]),
        ("conv_flatten_gemm", ["Conv", "Reshape", "Gemm"]),
        ("conv_flatten_matmul", ["Conv", "Reshape", "Gemm"]),
        ("hard_swish_parts", ["HardSwish"]),
        ("dropout", ["Relu"]),
        ("only_identity", ["Identity"]),
        ("inverted_residual", ["Conv", "Clip", "Conv", "Clip", "Conv", "Add"]),
    ],
)
def test_no_node_is_inserted_that_bytes_do_not_need(case, nodes):
    model = quantized({**EXACT, **PRODUCTS}[case], "esp32p4", 8)[1].model
    kinds = [node.op_type for node in model.nodes if node.op_type != "RequantizeLinear"]
    assert kinds == nodes
