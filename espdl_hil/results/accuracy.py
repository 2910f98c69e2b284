"""Metrics on evaluation data: the same few lines for float, simulator and board outputs."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np

from espdl_hil.ir.types import Array


class Metric(Enum):
    """How outputs are scored against labels; the value is its name in suite files."""

    TOP1 = "top1"
    """Share of samples whose largest output is the label's; labels are class numbers."""
    MAE = "mae"
    """Mean absolute error; labels have the output's shape."""
    MSE = "mse"
    """Mean squared error; labels have the output's shape."""

    @property
    def more_is_better(self) -> bool:
        """Whether a larger score is the better one."""
        return self is Metric.TOP1

    def score(self, outputs: Sequence[Array], labels: Array) -> float:
        """Score real outputs, one array per sample, against as many labels."""
        wanted = np.asarray(labels[: len(outputs)])
        if self is Metric.TOP1:
            guesses = np.array([int(np.argmax(output)) for output in outputs])
            return float(np.mean(guesses == wanted.reshape(len(outputs))))
        flat = np.stack([np.asarray(output, dtype=np.float64).ravel() for output in outputs])
        error = flat - wanted.reshape(len(outputs), -1).astype(np.float64)
        return float(np.mean(np.abs(error) if self is Metric.MAE else error**2))

    def drop(self, reference: float, measured: float) -> float:
        """By how much ``measured`` is worse than ``reference``; negative where it is better."""
        return reference - measured if self.more_is_better else measured - reference
