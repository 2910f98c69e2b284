"""What torch's two exporters write goes through whole: import, passes, integers, simulator."""

from __future__ import annotations

import functools

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from espdl_hil import espdl  # noqa: E402
from espdl_hil.errors import ConfigError, ModelError  # noqa: E402
from espdl_hil.frontend.torch_import import export_module  # noqa: E402
from espdl_hil.lowering import to_real, to_stored  # noqa: E402
from espdl_hil.pipeline import quantize, read_graph  # noqa: E402
from espdl_hil.quantizer import QuantizeConfig  # noqa: E402
from espdl_hil.simulator import Simulator  # noqa: E402
from espdl_hil.targets import target_named  # noqa: E402
from tests.support.reference_engine import ReferenceEngine  # noqa: E402
from tests.torch import blocks  # noqa: E402

PICTURE = (1, 3, 32, 32)
SEQUENCE = (1, 12, 32)
FEATURES = (1, 12)
SAMPLES = 6

MODELS = {
    "mobilenet_v2": (
        lambda: blocks.Classifier(
            blocks.InvertedResidual(16, 48),
            blocks.InvertedResidual(16, 48),
            activation=nn.ReLU6,
        ),
        PICTURE,
    ),
    "mobilenet_v3": (
        lambda: blocks.MeanClassifier(
            blocks.InvertedResidual(16, 48, nn.Hardswish, 5, nn.Hardsigmoid),
            activation=nn.Hardswish,
        ),
        PICTURE,
    ),
    "efficientnet_lite": (
        lambda: blocks.Classifier(
            blocks.InvertedResidual(16, 48, nn.SiLU, 3, nn.Sigmoid), activation=nn.SiLU
        ),
        PICTURE,
    ),
    "resnet": (
        lambda: blocks.Classifier(blocks.Residual(16, 16), blocks.Residual(16, 32, 2)),
        PICTURE,
    ),
    "ds_cnn": (blocks.DepthwiseSpeech, (1, 1, 49, 10)),
    "tcn": (blocks.Temporal, (1, 6, 40)),
    "transformer": (blocks.Transformer, SEQUENCE),
    "transformer_tanh": (lambda: blocks.Transformer(approximate="tanh"), SEQUENCE),
    "detector": (blocks.Detector, PICTURE),
    "box_distribution": (blocks.BoxDistribution, (1, 8, 10, 10)),
    "decoder": (blocks.Decoder, (1, 8, 10, 10)),
    "gru": (lambda: blocks.Recurrent(nn.GRU), (1, 12, 6)),
    "lstm": (lambda: blocks.Recurrent(nn.LSTM), (1, 12, 6)),
    "gru_both_ways": (lambda: blocks.Recurrent(nn.GRU, True), (1, 12, 6)),
    "lstm_both_ways": (lambda: blocks.Recurrent(nn.LSTM, True), (1, 12, 6)),
    "rms_norm": (lambda: blocks.Functions(blocks.RootMeanSquare(24)), FEATURES),
    "l2_norm": (lambda: blocks.Functions(functional.normalize), FEATURES),
    "mish": (lambda: blocks.Functions(functional.mish), FEATURES),
    "softplus": (lambda: blocks.Functions(functional.softplus), FEATURES),
    "selu": (lambda: blocks.Functions(functional.selu), FEATURES),
    "hard_swish_parts": (
        lambda: blocks.Functions(lambda x: x * functional.relu6(x + 3) / 6),
        FEATURES,
    ),
}
LOWEST_SQNR_DB = {8: 28.0, 16: 50.0}
RECURRENT_SQNR_DB = {8: 22.0, 16: 45.0}  # every step rounds what the next one reads
WAYS = [
    (True, "esp32p4", 8),
    (True, "esp32s3", 8),
    (True, "esp32", 8),
    (True, "esp32p4", 16),
    (False, "esp32p4", 8),
    (False, "esp32s3", 8),
]
OLD = {"gelu_opset_16": ("transformer", 16), "gelu_opset_13": ("transformer", 13)}

KINDS = {
    "transformer": {"LayerNormalization": 2, "Gelu": 1, "Softmax": 1},
    "transformer_tanh": {"LayerNormalization": 2, "Gelu": 1, "Softmax": 1},
    "efficientnet_lite": {"Swish": 4, "GlobalAveragePool": 2},
    "mobilenet_v3": {"HardSwish": 4, "HardSigmoid": 1, "GlobalAveragePool": 2},
    "rms_norm": {"RMSNormalization": 1},
    "l2_norm": {"LpNormalization": 1},
    "mish": {"LUT": 1},
    "softplus": {"LUT": 1},
    "hard_swish_parts": {"HardSwish": 1},
}


def module_of(name):
    """The module in evaluation mode, with statistics of batch norms as after training."""
    make, shape = MODELS[name]
    torch.manual_seed(7)
    module = make()
    with torch.no_grad():
        for _ in range(3):
            module(torch.randn(8, *shape[1:]))
    return module.eval(), shape


@functools.cache
def exported(name, dynamo, opset=18):
    module, shape = module_of(name)
    data = export_module(module, [shape], names=["x"], dynamo=dynamo, opset=opset)
    rng = np.random.default_rng(11)
    return data, rng.standard_normal((SAMPLES, *shape)).astype(np.float32)


def reference(data):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options)


def worst_sqnr_db(data, samples, target, bits):
    """The worst output's, against ONNX Runtime on the exported bytes."""
    chip = target_named(target)
    result = quantize(data, QuantizeConfig(chip, bits), {"x": samples})
    model = espdl.read(espdl.write(result.model))
    simulator, session = Simulator(model, chip), reference(data)
    names = [output.name for output in session.get_outputs()]
    signal, noise = np.zeros(len(names)), np.zeros(len(names))
    for sample in samples[:3]:
        found = simulator.run({"x": to_stored(model, "x", sample, chip)})
        for index, expected in enumerate(session.run(None, {"x": sample})):
            real = to_real(model, names[index], found[names[index]])
            assert real.shape == expected.shape
            signal[index] += np.sum(expected.astype(np.float64) ** 2)
            noise[index] += np.sum((real.astype(np.float64) - expected) ** 2)
    return float(np.min(10.0 * np.log10(signal / noise)))


@pytest.mark.parametrize(("dynamo", "target", "bits"), WAYS)
@pytest.mark.parametrize("name", MODELS)
def test_what_torch_exports_keeps_its_signal(name, dynamo, target, bits):
    data, samples = exported(name, dynamo)
    recurrent = name.startswith(("gru", "lstm"))
    lowest = (RECURRENT_SQNR_DB if recurrent else LOWEST_SQNR_DB)[bits]
    assert worst_sqnr_db(data, samples, target, bits) > lowest


@pytest.mark.parametrize("name", OLD)
def test_functions_that_an_older_opset_spells_out_keep_their_signal(name):
    model, opset = OLD[name]
    data, samples = exported(model, False, opset)
    kinds = [node.op.op_type for node in read_graph(data)[0].nodes]
    assert kinds.count("LayerNormalization") == 2
    assert kinds.count("Gelu") == 1
    assert worst_sqnr_db(data, samples, "esp32p4", 8) > LOWEST_SQNR_DB[8]


@pytest.mark.parametrize("dynamo", [False, True], ids=["traced", "dynamo"])
@pytest.mark.parametrize("name", KINDS)
def test_patterns_are_found_in_what_both_exporters_write(name, dynamo):
    graph, refused = read_graph(exported(name, dynamo)[0])
    assert not refused
    kinds = [node.op.op_type for node in graph.nodes]
    assert {kind: kinds.count(kind) for kind in KINDS[name]} == KINDS[name]


@pytest.mark.parametrize("name", MODELS)
def test_the_c_engine_computes_the_simulators_integers(name):
    data, samples = exported(name, True)
    for target in ("esp32p4", "esp32s3"):
        chip = target_named(target)
        model = quantize(data, QuantizeConfig(chip), {"x": samples[:2]}).model
        simulated = Simulator(model, chip).run(keep="all")
        for output in ReferenceEngine(espdl.write(model), chip).run_test_inputs():
            wanted = simulated[output.value].ravel()
            if wanted.dtype.kind == "f":
                np.testing.assert_allclose(output.array.ravel(), wanted, rtol=0, atol=2e-5)
            else:
                np.testing.assert_array_equal(output.array.ravel(), wanted)


def test_a_module_is_quantized_like_its_export_and_comes_back_as_it_was():
    module, shape = module_of("resnet")
    module.train()
    module.stem.eval()
    modes = [part.training for part in module.modules()]
    samples = {"picture": exported("resnet", True)[1]}
    config = QuantizeConfig(target_named("esp32s3"))
    result = quantize(module, config, samples)
    assert [part.training for part in module.modules()] == modes
    again = quantize(export_module(module, [shape], names=["picture"]), config, samples)
    assert espdl.write(result.model) == espdl.write(again.model)
    assert result.model.inputs == ("picture",)


def test_a_module_without_samples_is_refused_with_the_way_out():
    config = QuantizeConfig(target_named("esp32s3"), random_samples=4)
    with pytest.raises(ConfigError, match=r"shapes(.|\n)*export_module"):
        quantize(nn.Linear(3, 4), config)


@pytest.mark.parametrize("dynamo", [False, True])
def test_a_module_that_torch_cannot_export_is_refused_as_a_model(dynamo):
    class Wrong(nn.Module):
        def forward(self, x):
            return torch.matmul(x, torch.zeros(5, 5))

    with pytest.raises(ModelError, match="cannot export"):
        export_module(Wrong(), [(1, 4)], dynamo=dynamo)
