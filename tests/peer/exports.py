"""The peer's files: made by its own interpreter, a few processes at once, kept from run to run.

The law of this file: what a kept file was made from is its name's digest; nothing else is trusted.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from tests.peer.cases import Case

TARGETS = {"c": "esp32", "esp32s3": "esp32s3", "esp32p4": "esp32p4"}
"""Our target for each that the peer knows."""
BITS = (8, 16)
SCRIPT = Path(__file__).with_name("export_with_peer.py")
_LONGEST = 1800


@dataclass(frozen=True, slots=True)
class Export:
    """One file of the peer.

    Attributes:
        case: of what.
        target: as the peer calls it.
        bits: its ``num_of_bits``.
        path: of the ``.espdl`` file, which exists unless ``refused`` says why not.
    """

    case: str
    target: str
    bits: int
    path: Path

    @property
    def refused(self) -> str:
        """The peer's exception; empty where there is a file."""
        return Path(f"{self.path}.status").read_text("utf-8")

    @property
    def done(self) -> bool:
        """Whether the peer was asked already."""
        return Path(f"{self.path}.status").exists()


def version(python: Path) -> str:
    """The peer's version, by its own interpreter.

    Raises:
        subprocess.CalledProcessError: esp-ppq is not installed there.
    """
    ask = "import importlib.metadata as m; print(m.version('esp-ppq'), m.version('torch'))"
    done = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def exports(
    cases: Iterable[Case],
    which: Sequence[tuple[str, int]],
    python: Path,
    folder: Path,
    workers: int,
) -> Mapping[str, list[Export]]:
    """The peer's files of all ``cases``, by case, made in ``folder`` where they are not there.

    Args:
        cases: of what.
        which: the targets and widths of each.
        python: the peer's interpreter.
        folder: kept from run to run.
        workers: how many interpreters at once.

    Raises:
        RuntimeError: an interpreter failed; the peer's refusals are no such failure.
    """
    made = hashlib.sha256(version(python).encode() + SCRIPT.read_bytes())
    found: dict[str, list[Export]] = {}
    jobs: list[dict[str, str | int]] = []
    for case in cases:
        digest = made.copy()
        digest.update(case.model.SerializeToString(deterministic=True))
        for name, array in sorted(case.data.items()):
            digest.update(name.encode() + str(array.shape).encode() + array.tobytes())
        base = folder / f"{case.name.replace('/', '.')}-{digest.hexdigest()[:16]}"
        found[case.name] = []
        for target, bits in which:
            item = Export(case.name, target, bits, Path(f"{base}.{target}.{bits}.espdl"))
            found[case.name].append(item)
            if item.done:
                continue
            if not Path(f"{base}.npz").exists():
                folder.mkdir(parents=True, exist_ok=True)
                onnx.save(case.model, f"{base}.onnx")
                np.savez(f"{base}.npz", **case.data)
            jobs.append(
                {
                    "model": f"{base}.onnx",
                    "data": f"{base}.npz",
                    "output": str(item.path),
                    "target": target,
                    "bits": bits,
                }
            )
    _run(jobs, python, folder, workers)
    return found


def _run(jobs: list[dict[str, str | int]], python: Path, folder: Path, workers: int) -> None:
    """The jobs, dealt out to ``workers`` interpreters; their output goes to a log each."""
    running = []
    for index in range(min(workers, len(jobs))):
        listed = folder / f"jobs.{index}.json"
        listed.write_text(json.dumps(jobs[index::workers]), "utf-8")
        with listed.with_suffix(".log").open("wb") as log:
            running.append(
                subprocess.Popen(
                    [python, str(SCRIPT), str(listed)],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                )
            )
    try:
        codes = [process.wait(_LONGEST) for process in running]
    finally:
        for process in running:
            process.kill()
    if any(codes):
        raise RuntimeError(f"the peer's interpreter failed; see {folder}/jobs.*.log")
