"""The straight line as a handful of functions: the command line and the plugin call these.

The law of this file: it connects stages and holds no logic of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Union

from espdl_hil import espdl
from espdl_hil.calibration.collect import collect
from espdl_hil.calibration.samples import Samples
from espdl_hil.errors import ConfigError, ModelError, UnsupportedModelError
from espdl_hil.ir.graph import Graph, QuantModel
from espdl_hil.ir.lowered import LoweredModel, Tensor
from espdl_hil.ir.types import Array
from espdl_hil.lowering import check, lower, to_stored
from espdl_hil.passes import simplify
from espdl_hil.quantizer import QuantizeConfig, assign, calibrated_values
from espdl_hil.results.quality import OutputQuality, output_quality
from espdl_hil.simulator import Simulator
from espdl_hil.targets import TARGETS, Target, target_named

if TYPE_CHECKING:
    from torch import nn

Source = Union[Path, bytes, "nn.Module"]
"""Wherever a float model is: an ``.onnx`` file, its bytes, or a torch module."""

Model = str | Path | bytes | LoweredModel
"""Wherever a lowered model is: an ``.espdl`` file, its bytes, or itself."""


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
    source: Source,
    config: QuantizeConfig,
    calibration: Mapping[str, Array] | None = None,
    *,
    compare: int = 0,
    progress: Progress = lambda stage, done, total: None,
) -> Quantized:
    """Quantize an ONNX model, or a torch module, for a target.

    Args:
        source: path or bytes of the model, or the module; only read. A module is exported with the
            shapes of ``calibration``, whose names its inputs get, in the order of ``forward``.
        config: target, bits, methods; ``random_samples`` where there is no ``calibration``.
        calibration: arrays by input name, samples first; for a module each sample with its batch
            dimension of 1.
        compare: how many calibration samples to simulate against the float model.
        progress: told of each stage.

    Raises:
        ConfigError: no calibration data and no random samples asked for; a package is missing.
        ModelError: the model or the data is not what we support; all findings at once.
    """
    try:
        from espdl_hil.frontend.evaluate import FloatModel
        from espdl_hil.frontend.torch_import import export_samples, is_module
    except ImportError as error:
        raise _not_installed(error) from error
    if is_module(source):
        progress("export", 0, 1)
        source = export_samples(source, calibration)
    if calibration is None and not config.random_samples:
        raise ConfigError(
            "no calibration data",
            key="calibration",
            hint="give arrays of real inputs, or ask for random ones by name",
        )
    progress("import", 0, 1)
    graph, refused = read_graph(source)
    findings = (*refused, *check(graph, config.target, config.bits))
    if findings:
        raise UnsupportedModelError(findings)
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
        compared = (samples.sample(index) for index in range(min(compare, samples.count)))
        quality = output_quality(simulator, FloatModel(graph).run, compared)
    return Quantized(model, quant, config, described, quality)


def read_graph(source: Path | bytes) -> tuple[Graph, tuple[ModelError, ...]]:
    """An ONNX model, cleaned and simplified, and why parts of it cannot be taken.

    Raises:
        ConfigError: the quantizing packages are not installed.
        ModelError: not an ONNX model.
    """
    try:
        from espdl_hil.frontend.onnx_import import read_graph as read_onnx
    except ImportError as error:
        raise _not_installed(error) from error
    graph, refused = read_onnx(source)
    return simplify(graph), refused


def _not_installed(error: ImportError) -> ConfigError:
    return ConfigError(
        f"{error.name} is not installed",
        hint="quantizing needs an extra: pip install 'espdl-hil[quantize]'",
    )


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


def simulate(
    model: Model,
    inputs: Mapping[str, Array] | None = None,
    target: str | Target | None = None,
    *,
    keep: Collection[str] | Literal["all"] | None = None,
) -> dict[str, Array]:
    """Compute what a board computes, as integers in the stored layout.

    Args:
        model: an ``.espdl`` file (path or bytes; of a pack, its first member), or a lowered model.
        inputs: integers by input name, in stored layout and dtype; ``None`` takes the file's own
            test inputs.
        target: whose arithmetic; the file's metadata decide where it is ``None``. ``"c"`` means
            the esp32 class.
        keep: names of the values to return; ``"all"`` for every node output, ``None`` for the
            graph outputs.

    Raises:
        ConfigError: no such target; the file names none, or one with other kernels.
        FormatError: the file is malformed.
        ModelError: unsupported nodes (all at once), inputs that do not fit, a node that the
            target computes wrongly.
    """
    loaded = load_model(model)
    return Simulator(loaded, resolve_target(loaded, target)).run(inputs, keep)


def load_model(model: Model) -> LoweredModel:
    """A lowered model from wherever it is: a file, its bytes, or itself."""
    if isinstance(model, LoweredModel):
        return model
    return espdl.read(model) if isinstance(model, bytes) else espdl.read_file(model)


def resolve_target(model: LoweredModel, target: str | Target | None) -> Target:
    """The target that a model runs on: the one asked for, else the one that the file names.

    Raises:
        ConfigError: neither says; an unknown name; or the two have different kernels, so that the
            file's weights would be read in the wrong order.
    """
    named = model.metadata.get("target")
    asked = target_named(target) if isinstance(target, str) else target
    if named is None:
        if asked is None:
            known = ", ".join(known.name for known in TARGETS)
            raise ConfigError(
                "the file does not say which target it is for", hint=f"give one of: {known}, c"
            )
        return asked
    declared = target_named(named)
    if asked is None:
        return declared
    if asked.kernels != declared.kernels:
        raise ConfigError(
            f"the file is for {named}, which computes differently from {asked.name}",
            hint=f"export the model for {asked.name}, or run it as {declared.name}",
        )
    return asked
