"""The C model store over flash that loses power, for tests; built by ``make vault``."""

from __future__ import annotations

import ctypes
import functools
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint32, c_uint64
from enum import IntEnum

from tests.firmware.wire_library import SECTOR, handle
from tests.support.reference_engine import build

FOREVER = 2**64 - 1
_SIGNATURES: dict[str, tuple[object, list[object]]] = {
    "vault_new": (handle, [c_uint32, c_int]),
    "vault_free": (None, [handle]),
    "vault_bytes": (handle, [handle]),
    "vault_power": (None, [handle, c_uint64, c_uint32]),
    "vault_power_left": (c_uint64, [handle]),
    "vault_broke_nor": (c_int, [handle]),
    "vault_torn_erase": (c_uint32, [handle]),
    "vault_mount": (c_int, [handle]),
    "vault_begin": (c_int, [handle, c_char_p, c_uint32]),
    "vault_write": (c_int, [handle, c_char_p, c_size_t]),
    "vault_commit": (c_int, [handle]),
    "vault_touch": (c_int, [handle, c_char_p]),
    "vault_erase": (c_int, [handle, c_char_p]),
    "vault_pin": (None, [handle, c_char_p]),
    "vault_count": (c_uint32, [handle]),
    "vault_entry": (c_uint32, [handle, c_uint32, c_char_p, POINTER(c_uint32)]),
    "vault_free_bytes": (c_uint32, [handle]),
}


class Adapter(IntEnum):
    """Through what the store sees the flash."""

    PLAIN = 0
    PFLASH = 1
    """The emulated RISC-V board's, over QEMU's CFI chip; one at a time, at a fixed address."""
    PARTITION = 2
    """ESP-IDF's partition calls."""


@functools.cache
def library() -> ctypes.CDLL:
    """The shared library, built once per session."""
    lib = ctypes.CDLL(str(build("vault", "libhil_vault.so")))
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(lib, name)
        function.restype = result
        function.argtypes = arguments
    return lib


class Vault:
    """A model store over flash that can lose power, through one of the boards' adapters."""

    def __init__(self, sectors: int, adapter: Adapter = Adapter.PLAIN) -> None:
        self._vault = library().vault_new(sectors, adapter)
        self._size = sectors * SECTOR

    def __del__(self) -> None:
        library().vault_free(self._vault)

    def flash(self) -> bytes:
        return ctypes.string_at(library().vault_bytes(self._vault), self._size)

    def set_flash(self, data: bytes) -> None:
        ctypes.memmove(library().vault_bytes(self._vault), data, len(data))

    def power(self, writes: int = FOREVER, seed: int = 0) -> None:
        library().vault_power(self._vault, writes, seed)

    @property
    def power_left(self) -> int:
        return int(library().vault_power_left(self._vault))

    @property
    def broke_nor(self) -> bool:
        return bool(library().vault_broke_nor(self._vault))

    @property
    def torn_erase(self) -> int:
        """Bytes of the erase that ran out of power last; 0 where none did."""
        return int(library().vault_torn_erase(self._vault))

    def mount(self) -> int:
        return int(library().vault_mount(self._vault))

    def begin(self, name: bytes, size: int) -> int:
        return int(library().vault_begin(self._vault, name, size))

    def write(self, data: bytes) -> int:
        return int(library().vault_write(self._vault, data, len(data)))

    def commit(self) -> int:
        return int(library().vault_commit(self._vault))

    def touch(self, name: bytes) -> int:
        return int(library().vault_touch(self._vault, name))

    def erase(self, name: bytes) -> int:
        return int(library().vault_erase(self._vault, name))

    def pin(self, name: bytes | None) -> None:
        library().vault_pin(self._vault, name)

    @property
    def free_bytes(self) -> int:
        return int(library().vault_free_bytes(self._vault))

    def places(self) -> dict[bytes, tuple[int, int]]:
        """Offset and size of each listed model, by name."""
        found = {}
        for index in range(library().vault_count(self._vault)):
            name, at = ctypes.create_string_buffer(32), c_uint32()
            size = library().vault_entry(self._vault, index, name, byref(at))
            found[name.raw] = (at.value, int(size))
        return found

    def models(self) -> dict[bytes, bytes]:
        """The bytes of each listed model, by name."""
        flash = self.flash()
        return {name: flash[at : at + size] for name, (at, size) in self.places().items()}
