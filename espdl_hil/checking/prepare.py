"""From a suite entry to what a board and the simulator execute, with every input set."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from espdl_hil import espdl, pipeline
from espdl_hil.analysis import cleared
from espdl_hil.archives import read_arrays
from espdl_hil.checking.cache import ModelCache
from espdl_hil.checking.vectors import (
    EvaluationSet,
    Vector,
    evaluation_set,
    own_vectors,
    random_vectors,
)
from espdl_hil.errors import FormatError
from espdl_hil.espdl import container
from espdl_hil.ir.lowered import LoweredModel
from espdl_hil.ir.types import Array
from espdl_hil.results.accuracy import Metric
from espdl_hil.simulator import Simulator
from espdl_hil.suite import Budgets, EvaluationData, SuiteModel
from espdl_hil.targets import Target

RANDOM_CALIBRATION_SAMPLES = 32


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The evaluation of a prepared model.

    Attributes:
        data: as the suite describes it.
        samples: in the model's integers.
        floating: score of the float model; ``None`` where it cannot be had.
    """

    data: EvaluationData
    samples: EvaluationSet
    floating: float | None

    @property
    def metric(self) -> Metric:
        """How outputs are scored."""
        return self.data.metric


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A model made ready for one target.

    Attributes:
        name: in the suite.
        target: whose integers.
        data: the ``.espdl`` file.
        model: the same, read.
        simulator: of ``model`` on ``target``.
        bits: of the quantization; 0 where it was not made here.
        source_sha256: of the file that the suite names.
        vectors: input sets besides the evaluation samples.
        seed: of the random ones.
        sequence: ``vectors`` are steps of one stream, and so are the evaluation samples.
        preflight: a board that cannot run it, by what it says of itself, is sent nothing.
        evaluation: ``None`` without evaluation data.
        budgets: promises.
        warmup: runs before measuring.
        repeat: measured runs.
    """

    name: str
    target: Target
    data: bytes
    model: LoweredModel
    simulator: Simulator
    bits: int
    source_sha256: str
    vectors: tuple[Vector, ...]
    seed: int = 0
    sequence: bool = False
    preflight: bool = True
    evaluation: Evaluation | None = None
    budgets: Budgets = field(default_factory=Budgets)
    warmup: int = 0
    repeat: int = 1

    @property
    def model_sha256(self) -> str:
        """Of the ``.espdl`` file, hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()


def prepare(entry: SuiteModel, target: Target, cache: ModelCache) -> PreparedModel:
    """Quantize where the suite asks for it and nobody did before, and make the input sets.

    Raises:
        ConfigError: data that does not fit the model; a file for another target.
        ModelError: the model is not supported; all findings of the preflight at once.
        FormatError: a malformed ``.espdl`` file, or an encrypted one.
    """
    source = pipeline.read_bytes(entry.source)
    if entry.quantized_here:
        data = _quantized(entry, source, target, cache)
    else:
        data = container.plain_file(source)
    model = pipeline.load_model(data)
    pipeline.resolve_target(model, target)
    if entry.preflight:
        cleared(model, target)
    evaluation = None
    if entry.evaluation is not None:
        arrays = read_arrays(entry.evaluation.data)
        samples = evaluation_set(model, target, entry.evaluation, arrays)
        floating = _float_score(entry, samples) if entry.quantized_here else None
        evaluation = Evaluation(entry.evaluation, samples, floating)
    return PreparedModel(
        name=entry.name,
        target=target,
        data=data,
        model=model,
        simulator=Simulator(model, target),
        bits=entry.bits,
        source_sha256=hashlib.sha256(source).hexdigest(),
        vectors=own_vectors(model) + random_vectors(model, entry.vectors, entry.seed),
        seed=entry.seed,
        sequence=entry.sequence,
        preflight=entry.preflight,
        evaluation=evaluation,
        budgets=entry.budgets,
        warmup=entry.warmup,
        repeat=entry.repeat,
    )


def take(
    path: Path,
    target: Target,
    inputs: Mapping[str, Array] | None,
    vectors: int,
    seed: int = 0,
    *,
    sequence: bool = False,
    member: str | None = None,
    key: bytes | None = None,
    preflight: bool = True,
) -> PreparedModel:
    """An ``.espdl`` file as it is, with the given, its own and ``vectors`` random inputs.

    With ``sequence``, these are the steps of one stream, in that order. ``member`` chooses a model
    of a pack, ``key`` decrypts: what travels to a board is one plain model. Without ``preflight``,
    a file runs although it computes what its author cannot have meant.

    Raises:
        ConfigError: the file is for another target, or has no such member.
        ModelError: something keeps it from running there; all findings at once.
        FormatError: it is malformed, or encrypted and there is no ``key``.
    """
    data = container.plain_file(pipeline.read_bytes(path), member, key)
    model = pipeline.load_model(data)
    pipeline.resolve_target(model, target)
    if preflight:
        cleared(model, target)
    given = () if inputs is None else (Vector("given", inputs),)
    return PreparedModel(
        name=path.stem,
        target=target,
        data=data,
        model=model,
        simulator=Simulator(model, target),
        bits=0,
        source_sha256=hashlib.sha256(data).hexdigest(),
        vectors=given + own_vectors(model) + random_vectors(model, vectors, seed),
        seed=seed,
        sequence=sequence,
        preflight=preflight,
    )


def _quantized(entry: SuiteModel, source: bytes, target: Target, cache: ModelCache) -> bytes:
    from espdl_hil.calibration.observers import DEFAULT_OBSERVER, Observer
    from espdl_hil.quantizer import AccumulatorHeadroom, QuantizeConfig

    calibration, observer = entry.calibration, DEFAULT_OBSERVER
    calibration_bytes = b""
    if calibration is not None:
        calibration_bytes = pipeline.read_bytes(calibration.data)
        observer = Observer(calibration.observer)
    headroom = entry.accumulator_headroom
    settings = (str(entry.bits), observer.value, headroom or "", *entry.end_at)
    key = cache.key(source, calibration_bytes, target.name, *settings)
    kept = cache.get(key)
    if kept is not None and _readable(kept):
        return kept
    config = QuantizeConfig(
        target,
        entry.bits,
        observer,
        random_samples=0 if calibration is not None else RANDOM_CALIBRATION_SAMPLES,
        accumulator_headroom=None if headroom is None else AccumulatorHeadroom(headroom),
    )
    arrays = None if calibration is None else read_arrays(calibration.data)
    data = espdl.write(pipeline.quantize(source, config, arrays, outputs=entry.end_at).model)
    cache.put(key, data)
    return data


def _readable(data: bytes) -> bool:
    try:
        espdl.read(data)
    except FormatError:
        return False
    return True


def _float_score(entry: SuiteModel, samples: EvaluationSet) -> float | None:
    """The float model's score by ONNX Runtime; ``None`` where that is not installed."""
    if entry.evaluation is None or find_spec("onnxruntime") is None:
        return None
    from espdl_hil.calibration.samples import Samples
    from espdl_hil.frontend.evaluate import FloatModel
    from espdl_hil.frontend.onnx_import import import_onnx

    graph = import_onnx(entry.source, outputs=entry.end_at)
    float_model = FloatModel(graph)
    outputs = [
        float_model.run(sample)[graph.outputs[0]] for sample in Samples.of(graph, samples.arrays)
    ]
    return entry.evaluation.metric.score(outputs, samples.labels)
