"""The serial loader of a virtual chip: first the ROM's, then the stub that esptool uploads.

The law of this file: bytes in, bytes out; no I/O and no clock. Any input gives an answer or
silence, never an exception. The uploaded stub is not executed: its commands are answered as the
stub documents them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum

from espdl_hil.virtual.chips import Chip
from espdl_hil.virtual.flash import Flash, FlashRangeError
from espdl_hil.virtual.flash_jobs import FlashRead, FlashWrite, RamLoad
from espdl_hil.virtual.loader_protocol import (
    ROM_ONLY,
    STUB_ONLY,
    SYNC_PAYLOAD,
    Failure,
    Op,
    RefusedError,
    Request,
    data_block,
    parse_request,
    words,
    write_response,
)
from espdl_hil.virtual.registers import Registers
from espdl_hil.virtual.slip import SlipDecoder, encode_frame

_SYNC_REPLIES = 8
_UNKNOWN_REPLIES = 8
# The ROM's answer to SYNC carries some value other than 0; 0 would mean a running stub.
_ROM_SYNC_VALUE = 0x20120707
_SLOW_READ_BYTES = 64
_KNOWN_OPS = frozenset(int(op) for op in Op)


class Restart(Enum):
    """How the loader is left."""

    APP = "app"
    """Boot what is in flash, now."""
    WATCHDOG = "watchdog"
    """The armed watchdog will reset the chip in a moment."""


@dataclass(frozen=True, slots=True)
class LoaderOutput:
    """What some input led to: bytes for the line, a restart to do, a line rate to take."""

    reply: bytes = b""
    restart: Restart | None = None
    baud: int | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    value: int = 0
    body: bytes = b""


class Loader:
    """The loader between one reset and the next.

    Args:
        chip: what it is.
        mac: six bytes, in the order in which they are written.
        flash: what commands read and write.
    """

    def __init__(self, chip: Chip, mac: bytes, flash: Flash) -> None:
        self._chip = chip
        self._flash = flash
        self._registers = Registers(chip, mac, flash.jedec_id)
        self._frames = SlipDecoder()
        self._ram = RamLoad()
        self._write: FlashWrite | None = None
        self._read: FlashRead | None = None
        self._restart: Restart | None = None
        self._baud: int | None = None
        self.running_stub = False

    def feed(self, data: bytes) -> LoaderOutput:
        """Take the next bytes from the line, in any cut."""
        self._restart = None
        self._baud = None
        reply = bytearray()
        for frame in self._frames.feed(data):
            reply += self._answer_frame(frame)
        return LoaderOutput(bytes(reply), self._restart, self._baud)

    def _answer_frame(self, frame: bytes) -> bytes:
        if self._read is not None and len(frame) == 4:
            self._read.acknowledge(int.from_bytes(frame, "little"))
            return self._next_read_frames()
        op = frame[1] if len(frame) > 1 else 0
        try:
            request = parse_request(frame)
            if request is None:
                return b""
            self._read = None
            return self._respond(request)
        except (RefusedError, FlashRangeError) as error:
            failure = error.failure if isinstance(error, RefusedError) else Failure.FAILED_TO_ACT
            return self._response(op, _Answer(), failure)

    def _respond(self, request: Request) -> bytes:
        if not self._knows(request.op):
            return self._unknown(request.op)
        answer = self._run(Op(request.op), request)
        response = self._response(request.op, answer)
        match request.op:
            case Op.SYNC:
                return response * _SYNC_REPLIES
            case Op.MEM_END:
                return response + self._start_stub(request)
            case Op.READ_FLASH:
                return response + self._next_read_frames()
            case Op.RUN_USER_CODE:
                return b""
            case _:
                return response

    def _knows(self, op: int) -> bool:
        if op not in _KNOWN_OPS:
            return False
        if op == Op.GET_SECURITY_INFO and self._chip.magic is not None:
            return False
        return op not in (ROM_ONLY if self.running_stub else STUB_ONLY)

    def _unknown(self, op: int) -> bytes:
        if self.running_stub:
            return self._response(op, _Answer(), Failure.UNKNOWN_COMMAND)
        # The ROM answers several times, and not with the number of the command.
        return self._response(0, _Answer(), Failure.UNKNOWN_COMMAND) * _UNKNOWN_REPLIES

    def _response(self, op: int, answer: _Answer, failure: Failure | None = None) -> bytes:
        code = 0 if failure is None else failure.value[1 if self.running_stub else 0]
        status = bytes((failure is not None, code))
        reserved = b"" if self.running_stub else b"\0\0"
        return write_response(op, answer.value, answer.body + status + reserved)

    def _run(self, op: Op, request: Request) -> _Answer:
        match op:
            case Op.SYNC:
                if request.body != SYNC_PAYLOAD:
                    raise RefusedError(Failure.INVALID_MESSAGE)
                return _Answer(0 if self.running_stub else _ROM_SYNC_VALUE)
            case Op.READ_REG:
                return _Answer(self._registers.read(words(request, 1)[0]))
            case Op.WRITE_REG:
                self._write_registers(request)
            case Op.GET_SECURITY_INFO:
                return _Answer(body=struct.pack("<IB7xII", 0, 0, self._chip.chip_id, 0))
            case Op.CHANGE_BAUDRATE:
                self._baud = words(request, 2)[0]
            case Op.SPI_SET_PARAMS:
                words(request, 6)
            case Op.SPI_ATTACH:
                words(request, 1)
            case Op.MEM_BEGIN:
                size, _, _, address = words(request, 4)
                self._ram.begin(size, address)
            case Op.MEM_DATA:
                self._ram.write(*data_block(request))
            case Op.MEM_END:
                self._end_memory(request)
            case Op.FLASH_BEGIN | Op.FLASH_DEFL_BEGIN:
                self._begin_write(request, deflated=op == Op.FLASH_DEFL_BEGIN)
            case Op.FLASH_DATA | Op.FLASH_DEFL_DATA:
                self._continue_write(request, deflated=op == Op.FLASH_DEFL_DATA)
            case Op.FLASH_END | Op.FLASH_DEFL_END:
                self._end_write(request)
            case Op.RUN_USER_CODE:
                self._restart = Restart.APP
            case _:
                return self._inspect_or_erase(op, request)
        return _Answer()

    def _inspect_or_erase(self, op: Op, request: Request) -> _Answer:
        match op:
            case Op.SPI_FLASH_MD5:
                digest = self._flash.md5(*words(request, 2))
                return _Answer(body=digest if self.running_stub else digest.hex().encode())
            case Op.READ_FLASH_SLOW:
                offset, size = words(request, 2)
                if size > _SLOW_READ_BYTES:
                    raise RefusedError(Failure.FLASH_READ_LENGTH)
                return _Answer(body=self._flash.read(offset, size).ljust(_SLOW_READ_BYTES, b"\0"))
            case Op.READ_FLASH:
                offset, size, block, window = words(request, 4)
                self._read = FlashRead(self._flash, offset, size, block, window)
            case Op.ERASE_FLASH:
                self._flash.erase(0, self._flash.size_bytes)
            case Op.ERASE_REGION:
                self._flash.erase(*words(request, 2))
        return _Answer()

    def _write_registers(self, request: Request) -> None:
        for start in range(0, max(len(request.body), 1), 16):
            part = Request(request.op, 0, request.body[start : start + 16])
            address, value, mask, _ = words(part, 4)
            self._registers.write(address, value, mask)
        if self._registers.watchdog_armed:
            self._restart = Restart.WATCHDOG

    def _begin_write(self, request: Request, *, deflated: bool) -> None:
        # The ESP32's ROM has no word for encryption; elsewhere it is there, and must be 0.
        count = 4 if self._chip.plain_begin and not self.running_stub else 5
        size, _, _, offset, *encrypted = words(request, count)
        if any(encrypted):
            raise RefusedError(Failure.FAILED_TO_ACT)
        self._write = FlashWrite(self._flash, offset, size, deflated=deflated)

    def _continue_write(self, request: Request, *, deflated: bool) -> None:
        number, payload = data_block(request)
        if self._write is None or self._write.deflated != deflated:
            raise RefusedError(Failure.NOT_IN_FLASH_MODE)
        self._write.write(number, payload)

    def _end_write(self, request: Request) -> None:
        stay = words(request, 1)[0]
        if self._write is None:
            raise RefusedError(Failure.NOT_IN_FLASH_MODE)
        self._write.finish()
        self._write = None
        # To the ROM "do not reboot" means "run user code"; the stub stays.
        if not (stay and self.running_stub):
            self._restart = Restart.APP

    def _end_memory(self, request: Request) -> None:
        stay, entry = words(request, 2)
        if not stay and not self._ram.can_run(entry):
            raise RefusedError(Failure.FAILED_TO_ACT)

    def _start_stub(self, request: Request) -> bytes:
        stay, _ = words(request, 2)
        if stay:
            return b""
        self.running_stub = True
        self._write = None
        return encode_frame(b"OHAI")

    def _next_read_frames(self) -> bytes:
        assert self._read is not None
        frames = b"".join(encode_frame(payload) for payload in self._read.frames())
        if self._read.done:
            self._read = None
        return frames
