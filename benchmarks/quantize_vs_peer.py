"""Quantize + export and simulate beside esp-ppq, in turns on the same machine.

``python benchmarks/quantize_vs_peer.py MODEL.onnx CALIB.npz --peer-python PYTHON`` needs an
interpreter with ``esp-ppq==1.3.12`` and ``torch==2.13.0`` (a virtual environment of its own: the
peer pins an older onnx). Without ``--peer-python`` it makes one under ``build/peer-venv``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEER = ("torch==2.13.0", "esp-ppq==1.3.12", "onnxruntime")


def peer_interpreter() -> Path:
    """The interpreter of a virtual environment that has the peer; made where it is missing."""
    folder = HERE.parent / "build" / "peer-venv"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        for package in PEER:
            subprocess.run([python, "-m", "pip", "install", "-q", package], check=True)
    return python


def measure(python: Path, script: str, words: list[str], folder: Path) -> dict[str, float]:
    """One run in a fresh interpreter; its last output line is the figures."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [python, HERE / script, *words], env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{script} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("calibration", type=Path)
    parser.add_argument("--target", default="esp32p4")
    parser.add_argument("--bits", default="8")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python", type=Path)
    arguments = parser.parse_args()
    peer = arguments.peer_python or peer_interpreter()
    words = [str(arguments.model.resolve()), str(arguments.calibration.resolve())]
    words += ["--target", arguments.target, "--bits", arguments.bits]
    runs: dict[str, list[dict[str, float]]] = {"espdl-hil": [], "esp-ppq": []}
    for _ in range(arguments.rounds):
        runs["espdl-hil"].append(measure(Path(sys.executable), "own_run.py", words, HERE.parent))
        runs["esp-ppq"].append(measure(peer, "peer_run.py", words, HERE / "nothing"))
    medians = {
        who: {key: statistics.median(run[key] for run in figures) for key in figures[0]}
        for who, figures in runs.items()
    }
    for key in ("import_s", "quantize_and_export_s", "image_ms", "size_bytes"):
        ours, theirs = medians["espdl-hil"][key], medians["esp-ppq"][key]
        print(f"{key:24} espdl-hil {ours:12.3f}  esp-ppq {theirs:12.3f}  {ours / theirs:6.2f}x")


if __name__ == "__main__":
    main()
