"""The straight line as a handful of functions: the command line and the plugin call these.

The law of this file: it connects stages and holds no logic of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from espdl_hil.calibration.collect import collect
from espdl_hil.calibration.samples import Samples
from espdl_hil.errors import ConfigError
from espdl_hil.ir.graph import QuantModel
from espdl_hil.ir.lowered import LoweredModel, Tensor
from espdl_hil.ir.types import Array
from espdl_hil.lowering import check, lower, to_real, to_stored
from espdl_hil.passes import simplify
from espdl_hil.quantizer import QuantizeConfig, assign, calibrated_values
from espdl_hil.simulator import Simulator
from espdl_hil.targets import Target


@dataclass(frozen=True, slots=True)
class OutputQuality:
    """How well one graph output holds, on calibration samples.

    Attributes:
        output: name.
        sqnr_db: signal to quantization noise of the simulated integers against the float model.
        samples: how many were compared.
    """

    output: str
    sqnr_db: float
    samples: int


@dataclass(frozen=True, slots=True)
class Quantized:
    """What ``quantize`` gives.

    Attributes:
        model: lowered, with the first calibration sample as test vectors.
        quant: the graph and its exponents, for the quantization file.
        config: what was asked for.
        calibration: how many samples, and whether they were random.
        quality: of each graph output; empty where none was asked for.
    """

    model: LoweredModel
    quant: QuantModel
    config: QuantizeConfig
    calibration: str
    quality: tuple[OutputQuality, ...]


Progress = Callable[[str, int, int], None]
"""Told ``(stage, done, total)``."""


def quantize(
    source: Path | bytes,
    config: QuantizeConfig,
    calibration: Mapping[str, Array] | None = None,
    *,
    compare: int = 0,
    progress: Progress = lambda stage, done, total: None,
) -> Quantized:
    """Quantize an ONNX model for a target.

    Args:
        source: path or bytes of the model; only read.
        config: target, bits, methods; ``random_samples`` where there is no ``calibration``.
        calibration: arrays by input name, samples first.
        compare: how many calibration samples to simulate against the float model.
        progress: told of each stage.

    Raises:
        ConfigError: no calibration data and no random samples asked for.
        ModelError: the model or the data is not what we support; all findings at once.
    """
    from espdl_hil.frontend.evaluate import FloatModel
    from espdl_hil.frontend.onnx_import import import_onnx

    if calibration is None and not config.random_samples:
        raise ConfigError(
            "no calibration data",
            key="calibration",
            hint="give arrays of real inputs, or ask for random ones by name",
        )
    progress("import", 0, 1)
    graph = simplify(import_onnx(source))
    check(graph, config.target, config.bits)
    if calibration is None:
        samples = Samples.random(graph, config.random_samples, config.seed)
        described = f"{samples.count} random samples (seed {config.seed}): not for a shipped model"
    else:
        samples = Samples.of(graph, calibration)
        described = f"{samples.count} samples"
    observed = calibrated_values(graph)
    ranges = collect(
        FloatModel(graph, observed).run,
        samples,
        observed,
        histogram=config.observer.needs_histogram,
        progress=lambda done: progress("calibrate", done, samples.count),
    )
    progress("lower", 0, 1)
    quant = assign(graph, ranges, config)
    bare = lower(quant, config.target, {"calibration": described})
    simulator = Simulator(bare, config.target)
    first = samples.sample(0)
    model = with_test_vectors(bare, config.target, simulator, first)
    quality: tuple[OutputQuality, ...] = ()
    if compare:
        float_model = FloatModel(graph)
        quality = _compared(model, config.target, simulator, float_model.run, samples, compare)
    return Quantized(model, quant, config, described, quality)


def with_test_vectors(
    model: LoweredModel, target: Target, simulator: Simulator, sample: Mapping[str, Array]
) -> LoweredModel:
    """The model with ``sample`` as test inputs and what the simulator makes of it as outputs."""
    inputs = {name: to_stored(model, name, sample[name], target) for name in model.inputs}
    outputs = simulator.run(inputs)
    return replace(
        model,
        test_inputs=tuple(_test_tensor(model, name, inputs[name]) for name in model.inputs),
        test_outputs=tuple(_test_tensor(model, name, outputs[name]) for name in model.outputs),
    )


def _test_tensor(model: LoweredModel, name: str, array: Array) -> Tensor:
    # The board has no tensor without axes.
    stored = array if array.ndim else array.reshape(1)
    return Tensor.of(name, stored, exponents=model.values[name].exponents)


def _compared(
    model: LoweredModel,
    target: Target,
    simulator: Simulator,
    evaluate: Callable[[Mapping[str, Array]], Mapping[str, Array]],
    samples: Samples,
    count: int,
) -> tuple[OutputQuality, ...]:
    """Simulated outputs against float ones."""
    signal = dict.fromkeys(model.outputs, 0.0)
    noise = dict.fromkeys(model.outputs, 0.0)
    used = min(count, samples.count)
    for index in range(used):
        sample = samples.sample(index)
        expected = evaluate(sample)
        simulator.reset()
        got = simulator.run(
            {name: to_stored(model, name, sample[name], target) for name in model.inputs}
        )
        for name in model.outputs:
            real = to_real(model, name, got[name]).astype(np.float64)
            wanted = expected[name].astype(np.float64)
            signal[name] += float(np.sum(wanted**2))
            noise[name] += float(np.sum((wanted - real) ** 2))
    return tuple(
        OutputQuality(name, _decibels(signal[name], noise[name]), used) for name in model.outputs
    )


def _decibels(signal: float, noise: float) -> float:
    if noise == 0.0:
        return math.inf
    return 10.0 * math.log10(signal / noise) if signal else -math.inf
