"""Simulator, its plain sums, ONNX Runtime on an equal float network, and the C engine, in turns.

``python benchmarks/simulator_speed.py --target T FILE.espdl …`` prints a table of milliseconds per
image: the best of the rounds, because whatever else the machine does only adds; CPU time with one
thread, time on the wall with more. "plain sums" is the simulator on the same target with
accumulators that never overflow: the ratio beside it is what exact accumulators cost.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def measure(file: Path, target: str, threads: int, rounds: int) -> dict[str, list[float]]:
    """One file in a fresh interpreter with so many threads."""
    path = os.pathsep.join(filter(None, (str(HERE.parent), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path, **dict.fromkeys(_THREADS, str(threads))}
    words = ["--target", target, "--threads", str(threads), "--rounds", str(rounds)]
    words += ["--engine"] if threads == 1 else []
    done = subprocess.run(
        [sys.executable, HERE / "speed_run.py", file, *words],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{file} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    figures: dict[str, list[float]] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--target", required=True, help="of all files")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    columns = ("simulator", "plain sums", "onnxruntime float", "C engine")
    print(
        "| file | target | threads | "
        + " | ".join(columns)
        + " | exact / plain | simulator / float |"
    )
    print("|---|---|---|" + "---|" * (len(columns) + 2))
    for file in arguments.files:
        for threads in arguments.threads:
            figures = measure(file, arguments.target, threads, arguments.rounds)
            best = {name: min(times) for name, times in figures.items()}
            cells = [file.stem, arguments.target, str(threads)]
            cells += [f"{best[name]:.1f}" if name in best else "" for name in columns]
            cells.append(f"{best['simulator'] / best['plain sums']:.2f}")
            cells.append(f"{best['simulator'] / best['onnxruntime float']:.2f}")
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
