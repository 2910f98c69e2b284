"""Metrics: the same numbers for float, simulator and board outputs."""

from __future__ import annotations

import numpy as np
import pytest

from espdl_hil.results.accuracy import Metric


@pytest.mark.parametrize(
    ("metric", "outputs", "labels", "score"),
    [
        (Metric.TOP1, [[0, 2, 1], [3, 0, 0]], [1, 0], 1.0),
        (Metric.TOP1, [[0, 2, 1], [3, 0, 0]], [1, 2], 0.5),
        (Metric.TOP1, [[5, 5, 0]], [[0]], 1.0),  # a tie goes to the first, labels may be columns
        (Metric.MAE, [[1.0], [2.0]], [[1.5], [2.5]], 0.5),
        (Metric.MSE, [[1.0], [2.0]], [1.0, 4.0], 2.0),
    ],
)
def test_scores_of_small_examples(metric, outputs, labels, score):
    arrays = [np.array([output], np.float32) for output in outputs]
    assert metric.score(arrays, np.array(labels)) == score


@pytest.mark.parametrize(
    ("metric", "reference", "measured", "drop"),
    [(Metric.TOP1, 0.9, 0.8, 0.1), (Metric.MAE, 0.1, 0.3, 0.2), (Metric.MSE, 0.3, 0.1, -0.2)],
)
def test_a_drop_is_positive_where_the_board_is_worse(metric, reference, measured, drop):
    assert metric.drop(reference, measured) == pytest.approx(drop)
