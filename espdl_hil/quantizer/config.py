"""What a user may choose about quantization, checked once."""

from __future__ import annotations

from dataclasses import dataclass

from espdl_hil.calibration.observers import DEFAULT_OBSERVER, Observer
from espdl_hil.errors import ConfigError
from espdl_hil.quantizer.room import AccumulatorHeadroom
from espdl_hil.quantizer.weights import WeightRange
from espdl_hil.targets import Target


@dataclass(frozen=True, slots=True)
class QuantizeConfig:
    """How to quantize a model.

    Attributes:
        target: the chip.
        bits: integer width of activations and weights, 8 or 16.
        observer: how an activation's exponent is chosen from its calibrated range.
        weights: how a weight's exponent is chosen.
        random_samples: number of random calibration samples where no data is given; 0 refuses.
        seed: of the random samples.
        accumulator_headroom: for which inputs no accumulator may overflow; ``None`` takes what
            suits the target's accumulators, see ``headroom``.
        bias_correction: whether biases take back the mean error of rounded weights, where real
            calibration samples show that outputs gain by it.
    """

    target: Target
    bits: int = 8
    observer: Observer = DEFAULT_OBSERVER
    weights: WeightRange = WeightRange.MSE
    random_samples: int = 0
    seed: int = 0
    accumulator_headroom: AccumulatorHeadroom | None = None
    bias_correction: bool = True

    def __post_init__(self) -> None:
        if self.bits not in self.target.mac:
            widths = " or ".join(str(bits) for bits in self.target.mac)
            raise ConfigError(f"{self.bits} bits", key="bits", hint=f"{widths} bits are supported")
        if self.random_samples < 0:
            raise ConfigError(f"{self.random_samples} random samples", key="random_samples")

    @property
    def headroom(self) -> AccumulatorHeadroom:
        """For which inputs no accumulator may overflow."""
        if self.accumulator_headroom is not None:
            return self.accumulator_headroom
        return AccumulatorHeadroom.usual_for(self.target.mac[self.bits], self.bits)
