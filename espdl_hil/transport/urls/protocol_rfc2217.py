"""``rfc2217://`` without what is slow in pyserial's: the same bytes on the line, fewer of them.

The law of this file: whatever reaches the board is as with pyserial's port, in the same order. Only
a negotiation whose every value holds already is left out, and waiting for an answer ends when it
has come. pyserial 3.5 negotiates all settings again when a program changes its read timeout, which
esptool does for almost every command, and looks for answers every 50 ms.
"""

from __future__ import annotations

import time
from typing import Any

from serial import rfc2217
from serial.serialutil import SerialException

_POLL_S = 0.001


class Serial(rfc2217.Serial):
    """A port of another machine, by RFC 2217."""

    # pyserial's own, which its types do not tell
    _ignore_set_control_answer: bool
    _network_timeout: float
    _rfc2217_options: dict[str, Any]

    def open(self) -> None:
        """Connect and negotiate everything anew."""
        self._agreed: tuple[Any, ...] | None = None
        super().open()

    def rfc2217_set_control(self, value: bytes) -> None:
        """Set a control line and wait until the server has done it."""
        if self._ignore_set_control_answer:
            super().rfc2217_set_control(value)
        else:
            self._ask("control", value)

    def rfc2217_send_purge(self, value: bytes) -> None:
        """Empty buffers of the server and wait until it has."""
        self._ask("purge", value)

    def _reconfigure_port(self) -> None:
        wanted = (
            *(self.baudrate, self.bytesize, self.parity, self.stopbits),
            *(self.rtscts, self.xonxoff, self.write_timeout),
        )
        if wanted != self._agreed:
            self._agreed = None
            super()._reconfigure_port()  # type: ignore[misc]
            self._agreed = wanted

    def _ask(self, name: str, value: bytes) -> None:
        option = self._rfc2217_options[name]
        option.set(value)
        end = time.monotonic() + self._network_timeout
        while not option.is_ready():
            if time.monotonic() >= end:
                raise SerialException(f"the server did not answer to {name!r}")
            time.sleep(_POLL_S)
