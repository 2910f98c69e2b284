"""Room in accumulators: whether to make some, and the precision that a layer gives up for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias

from espdl_hil.targets import MacArithmetic, Overflow


class AccumulatorHeadroom(Enum):
    """For which inputs the accumulators shall hold every partial sum."""

    OFF = "off"
    """For none in particular."""
    CALIBRATION = "calibration"
    """For every calibration sample, as the target's exact accumulators compute it."""
    ANY_INPUT = "any-input"
    """For every input that exists, proven by a bound."""

    @classmethod
    def usual_for(cls, arithmetic: MacArithmetic, bits: int) -> AccumulatorHeadroom:
        """``CALIBRATION`` where lanes saturate and hold fewer than 2**17 full-scale products.

        A wider one overflows in no model of the size that fits such a chip.
        """
        lane = arithmetic.lane
        narrow = lane.overflow is Overflow.SATURATE and lane.bits < 2 * bits + 16
        return cls.CALIBRATION if narrow else cls.OFF


@dataclass(frozen=True, slots=True)
class Room:
    """What one multiply-accumulate node gives up.

    Attributes:
        weights: the finest exponents that its weights (or its second activation) may have, one or
            one per output channel; empty for any.
        inputs: the finest exponent that its input may have; ``None`` for any.
        converts: whether the input is converted in front of the node, even where its producer
            could give the coarser exponent itself: the finer value's range then is a proof that
            the ends of the coarser one's are not reached.
    """

    weights: tuple[int, ...] = ()
    inputs: int | None = None
    converts: bool = False


Rooms: TypeAlias = Mapping[str, Room]
"""By node name."""

NO_ROOMS: Rooms = MappingProxyType({})
