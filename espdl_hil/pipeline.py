"""The straight line as a handful of functions: the command line and the plugin call these.

The law of this file: it connects stages and holds no logic of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Union

from espdl_hil import espdl
from espdl_hil.analysis import (
    LOW_SQNR_DB,
    Finding,
    Relieved,
    Severity,
    constant_findings,
    findings_of,
    low_quality,
    preflight,
    range_findings,
    refuse_errors,
    relieve,
    without_bias,
    worst_first,
)
from espdl_hil.calibration.collect import collect
from espdl_hil.calibration.samples import Samples
from espdl_hil.errors import ConfigError, ModelError, UnsupportedModelError
from espdl_hil.espdl import container
from espdl_hil.ir.graph import Graph, QuantModel
from espdl_hil.ir.lowered import LoweredModel, Tensor
from espdl_hil.ir.types import Array
from espdl_hil.lowering import check, lower, to_stored
from espdl_hil.passes import adapt, simplify
from espdl_hil.quantizer import (
    AccumulatorHeadroom,
    QuantizeConfig,
    assign,
    calibrated_values,
)
from espdl_hil.results.quality import OutputQuality, output_quality
from espdl_hil.simulator import Simulator
from espdl_hil.targets import TARGETS, Target, target_named

if TYPE_CHECKING:
    from torch import nn

_NO_SHAPES: Mapping[str, Sequence[int]] = MappingProxyType({})

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
        relieved: what layers gave up so that no accumulator overflows.
        unrelieved: ``quality`` as it were had they not; empty where nothing was given up.
        findings: what a look at the model found, besides what stops it: nothing here does.
    """

    model: LoweredModel
    quant: QuantModel
    config: QuantizeConfig
    calibration: str
    quality: tuple[OutputQuality, ...]
    relieved: Relieved
    unrelieved: tuple[OutputQuality, ...]
    findings: tuple[Finding, ...]

    def write(self, path: str | Path, *, key: bytes | None = None) -> None:
        """Write the ``.espdl`` file; a ``key`` of 16 bytes encrypts it (AES-128-CTR).

        Raises:
            ConfigError: the file cannot be written, or the key has another length.
        """
        data = espdl.write(self.model, key=key)
        try:
            Path(path).write_bytes(data)
        except OSError as error:
            raise ConfigError(f"cannot be written: {error.strerror}", file=path) from error


Progress = Callable[[str, int, int], None]
"""Told ``(stage, done, total)``."""


def quantize(
    source: Source,
    config: QuantizeConfig,
    calibration: Mapping[str, Array] | None = None,
    *,
    outputs: Sequence[str] = (),
    compare: int = 0,
    progress: Progress = lambda stage, done, total: None,
    tell: Callable[[Sequence[Finding]], None] = lambda findings: None,
) -> Quantized:
    """Quantize an ONNX model, or a torch module, for a target.

    Args:
        source: path or bytes of the model, or the module; only read. A module is exported with the
            shapes of ``calibration``, whose names its inputs get, in the order of ``forward``.
        config: target, bits, methods; ``random_samples`` where there is no ``calibration``.
        calibration: arrays by input name, samples first; for a module each sample with its batch
            dimension of 1.
        outputs: values, inner ones too, at which the model shall end, in front of what only the
            application can do; where it ends by default.
        compare: how many calibration samples to simulate against the float model.
        progress: told of each stage.
        tell: told what a look at the float model found, before any sample is run; then what the
            samples showed.

    Raises:
        ConfigError: no calibration data and no random samples asked for; a package is missing.
        ModelError: the model or the data is not what we support; all findings at once, before any
            sample is run. Or layers for which no exponents keep every input from overflowing.
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
    shapes = {name: array.shape[1:] for name, array in (calibration or {}).items()}
    graph, refused = read_graph(source, config.bits, shapes, outputs)
    errors = (*refused, *check(graph, config.target, config.bits))
    if errors:
        others = [one.what for one in other_widths(source, config.target, config.bits, outputs)]
        raise UnsupportedModelError(errors, hint="; ".join(others))
    tell(preflight(graph, config.target, config.bits))
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
    seen = range_findings(graph, ranges, config.bits)
    tell(seen)
    relieved = relieve(
        graph,
        ranges,
        config,
        range(samples.count),
        samples.sample,
        lambda done, total: progress("headroom", done, total),
    )
    unbiased = False
    if config.bias_correction and calibration is not None and not relieved.stuck:
        better = without_bias(graph, ranges, config, samples, relieved)
        unbiased, relieved = better is not None, better or relieved
    progress("lower", 0, 1)
    noted = {"calibration": described}
    if unbiased:
        noted["bias_correction"] = "calibration"
    if relieved.mode is AccumulatorHeadroom.ANY_INPUT and relieved.stuck:
        raise UnsupportedModelError(relieved.stuck)
    if relieved.mode is not AccumulatorHeadroom.OFF:
        noted["accumulator_headroom"] = relieved.mode.value
    bare = lower(relieved.quant, config.target, noted)
    findings = (
        *constant_findings(graph, config.bits),
        *seen,
        *_looked_at(bare, relieved, config.target),
    )
    simulator = Simulator(bare, config.target)
    model = with_test_vectors(bare, config.target, simulator, samples.sample(0))
    quality: tuple[OutputQuality, ...] = ()
    unrelieved: tuple[OutputQuality, ...] = ()
    if compare:
        float_model = FloatModel(graph)
        compared = [samples.sample(index) for index in range(min(compare, samples.count))]
        quality = output_quality(simulator, float_model.run, compared)
        if relieved.reliefs:
            without = lower(assign(relieved.quant.graph, ranges, config), config.target)
            other = Simulator(without, config.target)
            unrelieved = output_quality(other, float_model.run, compared)
    if any(one.sqnr_db < LOW_SQNR_DB for one in quality):
        values = [value for node in graph.nodes for value in node.outputs if value]
        sample = samples.sample(0)
        stored = {name: to_stored(bare, name, sample[name], config.target) for name in bare.inputs}
        simulator.reset()
        got = simulator.run(stored, "all")
        findings += low_quality(quality, graph, bare, FloatModel(graph, values).run(sample), got)
    return Quantized(
        model=model,
        quant=relieved.quant,
        config=config,
        calibration=described,
        quality=quality,
        relieved=relieved,
        unrelieved=unrelieved,
        findings=worst_first(findings),
    )


def _looked_at(model: LoweredModel, relieved: Relieved, target: Target) -> tuple[Finding, ...]:
    """What a preflight of the new file finds; raises what stops it."""
    unseen = relieved.mode is AccumulatorHeadroom.OFF
    findings = preflight(model, target, overflow=unseen)
    refuse_errors(findings)
    stuck = findings_of(relieved.stuck)
    return worst_first((*(replace(one, severity=Severity.WARNING) for one in stuck), *findings))


def other_widths(
    source: Path | bytes, target: Target, bits: int, outputs: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Whether an ONNX model is supported as a whole with other integers than those of ``bits``."""
    found = []
    for other in target.mac:
        if other != bits:
            graph, refused = read_graph(source, other, outputs=outputs)
            errors = (*refused, *check(graph, target, other))
            if errors:
                count = len(errors)
                what = f"with {other} bits, {count} finding(s) stop it, first: {errors[0]}"
            else:
                what = f"with {other} bits, the whole model is supported"
            found.append(Finding(Severity.NOTE, what.splitlines()[0]))
    return tuple(found)


def read_graph(
    source: Path | bytes,
    bits: int | None = None,
    shapes: Mapping[str, Sequence[int]] = _NO_SHAPES,
    outputs: Sequence[str] = (),
) -> tuple[Graph, tuple[ModelError, ...]]:
    """An ONNX model, cleaned and simplified, and why parts of it cannot be taken.

    Args:
        source: path of the ``.onnx`` file, or its bytes.
        bits: width whose kernels the graph shall fit; ``None`` leaves it as both can be made of it.
        shapes: by input name, lengths for dimensions that the model leaves open.
        outputs: values, inner ones too, at which the model shall end; where it ends by default.

    Raises:
        ConfigError: the quantizing packages are not installed.
        ModelError: not an ONNX model.
    """
    try:
        from espdl_hil.frontend.onnx_import import read_graph as read_onnx
    except ImportError as error:
        raise _not_installed(error) from error
    graph, refused = read_onnx(source, shapes, outputs)
    simple = simplify(graph)
    return simple if bits is None else adapt(simple, bits), refused


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


def load_model(
    model: Model, *, member: str | None = None, key: bytes | None = None
) -> LoweredModel:
    """A lowered model from wherever it is: a file, its bytes, or itself.

    Args:
        model: a file may be a pack, or encrypted.
        member: which model of a pack, by name or number; the first by default.
        key: 16 bytes, for an encrypted one.

    Raises:
        ConfigError: the file cannot be read, or holds no such model.
        FormatError: it is malformed, or encrypted and there is no key.
    """
    if isinstance(model, LoweredModel):
        return model
    data = model if isinstance(model, bytes) else read_bytes(model)
    chosen = container.choose_member(data, member)
    return espdl.read(data, member=container.list_members(data).index(chosen), key=key)


def read_bytes(path: str | Path) -> bytes:
    """A file's bytes; ``ConfigError`` where it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", file=path) from error


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
