"""Where in the sources a panic happened: addresses of a panic, looked up in the firmware's ELF.

The law of this file: it reads one ELF file and runs nothing. An ELF of another firmware is refused,
since its names would be wrong ones; a frame that the debug information does not prove is not shown.
"""

from __future__ import annotations

import bisect
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from espdl_hil.boards.panics import Panic
from espdl_hil.errors import ConfigError

_MOST_FRAMES = 64
_RA, _SP = 1, 2
# DWARF numbers of RISC-V are those of x0 … x31; the panic text has the names of the calling
# convention.
_RISCV_NUMBERS: Mapping[str, int] = {
    "ZERO": 0,
    "RA": _RA,
    "SP": _SP,
    "GP": 3,
    "TP": 4,
    "T0": 5,
    "T1": 6,
    "T2": 7,
    "S0/FP": 8,
    "S1": 9,
    **{f"A{number}": 10 + number for number in range(8)},
    **{f"S{number}": 16 + number for number in range(2, 12)},
    **{f"T{number}": 25 + number for number in range(3, 7)},
}


@dataclass(frozen=True, slots=True)
class Frame:
    """One step of a backtrace.

    Attributes:
        address: in the program.
        function: empty where the ELF has no symbol there.
        file, line: of the source; empty and 0 without debug information.
    """

    address: int
    function: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        text = f"{self.address:#010x}"
        if self.function:
            text += f" {self.function}"
        return f"{text} ({self.file}:{self.line})" if self.file else text


class Symbols:
    """An ELF file that answers questions about addresses.

    Args:
        data: the file.
        name: for messages.

    Raises:
        ConfigError: it is no ELF file.
    """

    def __init__(self, data: bytes, name: str = "ELF") -> None:
        # A panic is rare, reading ELF files is slow to import.
        from elftools.common.exceptions import DWARFError, ELFError
        from elftools.elf.elffile import ELFFile

        self.sha256 = hashlib.sha256(data).hexdigest()
        self._errors = (DWARFError, ELFError, KeyError, ValueError, IndexError, AssertionError)
        try:
            self._elf = ELFFile(io.BytesIO(data))
            self._functions = sorted(self._read_functions())
            self._dwarf = self._elf.get_dwarf_info() if self._elf.has_dwarf_info() else None
        except self._errors as cause:
            raise ConfigError(f"this is no ELF file: {cause}", file=name) from cause
        self._rows: list[tuple[int, int, Any]] | None = None

    def frames(self, panic: Panic) -> tuple[Frame, ...]:
        """Return the backtrace of ``panic``, the innermost frame first.

        That is the board's own where it printed one; else the stack that it printed is followed
        by the call frame information of the ELF.
        """
        addresses = panic.backtrace or tuple(self._unwound(panic))
        called_from = 0 if panic.backtrace else 1
        return tuple(
            # A return address is behind the call; the line is the call's.
            self.locate(address, back=called_from if at else 0)
            for at, address in enumerate(addresses)
        )

    def locate(self, address: int, *, back: int = 0) -> Frame:
        """Return what stands at ``address``, looked up ``back`` bytes before it."""
        function = self._function(address - back)
        try:
            file, line = self._line(address - back)
        except self._errors:  # debug information of a compiler that the reader does not know
            file, line = "", 0
        return Frame(address, function, file, line)

    # --- Functions and lines ------------------------------------------------------------------

    def _read_functions(self) -> Iterator[tuple[int, int, str]]:
        table: Any = self._elf.get_section_by_name(".symtab")
        for symbol in table.iter_symbols() if table is not None else ():
            if symbol["st_info"]["type"] == "STT_FUNC":
                yield symbol["st_value"], symbol["st_size"], symbol.name

    def _function(self, address: int) -> str:
        at = bisect.bisect_right(self._functions, (address, 1 << 64, "")) - 1
        if at < 0:
            return ""
        start, size, name = self._functions[at]
        # Code in assembler often has no size.
        return name if address < start + size or (size == 0 and address == start) else ""

    def _line(self, address: int) -> tuple[str, int]:
        if self._dwarf is None:
            return "", 0
        for unit in self._units(address):
            program = self._dwarf.line_program_for_CU(unit)
            if program is None:
                continue
            before: Any = None
            for entry in program.get_entries():
                state = entry.state
                if state is None:
                    continue
                if before is not None and before.address <= address < state.address:
                    return _file_name(program, before.file), int(before.line)
                before = None if state.end_sequence else state
        return "", 0

    def _units(self, address: int) -> Iterator[Any]:
        """Yield the compilation units that may hold ``address``."""
        assert self._dwarf is not None
        ranges = self._dwarf.get_aranges()
        if ranges is None:
            yield from self._dwarf.iter_CUs()
            return
        offset = ranges.cu_offset_at_addr(address)
        if offset is not None:
            yield self._dwarf.get_CU_at(offset)

    # --- Following a RISC-V stack -------------------------------------------------------------

    def _unwound(self, panic: Panic) -> Iterator[int]:
        if panic.pc is None:
            return
        yield panic.pc
        values = {
            _RISCV_NUMBERS[name]: value
            for name, value in panic.registers.items()
            if name in _RISCV_NUMBERS
        }
        pc = panic.registers.get("MEPC", panic.pc)
        for depth in range(_MOST_FRAMES):
            caller = self._caller(panic, pc if depth == 0 else pc - 1, values, innermost=depth == 0)
            if caller is None or caller == pc:
                return
            # After abort() the registers are the panic handler's, and its caller was told already.
            if caller != panic.pc:
                yield caller
            pc = caller

    def _caller(
        self, panic: Panic, pc: int, values: dict[int, int], *, innermost: bool
    ) -> int | None:
        """Return the address that the function at ``pc`` returns to, and change ``values`` to it.

        ``None`` where the frame cannot be followed.
        """
        row = self._frame_row(pc)
        if row is None:
            # A function without frame information that calls nothing still has its return address.
            caller = values.pop(_RA, None) if innermost else None
            return caller if caller and self._function(caller - 1) else None
        frame = row["cfa"]
        base = None if frame.expr is not None else values.get(frame.reg)
        if base is None:
            return None
        start = base + frame.offset
        before = dict(values)
        for number, rule in row.items():
            if isinstance(number, int) and rule.type == "OFFSET":
                word = panic.stack.word(start + rule.arg)
                if word is None:
                    values.pop(number, None)
                else:
                    values[number] = word
        values[_SP] = start
        caller = values.get(_RA) if _RA in row else before.get(_RA) if innermost else None
        return caller if caller and self._function(caller - 1) else None

    def _frame_row(self, pc: int) -> dict[Any, Any] | None:
        if self._rows is None:
            try:
                self._rows = sorted(self._read_frames(), key=lambda row: row[0])
            except self._errors:
                self._rows = []
        at = bisect.bisect_right(self._rows, pc, key=lambda row: row[0]) - 1
        if at < 0 or pc >= self._rows[at][1]:
            return None
        try:
            table = self._rows[at][2].get_decoded().table
        except self._errors:
            return None
        rows: list[dict[Any, Any]] = [row for row in table if row["pc"] <= pc]
        return rows[-1] if rows else None

    def _read_frames(self) -> Iterator[tuple[int, int, Any]]:
        if self._dwarf is None:
            return
        from elftools.dwarf.callframe import FDE

        entries: list[Any] = []
        if self._dwarf.has_CFI():
            entries += self._dwarf.CFI_entries()
        if self._dwarf.has_EH_CFI():
            entries += self._dwarf.EH_CFI_entries()
        for entry in entries:
            if isinstance(entry, FDE):
                start = entry["initial_location"]
                yield start, start + entry["address_range"], entry


def symbols_of(data: bytes, firmware_sha256: str, name: str) -> Symbols:
    """Return the symbols of the firmware that runs.

    Args:
        data: an ELF file.
        firmware_sha256: what the board said in its hello; empty where it said none.
        name: of the file, for messages.

    Raises:
        ConfigError: it is no ELF file, or that of another firmware.
    """
    symbols = Symbols(data, name)
    if firmware_sha256 and symbols.sha256 != firmware_sha256:
        raise ConfigError(
            f"this is firmware {symbols.sha256[:12]}, on the board runs {firmware_sha256[:12]}",
            file=name,
            hint="give the ELF file of the build that was flashed",
        )
    return symbols


def _file_name(program: Any, index: int) -> str:  # noqa: ANN401 -- the library has no types
    header = program.header
    files = header["file_entry"]
    at = index if header["version"] >= 5 else index - 1
    if not 0 <= at < len(files):
        return ""
    entry = files[at]
    name = _text(entry.name)
    folders = header["include_directory"]
    folder = entry.dir_index if header["version"] >= 5 else entry.dir_index - 1
    if name.startswith("/") or not 0 <= folder < len(folders):
        return name
    return f"{_text(folders[folder])}/{name}"


def _text(value: Any) -> str:  # noqa: ANN401 -- bytes in most versions of the library
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
