"""The registers of a virtual chip that the serial loader reads and writes. No I/O.

The law of this file: a register that nobody described reads 0 and keeps what is written to it.
"""

from __future__ import annotations

from espdl_hil.virtual.chips import Chip

_SPI_START_USER = 1 << 18
_SPI_READ_ID = 0x9F
_WATCHDOG_ENABLE = 1 << 31
_WORD = 0xFFFFFFFF


class Registers:
    """Word registers with the two side effects that flashing needs.

    A user command on the flash controller runs at once (only *read id* answers other than zero),
    and enabling the unlocked RTC watchdog is remembered in ``watchdog_armed``.
    """

    def __init__(self, chip: Chip, mac: bytes, jedec_id: int) -> None:
        self._chip = chip
        self._jedec_id = jedec_id
        self._values = chip.register_values(mac)
        self.watchdog_armed = False

    def read(self, address: int) -> int:
        """Return the word at ``address``."""
        return self._values.get(address, 0)

    def write(self, address: int, value: int, mask: int = _WORD) -> None:
        """Write the bits of ``value`` that ``mask`` selects."""
        self._values[address] = (self.read(address) & ~mask & _WORD) | (value & mask)
        self._run_spi_command(address)
        self._watch_watchdog(address)

    def _run_spi_command(self, address: int) -> None:
        spi = self._chip.spi
        if address != spi.command or not self._values[address] & _SPI_START_USER:
            return
        code = self.read(spi.user2) & 0xFF
        self._values[spi.data0] = self._jedec_id if code == _SPI_READ_ID else 0
        self._values[address] = 0

    def _watch_watchdog(self, address: int) -> None:
        watchdog = self._chip.watchdog
        if watchdog is None or address != watchdog.config0:
            return
        unlocked = self.read(watchdog.write_protect) == watchdog.key
        if unlocked:
            self.watchdog_armed = bool(self._values[address] & _WATCHDOG_ENABLE)
