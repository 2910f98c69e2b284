"""The two reset lines of a USB-UART bridge: EN and IO0 from RTS and DTR. No I/O, no clock.

The law of this file: time comes in as an argument, in seconds of any monotonic clock.
"""

from __future__ import annotations

from enum import Enum

STRAP_WINDOW_S = 0.3
"""How long after EN rises IO0 may still go low and be taken for the strap.

The chip samples IO0 at once, but a capacitor on EN delays that, and over RFC 2217 each line is a
round trip: EN is released first and IO0 pulled low one round trip later.
"""


class Reset(Enum):
    """What the lines lead to."""

    HOLD = "hold"
    """EN is low: nothing runs."""
    LOADER = "loader"
    """EN rose with IO0 low: serial loader."""
    APP = "app"
    """EN rose with IO0 high: boot from flash."""


class ResetLines:
    """The two-transistor circuit of development boards.

    EN is low while RTS is asserted and DTR is not; IO0 is low while DTR is asserted and RTS is not.
    """

    def __init__(self) -> None:
        self._held = False
        self.deadline_s: float | None = None

    def change(self, *, dtr: bool, rts: bool, now_s: float) -> Reset | None:
        """Take the lines' new state and return what follows at once."""
        enable_low = rts and not dtr
        io0_low = dtr and not rts
        if enable_low:
            if self._held:
                return None
            self._held = True
            self.deadline_s = None
            return Reset.HOLD
        if self._held:
            self._held = False
            self.deadline_s = now_s + STRAP_WINDOW_S
        if self.deadline_s is not None and io0_low:
            self.deadline_s = None
            return Reset.LOADER
        return None

    def expire(self, now_s: float) -> Reset | None:
        """Return what follows because time passed: the strap window closed with IO0 high."""
        if self.deadline_s is None or now_s < self.deadline_s:
            return None
        self.deadline_s = None
        return Reset.APP
