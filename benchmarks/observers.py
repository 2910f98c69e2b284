"""Every observer on the benchmark models: accuracy and SQNR on held-out data, as a table.

The law of this file: held-out data judge, and nothing is chosen by them; exponents come from
calibration samples alone.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

from espdl_hil.calibration.observers import Observer
from espdl_hil.espdl import write
from espdl_hil.frontend.evaluate import FloatModel
from espdl_hil.ir.graph import Graph
from espdl_hil.ir.lowered import LoweredModel
from espdl_hil.ir.types import Array
from espdl_hil.lowering import to_real, to_stored
from espdl_hil.pipeline import quantize, read_graph
from espdl_hil.quantizer import QuantizeConfig
from espdl_hil.simulator import Simulator
from espdl_hil.targets import Target, target_named

Doubles = npt.NDArray[np.float64]

INPUT = "x"
MODELS = ("sin_mlp", "digits_cnn", "dscnn", "fcae", "resnet8", "gru_attn", "mobilenetv2")
ERRORS = {"sin_mlp": "MAE", "fcae": "MSE"}
"""Models whose held-out data are targets; the others classify."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement: ``float_score`` and ``score`` are top-1 shares, or errors."""

    model: str
    target: str
    bits: int
    samples: int
    observer: str
    bias_corrected: bool
    sqnr_db: float
    metric: str
    float_score: float
    score: float


@dataclass(frozen=True, slots=True)
class Held:
    """What judges: inputs, what the float model makes of them, and what is right."""

    inputs: Array
    floats: Doubles
    answers: Doubles
    metric: str

    def score(self, found: Doubles) -> float:
        """``found`` (float or integer results as reals, samples first) by the metric."""
        if self.metric == "MAE":
            return float(np.abs(found - self.answers).mean())
        if self.metric == "MSE":
            return float(np.square(found - self.answers).mean())
        return float((found.argmax(axis=1) == self.answers).mean())

    def sqnr_db(self, found: Doubles) -> float:
        """Power of the float results over that of the difference, all samples together."""
        noise = np.square(found - self.floats).sum()
        return float(10.0 * np.log10(np.square(self.floats).sum() / max(noise, 1e-300)))


def held_out(folder: Path, name: str, graph: Graph, count: int) -> Held:
    """The first ``count`` held-out samples (0: all)."""
    with np.load(folder / f"{name}.eval.npz") as stored:
        inputs, answers = stored["x"][: count or None], stored["y"][: count or None]
    model, shape = FloatModel(graph), graph.types[INPUT].shape
    floats = np.stack(
        [
            model.run({INPUT: one.astype(np.float32).reshape(shape)})[graph.outputs[0]].ravel()
            for one in inputs
        ]
    ).astype(np.float64)
    if answers.shape == (len(inputs), floats.shape[1]) and name not in ERRORS:
        answers = answers.argmax(axis=1)
    return Held(inputs, floats, answers.astype(np.float64), ERRORS.get(name, "top-1"))


def rows_of(
    folder: Path,
    name: str,
    bits: int,
    counts: list[int],
    targets: list[Target],
    observers: list[Observer],
    held: int,
) -> Iterator[Row]:
    """Every observer at every number of calibration samples, on every target."""
    path = folder / f"{name}.onnx"
    graph, _ = read_graph(path, bits)
    judge = held_out(folder, name, graph, held)
    with np.load(folder / f"{name}.calib.npz") as stored:
        calibration = stored[INPUT].astype(np.float32)
    known: dict[bytes, Doubles] = {}
    for count in counts:
        samples = {INPUT: calibration[:count]}
        for target in targets:
            for observer in observers:
                made = quantize(path, QuantizeConfig(target, bits, observer), samples)
                key = write(replace(made.model, metadata={"target": target.name}))
                if key not in known:
                    known[key] = results(made.model, target, judge.inputs, graph)
                yield Row(
                    model=name,
                    target=target.name,
                    bits=bits,
                    samples=len(samples[INPUT]),
                    observer=observer.value,
                    bias_corrected="bias_correction" in made.model.metadata,
                    sqnr_db=judge.sqnr_db(known[key]),
                    metric=judge.metric,
                    float_score=judge.score(judge.floats),
                    score=judge.score(known[key]),
                )


def results(model: LoweredModel, target: Target, inputs: Array, graph: Graph) -> Doubles:
    """What the chip makes of ``inputs``, as reals."""
    simulator, shape = Simulator(model, target), graph.types[INPUT].shape
    output, rows = model.outputs[0], []
    for one in inputs:
        stored = to_stored(model, INPUT, one.astype(np.float32).reshape(shape), target)
        rows.append(to_real(model, output, simulator.run({INPUT: stored})[output]).ravel())
    return np.stack(rows).astype(np.float64)


def main() -> None:
    """Print rows as they come, and the table at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="NAME.onnx, NAME.calib.npz, NAME.eval.npz")
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--targets", nargs="+", default=["esp32p4", "esp32s3", "esp32"])
    parser.add_argument("--bits", nargs="+", type=int, default=[8, 16])
    parser.add_argument("--samples", nargs="+", type=int, default=[8, 32])
    words = [observer.value for observer in Observer]
    parser.add_argument("--observers", nargs="+", choices=words, default=words)
    parser.add_argument("--held-out", type=int, default=0, help="samples that judge; 0: all")
    parser.add_argument("--json", action="store_true", help="one JSON line per measurement")
    arguments = parser.parse_args()
    targets = [target_named(name) for name in arguments.targets]
    if not arguments.json:
        titles = (
            "model | target | bits | samples | observer | bias | SQNR dB | metric | float | chip"
        )
        print(f"| {titles} |")
        print("|---|---|---|---|---|---|---|---|---|---|")
    for name in arguments.models:
        for bits in arguments.bits:
            for row in rows_of(
                arguments.folder,
                name,
                bits,
                arguments.samples,
                targets,
                [Observer(word) for word in arguments.observers],
                arguments.held_out,
            ):
                if arguments.json:
                    print(json.dumps(asdict(row)), flush=True)
                else:
                    print(
                        f"| {row.model} | {row.target} | {row.bits} | {row.samples} "
                        f"| {row.observer} | {'corrected' if row.bias_corrected else ''} "
                        f"| {row.sqnr_db:.2f} | {row.metric} "
                        f"| {row.float_score:.4f} | {row.score:.4f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
