"""How much memory chips have, as data: what a model can hope for, not what a board has.

The law of this file: sizes are those of the usual modules, and of what an application can still
allocate at start; a board may have more or less. They decide warnings only, never numbers.
Source: ESP-IDF ``soc_caps.h`` and the chips' data sheets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_KIB = 1 << 10
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class ChipMemory:
    """Memory of one chip.

    Attributes:
        internal_bytes: internal RAM that an application can still allocate at start.
        psram_bytes: of the usual module with PSRAM; 0 where the chip cannot have any.
        flash_bytes: flash of the usual module, less the application.
        floats: whether floating point is computed in hardware.
    """

    internal_bytes: int
    psram_bytes: int
    flash_bytes: int
    floats: bool


CHIP_MEMORY: Mapping[str, ChipMemory] = MappingProxyType(
    {
        "esp32": ChipMemory(280 * _KIB, 4 * _MIB, 3 * _MIB, True),
        "esp32s2": ChipMemory(220 * _KIB, 2 * _MIB, 3 * _MIB, False),
        "esp32c2": ChipMemory(190 * _KIB, 0, 3 * _MIB, False),
        "esp32c3": ChipMemory(300 * _KIB, 0, 3 * _MIB, False),
        "esp32c5": ChipMemory(300 * _KIB, 4 * _MIB, 7 * _MIB, False),
        "esp32c6": ChipMemory(440 * _KIB, 0, 7 * _MIB, False),
        "esp32s3": ChipMemory(370 * _KIB, 8 * _MIB, 15 * _MIB, True),
        "esp32p4": ChipMemory(550 * _KIB, 32 * _MIB, 15 * _MIB, True),
        "esp32s31": ChipMemory(400 * _KIB, 16 * _MIB, 15 * _MIB, True),
    }
)
"""By target name."""
