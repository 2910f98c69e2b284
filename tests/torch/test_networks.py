"""Further networks go through whole, from torch to integers that both engines agree on."""

from __future__ import annotations

import functools

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from torch import nn  # noqa: E402

from espdl_hil import espdl  # noqa: E402
from espdl_hil.errors import UnsupportedModelError  # noqa: E402
from espdl_hil.frontend.torch_import import export_module  # noqa: E402
from espdl_hil.pipeline import quantize  # noqa: E402
from espdl_hil.quantizer import QuantizeConfig  # noqa: E402
from espdl_hil.simulator import Simulator  # noqa: E402
from espdl_hil.targets import target_named  # noqa: E402
from tests.support.reference_engine import ReferenceEngine  # noqa: E402
from tests.torch import networks  # noqa: E402
from tests.torch.test_exports import worst_sqnr_db  # noqa: E402

PICTURE = (1, 3, 32, 32)
SEQUENCE = (1, 12, 32)
NETWORKS = {
    networks.VisionTransformer: PICTURE,
    networks.Causal: SEQUENCE,
    networks.ShiftedWindows: (1, 8, 8, 16),
    networks.ConvNext: (1, 16, 12, 12),
    networks.UNet: (1, 1, 16, 16),
    networks.ShuffleNet: PICTURE,
    networks.SqueezeNet: PICTURE,
    networks.PlainRecurrent: (1, 20, 10),
    networks.Normalized: (1, 3, 12, 12),
}
BY_BOTH = (networks.Causal, networks.PlainRecurrent, networks.Normalized)
"""Those whose exports differ most between the exporters; ``test_exports`` has the rest."""

LOWEST_SQNR_DB = {8: 22.0, 16: 50.0}


@functools.cache
def exported(make, dynamo=False):
    torch.manual_seed(7)
    module, shape = make(), NETWORKS.get(make, (1, 16, 8, 8))
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0.0, 0.3)
            part.running_var.uniform_(0.5, 1.5)
    data = export_module(module.eval(), [shape], names=["x"], dynamo=dynamo)
    rng = np.random.default_rng(11)
    return data, rng.standard_normal((6, *shape)).astype(np.float32)


@pytest.mark.parametrize(("target", "bits"), [("esp32p4", 8), ("esp32s3", 8), ("esp32p4", 16)])
@pytest.mark.parametrize("make", NETWORKS)
def test_a_network_keeps_its_signal(make, target, bits):
    assert worst_sqnr_db(*exported(make), target, bits) > LOWEST_SQNR_DB[bits]


@pytest.mark.parametrize("make", BY_BOTH)
def test_the_newer_exporter_gives_as_good_a_network(make):
    assert worst_sqnr_db(*exported(make, dynamo=True), "esp32p4", 8) > LOWEST_SQNR_DB[8]


@pytest.mark.parametrize("target", ["esp32p4", "esp32s3"])
@pytest.mark.parametrize("make", NETWORKS)
def test_the_c_engine_computes_the_simulators_integers(make, target):
    data, samples = exported(make)
    chip = target_named(target)
    model = quantize(data, QuantizeConfig(chip), {"x": samples[:2]}).model
    simulated = Simulator(model, chip).run(keep="all")
    for output in ReferenceEngine(espdl.write(model), chip).run_test_inputs():
        wanted = simulated[output.value].ravel()
        if wanted.dtype.kind == "f":
            np.testing.assert_allclose(output.array.ravel(), wanted, rtol=0, atol=2e-5)
        else:
            np.testing.assert_array_equal(output.array.ravel(), wanted)


def test_an_end_to_end_detector_is_cut_in_front_of_its_choice():
    data, samples = exported(networks.EndToEnd)
    config = QuantizeConfig(target_named("esp32p4"))
    with pytest.raises(UnsupportedModelError, match=r"TopK(.|\n)*outputs="):
        quantize(data, config, {"x": samples})
    graph = onnx.load_model_from_string(data).graph
    (split,) = (node for node in graph.node if "/Split_1" in node.name)
    result = quantize(data, config, {"x": samples}, outputs=list(split.output), compare=3)
    assert result.model.outputs == tuple(split.output)
    assert min(quality.sqnr_db for quality in result.quality) > LOWEST_SQNR_DB[8]


def test_torchs_fused_attention_is_spelled_out_and_then_back():
    assert torch.backends.mha.get_fastpath_enabled()
    exported(networks.VisionTransformer)
    assert torch.backends.mha.get_fastpath_enabled()
