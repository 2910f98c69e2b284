"""Suite files ``*.hil.yaml``: which models, with which data, under which promises.

The law of this file: it reads and checks the description and opens none of the files it names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from espdl_hil.documents import Section, read_document
from espdl_hil.errors import ConfigError
from espdl_hil.results.accuracy import Metric
from espdl_hil.targets import target_named

VERSION = 1
_MOST_RUNS = 0xFFFF
"""In one request; see docs/protocol.md, RUN."""
OBSERVERS = ("minmax", "percentile", "kl", "mse")
DEFAULT_OBSERVER = "mse"
HEADROOMS = ("off", "calibration", "any-input")
SUFFIX = ".hil.yaml"


@dataclass(frozen=True, slots=True)
class CalibrationData:
    """Where exponents come from.

    Attributes:
        data: ``.npz`` of arrays by input name, samples first.
        observer: how a range is chosen; one of ``OBSERVERS``.
    """

    data: Path
    observer: str


@dataclass(frozen=True, slots=True)
class EvaluationData:
    """Held-out samples, how they are scored, and the least that is accepted.

    Attributes:
        data: ``.npz`` of arrays by input name, samples first, and the labels.
        labels: name of the labels in ``data``.
        metric: how outputs are scored.
        samples: how many are used, the first ones; 0 for all.
        low: the board's score must be at least this; ``None`` for no bound.
        high: the board's score must be at most this; ``None`` for no bound.
    """

    data: Path
    labels: str
    metric: Metric
    samples: int
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Budgets:
    """Promises; ``None`` where there is none.

    Attributes:
        latency_us: median latency on the board; not applied to virtual boards, whose latency is
            that of the host.
        accuracy_drop: by how much the board may score worse than the float model.
        size_bytes: of the ``.espdl`` file.
    """

    latency_us: float | None = None
    accuracy_drop: float | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class SuiteModel:
    """One model of a suite.

    Attributes:
        name: as in test ids.
        line: where the suite file describes it.
        source: ``.onnx`` to be quantized for each board's target, or ``.espdl`` as it is.
        bits: 8 or 16; 0 for ``.espdl``.
        targets: the model runs on boards of these targets; empty for every target.
        end_at: values at which the float model ends; empty where it ends by default.
        accumulator_headroom: for which inputs no accumulator may overflow, one of ``HEADROOMS``;
            ``None`` for what suits the target.
        calibration: ``None`` for ``.espdl``, or for labelled random calibration.
        evaluation: ``None`` where only integers are compared.
        sequence: the input sets are steps of one stream, in order; else each is its own.
        preflight: what the preflight refuses is not run; else it runs and is judged all the same.
        vectors: number of seeded random input sets.
        seed: of these.
        warmup: runs before measuring.
        repeat: measured runs.
        budgets: promises.
    """

    name: str
    line: int
    source: Path
    bits: int
    targets: tuple[str, ...]
    end_at: tuple[str, ...]
    accumulator_headroom: str | None
    calibration: CalibrationData | None
    evaluation: EvaluationData | None
    sequence: bool
    preflight: bool
    vectors: int
    seed: int
    warmup: int
    repeat: int
    budgets: Budgets

    @property
    def quantized_here(self) -> bool:
        """The suite starts from a float model."""
        return self.source.suffix != ".espdl"


@dataclass(frozen=True, slots=True)
class Suite:
    """A whole suite file."""

    file: Path
    models: tuple[SuiteModel, ...]


def read_suite(path: Path) -> Suite:
    """Read a suite file.

    Raises:
        ConfigError: the first thing wrong, with file, line and key.
    """
    document = read_document(path)
    version = document.integer("version")
    if version != VERSION:
        raise document.error(
            f"version {version} is not known, this reader knows {VERSION}", "version"
        )
    seed = document.integer("seed", 0, low=0)
    models = tuple(
        _model(name, section, seed) for name, section in document.section("models").sections()
    )
    document.finish()
    if not models:
        raise document.error("names no model", "models")
    return Suite(path, models)


def _model(name: str, section: Section, seed: int) -> SuiteModel:
    source = section.file_path("model")
    if source.suffix not in (".onnx", ".espdl"):
        raise section.error(f"expected a .onnx or .espdl file, found {source.name}", "model")
    quantized_here = source.suffix == ".onnx"
    if not quantized_here:
        for key in ("bits", "end_at", "accumulator_headroom", "calibration"):
            if key in section:
                raise section.error("an .espdl file is quantized already", key)
    bits = section.integer("bits", 8) if quantized_here else 0
    if bits not in (0, 8, 16):
        raise section.error(f"expected 8 or 16, found {bits}", "bits")
    targets = section.texts("targets", ())
    for target in targets:
        try:
            target_named(target)
        except ConfigError as error:
            raise section.error(error.what, "targets", error.hint) from None
    model = SuiteModel(
        name=name,
        line=section.line,
        source=source,
        bits=bits,
        targets=tuple(target_named(target).name for target in targets),
        end_at=section.texts("end_at", ()),
        accumulator_headroom=(
            section.choice("accumulator_headroom", HEADROOMS)
            if "accumulator_headroom" in section
            else None
        ),
        calibration=_calibration(section) if "calibration" in section else None,
        evaluation=_evaluation(section.section("evaluation")) if "evaluation" in section else None,
        sequence=section.flag("sequence", False),
        preflight=section.flag("preflight", True),
        vectors=section.integer("vectors", 2, low=0),
        seed=section.integer("seed", seed, low=0),
        warmup=section.integer("warmup", 0, low=0, high=_MOST_RUNS),
        repeat=section.integer("repeat", 1, low=1, high=_MOST_RUNS),
        budgets=_budgets(section.section("budgets")) if "budgets" in section else Budgets(),
    )
    if model.budgets.accuracy_drop is not None and (model.evaluation is None or not quantized_here):
        raise section.error(
            "an accuracy drop needs evaluation data and a float model to compare with", "budgets"
        )
    section.finish()
    return model


def _calibration(section: Section) -> CalibrationData:
    inner = section.section("calibration")
    found = CalibrationData(
        data=inner.file_path("data"),
        observer=inner.choice("observer", OBSERVERS, DEFAULT_OBSERVER),
    )
    inner.finish()
    return found


def _evaluation(section: Section) -> EvaluationData:
    found = EvaluationData(
        data=section.file_path("data"),
        labels=section.text("labels", "labels"),
        metric=Metric(section.choice("metric", [metric.value for metric in Metric])),
        samples=section.integer("samples", 0, low=0),
        low=section.number("min") if "min" in section else None,
        high=section.number("max") if "max" in section else None,
    )
    section.finish()
    return found


def _budgets(section: Section) -> Budgets:
    found = Budgets(
        latency_us=section.number("latency_us") if "latency_us" in section else None,
        accuracy_drop=section.number("accuracy_drop") if "accuracy_drop" in section else None,
        size_bytes=section.integer("size_bytes", low=1) if "size_bytes" in section else None,
    )
    section.finish()
    return found
