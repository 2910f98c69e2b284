"""A model and a target, looked at together: findings, memory, headroom of accumulators.

The law of this file: it finds out what kind of model it was given, and asks ``analysis``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from espdl_hil.analysis import (
    Finding,
    LayerHeadroom,
    MemoryEstimate,
    Severity,
    estimate_memory,
    findings_of,
    headroom,
    preflight,
    worst_first,
)
from espdl_hil.errors import ConfigError, ModelError
from espdl_hil.espdl.container import is_container
from espdl_hil.ir.lowered import LoweredModel, Tensor
from espdl_hil.ir.types import Array
from espdl_hil.lowering import to_stored
from espdl_hil.lowering.axes import stored_axes
from espdl_hil.pipeline import (
    load_model,
    other_widths,
    quantize,
    read_bytes,
    read_graph,
    resolve_target,
)
from espdl_hil.quantizer import QuantizeConfig
from espdl_hil.targets import Target, target_named

_COMPARED_SAMPLES = 4


@dataclass(frozen=True, slots=True)
class Inspection:
    """What ``inspect_model`` gives.

    Attributes:
        target: whose kernels and memory.
        findings: the worst first.
        memory: estimated.
        headroom: of every multiply-accumulate layer; empty for a float model without calibration.
    """

    target: Target
    findings: tuple[Finding, ...]
    memory: MemoryEstimate
    headroom: tuple[LayerHeadroom, ...]

    @property
    def runs(self) -> bool:
        """Whether nothing stops the model."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)


def inspect_model(
    source: Path,
    target: str | Target | None,
    *,
    bits: int = 8,
    samples: Mapping[str, Array] | None = None,
    outputs: Sequence[str] = (),
    member: str | None = None,
    key: bytes | None = None,
) -> Inspection:
    """All that stands between a model and a target, without flashing anything.

    Args:
        source: an ``.espdl`` file, ours or another's, or an ONNX model.
        target: the chip; may be ``None`` for a file that names its own.
        bits: 8 or 16, of the quantization of an ONNX model.
        samples: arrays by input name, samples first, to show what inputs reach in accumulators:
            reals in ONNX order, or integers in stored layout; they calibrate an ONNX model. A file
            with test inputs shows those where none are given.
        outputs: values, inner ones too, at which an ONNX model shall end; where it ends by default.
        member: which model of a pack, by name or number; the first by default.
        key: 16 bytes, for an encrypted file.

    Raises:
        ConfigError: no such target or member, or the file names no target; ``outputs`` for a file
            that is quantized already.
        FormatError: a malformed ``.espdl`` file, or an encrypted one without ``key``.
        ModelError: not an ONNX model at all; or samples that do not fit.
    """
    data = read_bytes(source)
    if source.suffix == ".espdl" or is_container(data):
        if outputs:
            raise ConfigError(
                "an .espdl file ends where it ends",
                key="end-at",
                hint="quantize the ONNX model with --end-at",
            )
        model = load_model(data, member=member, key=key)
        chip = target_named(target) if isinstance(target, str) else target
        return _inspected(model, resolve_target(model, None) if chip is None else chip, samples)
    if target is None:
        raise ConfigError("an ONNX model is for no target yet", hint="give --target")
    chip = target_named(target) if isinstance(target, str) else target
    config = QuantizeConfig(chip, bits)
    shapes = {name: array.shape[1:] for name, array in (samples or {}).items()}
    graph, refused = read_graph(source, bits, shapes, outputs)
    findings = worst_first(
        (
            *findings_of(refused),
            *preflight(graph, chip, bits),
            *other_widths(source, chip, bits, outputs),
        )
    )
    if samples is not None and not any(f.severity is Severity.ERROR for f in findings):
        made = quantize(source, config, samples, outputs=outputs, compare=_COMPARED_SAMPLES)
        found = _inspected(made.model, chip, samples)
        both = worst_first(dict.fromkeys((*found.findings, *made.findings)))
        return replace(found, findings=both)
    return Inspection(chip, findings, estimate_memory(graph, bits), ())


def _inspected(
    model: LoweredModel, target: Target, samples: Mapping[str, Array] | None
) -> Inspection:
    stored: list[dict[str, Array]] = []
    if samples is not None:
        stored = stored_samples(model, target, samples)
    elif model.test_inputs:
        stored = [{tensor.name: _test_input(model, tensor) for tensor in model.test_inputs}]
    return Inspection(
        target, preflight(model, target), estimate_memory(model), headroom(model, target, stored)
    )


def _test_input(model: LoweredModel, tensor: Tensor) -> Array:
    array, dims = tensor.array(), model.values[tensor.name].dims
    if array.size != math.prod(dims):
        raise ModelError(
            f"the file's test input has shape {list(array.shape)}, the input {list(dims)}",
            value=tensor.name,
        )
    return array.reshape(dims)


def stored_samples(
    model: LoweredModel, target: Target, arrays: Mapping[str, Array]
) -> list[dict[str, Array]]:
    """Samples as the board wants them, one dictionary each.

    Args:
        model: its inputs' types, shapes and stored orders decide.
        target: its rounding quantizes.
        arrays: by input name, samples first: integers of the stored type and layout are taken as
            they are, anything else is real and in ONNX order. A sample may lack its batch
            dimension of 1.

    Raises:
        ModelError: an input is missing, a sample has another number of elements, none is given,
            or what is given are not finite real numbers.
    """
    samples: list[dict[str, Array]] = []
    for name in model.inputs:
        if name not in arrays:
            raise ModelError("no samples for this input", value=name)
        info, given = model.values[name], np.asarray(arrays[name])
        if given.dtype.kind not in "fiu":
            raise ModelError(
                f"samples have dtype {given.dtype}", value=name, hint="give real numbers"
            )
        if not given.size:
            raise ModelError("there are no samples", value=name)
        if not np.isfinite(given).all():
            raise ModelError("samples contain NaN or infinity", value=name)
        size = math.prod(info.dims)
        if given.ndim == 0 or given.size % size or given.shape[0] * size != given.size:
            raise ModelError(
                f"samples have shape {list(given.shape)}, one has {size} elements",
                value=name,
                hint="arrays hold the samples first: [samples, ...input shape]",
            )
        if samples and len(samples) != given.shape[0]:
            raise ModelError("the inputs have different numbers of samples", value=name)
        samples = samples or [{} for _ in given]
        for sample, one in zip(samples, given, strict=True):
            sample[name] = _stored(model, name, one, target)
    return samples


def _stored(model: LoweredModel, name: str, sample: Array, target: Target) -> Array:
    info = model.values[name]
    if sample.dtype == info.dtype.numpy:
        return sample.reshape(info.dims)
    order = stored_axes(model.metadata, name, len(info.dims))
    shape = tuple(info.dims[order.index(axis)] for axis in range(len(order)))
    return to_stored(model, name, sample.reshape(shape), target)
