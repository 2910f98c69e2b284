"""A trained recurrent network with attention keeps its accuracy in integers."""

from __future__ import annotations

import numpy as np
import pytest

from espdl_hil.frontend.evaluate import FloatModel
from espdl_hil.lowering import to_real, to_stored
from espdl_hil.pipeline import quantize, read_graph
from espdl_hil.quantizer import QuantizeConfig
from espdl_hil.simulator import Simulator
from espdl_hil.targets import target_named
from tests.support.golden import shared

SAMPLES = 60
MOST_LOST = 1  # predictions of those samples


def trained():
    folder = shared() / "bench"
    if not (folder / "gru_attn.onnx").is_file():
        pytest.skip("the trained networks are not among the shared data")
    calibration = np.load(folder / "gru_attn.calib.npz")["x"].astype(np.float32)
    held_out = np.load(folder / "gru_attn.eval.npz")
    return folder / "gru_attn.onnx", calibration, held_out["x"][:SAMPLES], held_out["y"][:SAMPLES]


@pytest.mark.parametrize(("target", "bits"), [("esp32s3", 8), ("esp32p4", 8), ("esp32p4", 16)])
def test_a_gru_with_attention_keeps_its_accuracy(target, bits):
    path, calibration, pictures, labels = trained()
    chip = target_named(target)
    float_model = FloatModel(read_graph(path)[0])
    model = quantize(path, QuantizeConfig(chip, bits), {"x": calibration}).model
    simulator = Simulator(model, chip)
    (name,) = model.outputs
    right = kept = 0
    for picture, label in zip(pictures.astype(np.float32), labels, strict=True):
        sample = picture.reshape(calibration.shape[1:])
        if sample.ndim == 2:
            sample = sample[None]
        right += int(float_model.run({"x": sample})[name].argmax() == label)
        found = simulator.run({"x": to_stored(model, "x", sample, chip)})[name]
        kept += int(to_real(model, name, found).argmax() == label)
    assert right > 0.9 * SAMPLES
    assert kept >= right - MOST_LOST
