"""The server side of telnet with the COM port option (RFC 854, RFC 2217). No I/O.

The law of this file: bytes in, events and answers out; any bytes may come in any cut. Settings of
the line are accepted and echoed, since a virtual line has none; DTR and RTS are what it is for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from espdl_hil.virtual.port import LinesChanged, PortEvent, Received

_SE, _SB, _WILL, _WONT, _DO, _DONT, _IAC = 240, 250, 251, 252, 253, 254, 255
_BINARY, _ECHO, _SUPPRESS_GO_AHEAD, _COM_PORT = 0, 1, 3, 44
_WE_DO = frozenset({_BINARY, _ECHO, _SUPPRESS_GO_AHEAD, _COM_PORT})
_THEY_DO = frozenset({_BINARY, _SUPPRESS_GO_AHEAD, _COM_PORT})
_SERVER_ANSWER = 100
_SET_BAUDRATE, _SET_STOPSIZE, _SET_CONTROL, _PURGE = 1, 4, 5, 12
_ECHOED = frozenset(range(_SET_BAUDRATE, _SET_STOPSIZE + 1)) | {10, 11, _PURGE}
_DTR = {8: True, 9: False}
_RTS = {11: True, 12: False}
_ASK_FLOW, _ASK_BREAK, _ASK_DTR, _ASK_RTS, _ASK_FLOW_IN = 0, 4, 7, 10, 13
_NO_FLOW, _BREAK_OFF, _DTR_ON, _DTR_OFF, _RTS_ON, _RTS_OFF, _NO_FLOW_IN = 1, 6, 8, 9, 11, 12, 14
_DEFAULTS = {
    _SET_BAUDRATE: (115200).to_bytes(4, "big"),
    2: b"\x08",
    3: b"\x01",
    _SET_STOPSIZE: b"\x01",
}
_MAX_SUBNEGOTIATION = 64


@dataclass(slots=True)
class ComPortServer:
    """One connection's state: options agreed on, control lines, settings."""

    dtr: bool = False
    rts: bool = False
    reply: bytearray = field(default_factory=bytearray)
    _partial: bytearray = field(default_factory=bytearray)
    _ours: set[int] = field(default_factory=set)
    _theirs: set[int] = field(default_factory=set)
    _settings: dict[int, bytes] = field(default_factory=lambda: dict(_DEFAULTS))

    def feed(self, data: bytes) -> list[PortEvent]:
        """Take bytes of the connection; answers are appended to ``reply``."""
        self._partial += data
        events: list[PortEvent] = []
        buffer = bytes(self._partial)
        position = 0
        while position < len(buffer):
            mark = buffer.find(_IAC, position)
            end = len(buffer) if mark < 0 else mark
            if end > position:
                events.append(Received(buffer[position:end]))
            position = end
            if mark < 0:
                break
            size = self._command(buffer, mark, events)
            if size == 0:
                break
            position += size
        self._partial = bytearray(buffer[position:])
        return events

    @staticmethod
    def escape(data: bytes) -> bytes:
        """Return data as it goes over the connection."""
        return data.replace(b"\xff", b"\xff\xff")

    def _command(self, buffer: bytes, mark: int, events: list[PortEvent]) -> int:
        """Run the command at ``mark``; return its size, 0 if it is not complete."""
        if len(buffer) < mark + 2:
            return 0
        verb = buffer[mark + 1]
        if verb == _IAC:
            events.append(Received(b"\xff"))
            return 2
        if verb in (_WILL, _WONT, _DO, _DONT):
            if len(buffer) < mark + 3:
                return 0
            self._negotiate(verb, buffer[mark + 2])
            return 3
        if verb == _SB:
            end = buffer.find(bytes((_IAC, _SE)), mark + 2)
            if end < 0:
                # An endless subnegotiation is not worth waiting for.
                return 0 if len(buffer) - mark < _MAX_SUBNEGOTIATION else 2
            self._subnegotiate(buffer[mark + 2 : end].replace(b"\xff\xff", b"\xff"), events)
            return end + 2 - mark
        return 2

    def _negotiate(self, verb: int, option: int) -> None:
        agreed, wanted, yes, no = (
            (self._ours, _WE_DO, _WILL, _WONT)
            if verb in (_DO, _DONT)
            else (self._theirs, _THEY_DO, _DO, _DONT)
        )
        asked = verb in (_DO, _WILL)
        if asked and option in wanted:
            # Answering only changes keeps two polite sides from answering each other for ever.
            if option not in agreed:
                agreed.add(option)
                self.reply += bytes((_IAC, yes, option))
        elif asked or option in agreed:
            agreed.discard(option)
            self.reply += bytes((_IAC, no, option))

    def _subnegotiate(self, body: bytes, events: list[PortEvent]) -> None:
        if len(body) < 2 or body[0] != _COM_PORT:
            return
        command, value = body[1], body[2:]
        if command == _SET_CONTROL and value:
            self._control(value[0], events)
        elif command in _ECHOED:
            # A zero asks for the present setting.
            if command in self._settings:
                value = value if any(value) else self._settings[command]
                self._settings[command] = value
            self._answer(command, value)

    def _control(self, value: int, events: list[PortEvent]) -> None:
        before = (self.dtr, self.rts)
        self.dtr = _DTR.get(value, self.dtr)
        self.rts = _RTS.get(value, self.rts)
        state = {
            _ASK_FLOW: _NO_FLOW,
            _ASK_BREAK: _BREAK_OFF,
            _ASK_DTR: _DTR_ON if self.dtr else _DTR_OFF,
            _ASK_RTS: _RTS_ON if self.rts else _RTS_OFF,
            _ASK_FLOW_IN: _NO_FLOW_IN,
        }
        if (self.dtr, self.rts) != before:
            events.append(LinesChanged(self.dtr, self.rts))
        self._answer(_SET_CONTROL, bytes((state.get(value, value),)))

    def _answer(self, command: int, value: bytes) -> None:
        body = bytes((_COM_PORT, command + _SERVER_ANSWER)) + self.escape(value)
        self.reply += bytes((_IAC, _SB)) + body + bytes((_IAC, _SE))
