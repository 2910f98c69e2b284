"""The chips that can be virtual, as data: what esptool and the boot loaders look at.

The law of this file: nothing else in this package names a chip. Addresses are from the technical
reference manuals; the loader differences are from esptool's documentation of the serial protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from espdl_hil.errors import ConfigError

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class SpiRegisters:
    """Addresses of the flash controller's command, command code and first data register."""

    command: int
    user2: int
    data0: int


@dataclass(frozen=True, slots=True)
class WatchdogRegisters:
    """Addresses of the RTC watchdog by which esptool resets a chip without reset lines."""

    config0: int
    write_protect: int
    key: int


@dataclass(frozen=True, slots=True)
class Chip:
    """One chip as its serial loader, boot loaders and efuses show it.

    Attributes:
        name: target name.
        chip_id: in image headers and the security information.
        revision: ``"v0.2"``, as the efuses say it.
        rom_banner: first line after reset.
        bootloader_offset: in flash.
        bootloader_address: where the boot loader's segment is loaded.
        app_address: where flash is mapped as read-only data.
        magic: value of the chip's word at ``0x40001000``, where the loader has no security
            information; ``None`` where it has.
        plain_begin: the ROM's BEGIN commands have four words, not five.
        spi: flash controller.
        watchdog: ``None`` where esptool has no watchdog reset for the chip.
        mac_low, mac_high: efuse words of the MAC address.
        registers: words that read other than zero.
        flash_bytes, psram_bytes: memory of the virtual module.
    """

    name: str
    chip_id: int
    revision: str
    rom_banner: str
    bootloader_offset: int
    bootloader_address: int
    app_address: int
    magic: int | None
    plain_begin: bool
    spi: SpiRegisters
    watchdog: WatchdogRegisters | None
    mac_low: int
    mac_high: int
    registers: Mapping[int, int]
    flash_bytes: int
    psram_bytes: int

    def register_values(self, mac: bytes) -> dict[int, int]:
        """Return the words that read other than zero on the unit with this MAC address."""
        values = dict(self.registers)
        values[self.mac_low] = int.from_bytes(mac[2:], "big")
        values[self.mac_high] = values.get(self.mac_high, 0) | int.from_bytes(mac[:2], "big")
        return values


MAGIC_ADDRESS = 0x40001000

VIRTUAL_CHIPS: tuple[Chip, ...] = (
    Chip(
        name="esp32",
        chip_id=0,
        revision="v3.0",
        rom_banner="ets Jul 29 2019 12:21:46",
        bootloader_offset=0x1000,
        bootloader_address=0x40078000,
        app_address=0x3F400020,
        magic=0x00F01D83,
        plain_begin=True,
        spi=SpiRegisters(command=0x3FF42000, user2=0x3FF42024, data0=0x3FF42080),
        watchdog=None,
        mac_low=0x3FF5A004,
        mac_high=0x3FF5A008,
        registers=MappingProxyType(
            {
                MAGIC_ADDRESS: 0x00F01D83,
                # Major revision 3 is spread over three bits in three registers.
                0x3FF5A00C: 1 << 15,
                0x3FF5A014: 1 << 20,
                0x3FF6607C: 1 << 31,
                # 40 MHz crystal: divider of UART0 at 115200 baud; and the ROM's own calibration,
                # value << 7, which with the 8 MHz clock efuse (128) gives 40 MHz.
                0x3FF40014: 0x15B,
                0x3FF5F06C: 800 << 7,
                0x3FF5A010: 128,
            }
        ),
        flash_bytes=16 * MIB,
        psram_bytes=4 * MIB,
    ),
    Chip(
        name="esp32s3",
        chip_id=9,
        revision="v0.2",
        rom_banner="ESP-ROM:esp32s3-20210327",
        bootloader_offset=0x0,
        bootloader_address=0x403C9700,
        app_address=0x3C000020,
        magic=None,
        plain_begin=False,
        spi=SpiRegisters(command=0x60002000, user2=0x60002020, data0=0x60002058),
        watchdog=WatchdogRegisters(config0=0x60008098, write_protect=0x600080B0, key=0x50D83AA1),
        mac_low=0x60007044,
        mac_high=0x60007048,
        registers=MappingProxyType({0x60007050: 2 << 18}),
        flash_bytes=16 * MIB,
        psram_bytes=8 * MIB,
    ),
    Chip(
        name="esp32p4",
        chip_id=18,
        revision="v1.3",
        rom_banner="ESP-ROM:esp32p4-eco2-20240710",
        bootloader_offset=0x2000,
        bootloader_address=0x4FF29ED0,
        app_address=0x40000020,
        magic=None,
        plain_begin=False,
        spi=SpiRegisters(command=0x5008D000, user2=0x5008D020, data0=0x5008D058),
        watchdog=WatchdogRegisters(config0=0x50116000, write_protect=0x50116018, key=0x50D83AA1),
        mac_low=0x5012D044,
        mac_high=0x5012D048,
        registers=MappingProxyType({0x5012D04C: 1 << 4 | 3}),
        flash_bytes=16 * MIB,
        psram_bytes=32 * MIB,
    ),
)
"""Every chip that can be virtual."""


def chip_named(name: str) -> Chip:
    """Return the chip called ``name``.

    Raises:
        ConfigError: it cannot be virtual; the message lists those that can.
    """
    for chip in VIRTUAL_CHIPS:
        if chip.name == name:
            return chip
    known = ", ".join(chip.name for chip in VIRTUAL_CHIPS)
    raise ConfigError(f"no virtual board for target {name!r}", hint=f"virtual targets: {known}")
