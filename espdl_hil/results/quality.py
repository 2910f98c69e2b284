"""How well quantized outputs hold against the float model's, summed up over samples.

The law of this file: signal and noise are summed over all samples before they are divided, so that
a sample without a signal weighs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from espdl_hil.ir.types import Array
from espdl_hil.lowering import to_real, to_stored
from espdl_hil.simulator import Simulator

Evaluate = Callable[[Mapping[str, Array]], Mapping[str, Array]]
"""The float model: input arrays by name → output arrays by name, ONNX order."""


@dataclass(frozen=True, slots=True)
class OutputQuality:
    """How well one graph output holds.

    Attributes:
        output: name.
        sqnr_db: signal to quantization noise of the simulated integers against the float model.
        samples: how many were compared.
    """

    output: str
    sqnr_db: float
    samples: int


def output_quality(
    simulator: Simulator, evaluate: Evaluate, samples: Iterable[Mapping[str, Array]]
) -> tuple[OutputQuality, ...]:
    """The quality of every graph output, in file order.

    Args:
        simulator: of the quantized model; its state is reset before each sample.
        evaluate: the float model that it was made from.
        samples: reals by input name, ONNX order.
    """
    model, target = simulator.model, simulator.target
    power = {name: _Power() for name in model.outputs}
    count = 0
    for sample in samples:
        expected = evaluate(sample)
        simulator.reset()
        got = simulator.run(
            {name: to_stored(model, name, sample[name], target) for name in model.inputs}
        )
        for name in model.outputs:
            power[name].add(expected[name], to_real(model, name, got[name]))
        count += 1
    return tuple(OutputQuality(name, power[name].sqnr_db, count) for name in model.outputs)


@dataclass(slots=True)
class _Power:
    """Power of a signal and of the noise in it, so far."""

    signal: float = 0.0
    noise: float = 0.0

    def add(self, expected: Array, got: Array) -> None:
        wanted = np.asarray(expected, dtype=np.float64)
        self.signal += float(np.sum(wanted**2))
        self.noise += float(np.sum((wanted - np.asarray(got, dtype=np.float64)) ** 2))

    @property
    def sqnr_db(self) -> float:
        if self.noise == 0.0:
            return math.inf
        return 10.0 * math.log10(self.signal / self.noise) if self.signal else -math.inf
