"""The golden integers of ESP-DL: where they lie and how a case is read.

``ESPDL_HIL_SHARED`` names the folder; the default is ``../shared`` beside the project. Tests skip
with a reason where it is absent.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PROJECT = Path(__file__).resolve().parents[2]

OPERATOR_SUITES = ("c_s8", "c_s16", "s3_s8", "s3_s16", "p4_s8", "p4_s16")
MODEL_SUITES = ("models_c_s8", "models_c_s16", "models_p4_s8", "models_p4_s16", "models_s3_s8")
ASSEMBLY_SUITES = ("asm_s3_s8", "asm_s3_s16", "asm_p4_s8", "asm_p4_s16")
SUITES = (*OPERATOR_SUITES, *MODEL_SUITES, *ASSEMBLY_SUITES)


def shared() -> Path:
    """The shared data folder; skips the calling test where there is none."""
    folder = Path(os.environ.get("ESPDL_HIL_SHARED", PROJECT.parent / "shared"))
    if not (folder / "golden").is_dir():
        pytest.skip(f"no golden data at {folder} (set ESPDL_HIL_SHARED)")
    return folder


FLOAT_TOLERANCE = 2e-5


def difference(got: np.ndarray, expected: np.ndarray) -> str:
    """What differs, or an empty string: integers exactly, floats within ``FLOAT_TOLERANCE``.

    The tolerance is absolute, relative above 1; of values that are not finite only the places
    count.
    """
    if got.dtype != expected.dtype or got.shape != expected.shape:
        return f"{got.dtype}{got.shape} instead of {expected.dtype}{expected.shape}"
    if expected.dtype.kind != "f":
        wrong = got != expected
    else:
        finite = np.isfinite(expected)
        limit = FLOAT_TOLERANCE * np.maximum(1.0, np.where(finite, np.abs(expected), 0.0))
        wrong = np.isfinite(got) != finite
        both = finite & ~wrong
        wrong[both] |= np.abs(got[both] - expected[both]) > limit[both]
    if not wrong.any():
        return ""
    first = tuple(int(i) for i in np.argwhere(np.atleast_1d(wrong))[0])
    return (
        f"{int(wrong.sum())} of {wrong.size} differ, first at {first}: "
        f"{np.atleast_1d(got)[first]} instead of {np.atleast_1d(expected)[first]}"
    )


@dataclass(frozen=True)
class GoldenCase:
    """One ``.espdl`` file with its vectors."""

    suite: str
    name: str
    op: str
    ops: tuple[str, ...]
    path: Path
    target: str
    bits: int
    float_outputs: bool
    entry: Mapping[str, Any]

    @functools.cached_property
    def _arrays(self) -> Mapping[str, np.ndarray]:
        with np.load(self.path.with_suffix(".npz")) as stored:
            return {key: stored[key] for key in stored.files}

    @property
    def vectors(self) -> tuple[str, ...]:
        return tuple(vector["id"] for vector in self.entry["vectors"])

    def inputs(self, vector: str) -> dict[str, np.ndarray]:
        return self._named(f"{vector}/in/")

    def outputs(self, vector: str) -> dict[str, np.ndarray]:
        return self._named(f"{vector}/out/")

    def digests(self, vector: str) -> list[dict[str, Any]]:
        """Zoo only: every node output in execution order, with the sha256 of its bytes."""
        text = Path(f"{self.path.with_suffix('')}.digests.json").read_text()
        return list(json.loads(text)[vector])

    def _named(self, prefix: str) -> dict[str, np.ndarray]:
        names = self.entry.get("names", {})
        return {
            names.get(key.removeprefix(prefix), key.removeprefix(prefix)): array
            for key, array in self._arrays.items()
            if key.startswith(prefix)
        }


def cases(suite: str) -> Iterator[GoldenCase]:
    """The cases of one suite, or of ``"zoo"``."""
    folder = shared() / "golden"
    for entry in json.loads((folder / suite / "index.json").read_text())["cases"]:
        yield GoldenCase(
            suite=suite,
            name=entry["case"],
            op=entry["op"],
            ops=tuple(entry.get("ops", (entry["op"],))),
            path=folder / entry["file"],
            target=entry["target"],
            bits=entry["bits"],
            float_outputs=entry["float_outputs"],
            entry=entry,
        )
