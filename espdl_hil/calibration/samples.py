"""Calibration samples: checked arrays, one sample at a time.

The law of this file: what is wrong with the data is said here, with the input's name and the
sample's index, and not by a convolution later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError
from espdl_hil.ir.graph import Graph
from espdl_hil.ir.types import Array


@dataclass(frozen=True, slots=True)
class Samples:
    """Checked samples for a graph; iterating gives one float32 feed per sample.

    Attributes:
        arrays: by input name, samples first; any real dtype.
        shapes: the graph's input shapes.
        count: number of samples.
    """

    arrays: Mapping[str, Array]
    shapes: Mapping[str, tuple[int, ...]]
    count: int

    @classmethod
    def of(cls, graph: Graph, arrays: Mapping[str, Array]) -> Samples:
        """Check ``arrays`` (samples first, by input name) against the inputs of ``graph``.

        A sample has the input's shape, with or without its batch dimension of 1.

        Raises:
            ModelError: a missing or unknown name, no samples, a wrong shape or dtype, NaN or
                infinity; the message names the input and the first bad sample.
        """
        shapes = {name: graph.types[name].shape for name in graph.inputs}
        known = ", ".join(f"{name}{list(shape)}" for name, shape in shapes.items())
        for name in arrays:
            if name not in shapes:
                raise ModelError(
                    "calibration data for an input that the model does not have",
                    value=name,
                    hint=f"the model's inputs: {known}",
                )
        counts: dict[str, int] = {}
        for name, shape in shapes.items():
            if name not in arrays:
                raise ModelError(
                    "no calibration data for this input",
                    value=name,
                    hint=f"the model's inputs: {known}",
                )
            counts[name] = _checked(name, shape, np.asarray(arrays[name]))
        if len(set(counts.values())) > 1:
            raise ModelError(f"the inputs have different numbers of samples: {counts}")
        return cls(
            {name: np.asarray(arrays[name]) for name in shapes}, shapes, next(iter(counts.values()))
        )

    @classmethod
    def random(cls, graph: Graph, count: int, seed: int) -> Samples:
        """Standard normal samples: for trying things out, not for a model that ships."""
        rng = np.random.default_rng(seed)
        arrays = {
            name: rng.standard_normal((count, *graph.types[name].shape), dtype=np.float32)
            for name in graph.inputs
        }
        return cls.of(graph, arrays)

    def __iter__(self) -> Iterator[dict[str, npt.NDArray[np.float32]]]:
        for index in range(self.count):
            yield self.sample(index)

    def sample(self, index: int) -> dict[str, npt.NDArray[np.float32]]:
        """One sample as a feed for evaluation: float32 arrays of the input shapes."""
        return {
            name: np.asarray(self.arrays[name][index], dtype=np.float32).reshape(shape)
            for name, shape in self.shapes.items()
        }


def _checked(name: str, shape: tuple[int, ...], array: Array) -> int:
    """The number of samples in ``array``; ``ModelError`` for what is wrong with it."""
    if array.dtype.kind not in "fiu":
        raise ModelError(
            f"calibration data has dtype {array.dtype}", value=name, hint="give real numbers"
        )
    if array.ndim == 0 or array.shape[0] == 0:
        raise ModelError("calibration data is empty", value=name, hint="give 32 or more samples")
    batchless = shape[1:] if shape and shape[0] == 1 else shape
    if array.shape[1:] not in (shape, batchless):
        raise ModelError(
            f"a calibration sample has shape {list(array.shape[1:])}, the input {list(shape)}",
            value=name,
            hint="arrays hold the samples first: [samples, ...input shape]",
        )
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            finite = np.isfinite(array.astype(np.float32, copy=False))
        bad = np.flatnonzero(~finite.reshape(len(array), -1).all(axis=1))
        if bad.size:
            raise ModelError(
                f"calibration sample {bad[0]} contains NaN or infinity"
                f" ({bad.size} of {len(array)} samples do)",
                value=name,
            )
    return len(array)
