"""Run the float model over the samples and record the range of each value that is asked for.

The law of this file: one sample at a time is in memory, whatever their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from espdl_hil.calibration.ranges import RangeRecorder, Ranges
from espdl_hil.errors import ModelError
from espdl_hil.ir.types import Array

Evaluate = Callable[[Mapping[str, Array]], Mapping[str, Array]]
"""Evaluates one sample: input arrays by name → value arrays by name."""


def collect(
    evaluate: Evaluate,
    samples: Iterable[Mapping[str, Array]],
    values: Iterable[str],
    *,
    histogram: bool,
    progress: Callable[[int], None] = lambda done: None,
) -> Ranges:
    """The calibrated range of every value.

    Args:
        evaluate: gives at least ``values`` for a sample.
        samples: feeds for ``evaluate``.
        values: names to observe.
        histogram: whether the observer needs more than the extremes.
        progress: called with the number of samples done.

    Raises:
        ModelError: the float model computes NaN or infinity: names sample and value.
    """
    recorders = {name: RangeRecorder(histogram=histogram) for name in values}
    for index, sample in enumerate(samples):
        computed = evaluate(sample)
        for name, recorder in recorders.items():
            try:
                recorder.add(computed[name])
            except ModelError as error:
                raise ModelError(f"{error.what} for sample {index}", value=name) from None
        progress(index + 1)
    return {name: recorder.result() for name, recorder in recorders.items()}
