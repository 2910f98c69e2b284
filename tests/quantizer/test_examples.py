"""The shipped example keeps its accuracy on every kind of target, with every observer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from espdl_hil.calibration.observers import Observer
from espdl_hil.frontend.evaluate import FloatModel
from espdl_hil.lowering import to_real, to_stored
from espdl_hil.pipeline import quantize
from espdl_hil.quantizer import QuantizeConfig
from espdl_hil.simulator import Simulator
from espdl_hil.targets import target_named

DIGITS = Path(__file__).resolve().parents[2] / "examples" / "digits_cnn"
WORST_SQNR_DB = {8: 27.0, 16: 70.0}
WORST_DROP = 0.01
COMPARED = 120


@pytest.mark.parametrize("observer", Observer)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("target", ["esp32", "esp32s3", "esp32p4"])
def test_the_digits_keep_their_accuracy(target, bits, observer):
    with np.load(DIGITS / "digits_cnn.calib.npz") as calibration:
        samples = dict(calibration)
    with np.load(DIGITS / "digits_cnn.eval.npz") as held_out:
        images, labels = held_out["image"][:COMPARED], held_out["y"][:COMPARED]
    config = QuantizeConfig(target_named(target), bits, observer)
    result = quantize(DIGITS / "digits_cnn.onnx", config, samples)
    (name,), (output,) = result.model.inputs, result.model.outputs
    simulator = Simulator(result.model, config.target)
    float_model = FloatModel(result.quant.graph)
    real, simulated = [], []
    for image in images:
        sample = image.astype(np.float32).reshape(result.quant.graph.types[name].shape)
        stored = to_stored(result.model, name, sample, config.target)
        found = simulator.run({name: stored})[output]
        simulated.append(to_real(result.model, output, found).ravel())
        real.append(float_model.run({name: sample})[output].ravel())
    noise = np.sum((np.array(real) - simulated) ** 2)
    assert 10 * np.log10(np.sum(np.square(real)) / noise) > WORST_SQNR_DB[bits]
    accuracy = np.mean(np.argmax(simulated, axis=1) == labels)
    assert accuracy >= np.mean(np.argmax(real, axis=1) == labels) - WORST_DROP
