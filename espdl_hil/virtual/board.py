"""The virtual board: port, reset lines, loader and application joined by one event loop.

The law of this file: it is the only place that knows the time and that waits.
"""

from __future__ import annotations

import logging
import os
import select
import time
from enum import Enum

from espdl_hil.errors import ConfigError
from espdl_hil.virtual.app import App, ResetReason, lasting_memory, runner_arguments
from espdl_hil.virtual.boot import NotBootable, boot
from espdl_hil.virtual.cpu import Cpu, Emulator, find_qemu
from espdl_hil.virtual.faults import Damage, Faults, LineFault
from espdl_hil.virtual.line import Line
from espdl_hil.virtual.loader_protocol import SYNC_FRAME
from espdl_hil.virtual.port import LastClosed, LinesChanged, Port, Received
from espdl_hil.virtual.reset import Reset, ResetLines
from espdl_hil.virtual.rom import Loader, Restart
from espdl_hil.virtual.state import BoardState

_log = logging.getLogger(__name__)

_BUFFER_BYTES = 1 << 18
_WATCHDOG_S = 0.1
_BOOT_LOOP_S = 0.3
_RESTART_S = 0.05
_MAX_RESTART_S = 2.0
_HEALTHY_S = 5.0
_OVERRUN_S = 1.0
# esptool looks for "boot:0x…" and "waiting for download" after it pulled the lines.
_BOOT_FROM_FLASH = "boot:0x8 (SPI_FAST_FLASH_BOOT)"
_BOOT_TO_LOADER = "boot:0x0 (DOWNLOAD(USB/UART0))"
_RESET_CODES = {
    ResetReason.POWER_ON: "rst:0x1 (POWERON)",
    ResetReason.EXTERNAL: "rst:0x1 (POWERON)",
    ResetReason.SOFTWARE: "rst:0x3 (RTC_SW_SYS_RST)",
    ResetReason.PANIC: "rst:0xc (RTC_SW_CPU_RST)",
    ResetReason.WATCHDOG: "rst:0x10 (RTCWDT_RTC_RST)",
    ResetReason.BROWNOUT: "rst:0xf (BROWNOUT_RST)",
}


class _Mode(Enum):
    HELD = "held in reset"
    LOADER = "serial loader"
    APP = "application"
    BOOT_LOOP = "boot loop"
    RESTARTING = "restarting"


class Board:
    """A virtual board on a port.

    Args:
        state: its folder.
        port: where the host is.
        faults: to inject.
        baud_limit: simulated line rate in both directions; ``None`` does not limit.
        cpu: what executes the application.

    Raises:
        ConfigError: the emulator of the processor is not installed.
    """

    def __init__(
        self,
        state: BoardState,
        port: Port,
        faults: Faults,
        baud_limit: int | None = None,
        cpu: Cpu = Cpu.HOST,
    ) -> None:
        self._cpu = cpu
        self._emulator = (
            None
            if cpu is Cpu.HOST
            else Emulator(find_qemu(), state.unit.flash_path, state.unit.chip.psram_bytes)
        )
        self._state = state
        self._port = port
        self._faults = faults
        self._app_faults = faults.app
        self._up = Line(baud_limit)
        self._down = Line(baud_limit)
        self._up_damage = Damage(faults.up, faults.seed)
        self._down_damage = Damage(faults.down, faults.seed + 1)
        self._passed_bytes = 0
        self._unplugged = False
        self._lines = ResetLines()
        self._mode = _Mode.HELD
        self._loader: Loader | None = None
        self._app: App | None = None
        self._app_started_s = 0.0
        self._to_app = b""
        self._to_port = b""
        self._sniffed = b""
        self._wake_at_s: float | None = None
        self._overrun_at_s: float | None = None
        self._restart_reason = ResetReason.POWER_ON
        self._crashes = 0
        self._epoll = select.epoll()
        self._crumb = lasting_memory()
        self._watched: set[int] = set()
        self._port_ready = True
        self._app_ready = False

    def run(self, stop: int, parent: int | None = None) -> None:
        """Power the board on and let it live until it shall end, or its cable was cut.

        Args:
            stop: a descriptor that becomes readable then.
            parent: a pipe whose other end closes then; what is written to it is not read.
        """
        ends = {stop, parent}
        self._watch(stop)
        if parent is not None:
            self._watch(parent, events=select.EPOLLRDHUP)
        self._watch(self._port.fileno())
        self._boot(ResetReason.POWER_ON)
        moved = True
        try:
            while not self._unplugged:
                ready = dict(self._epoll.poll(0 if moved else self._timeout_s()))
                if not ends.isdisjoint(ready):
                    return
                self._port_ready |= self._port.fileno() in ready
                self._app_ready |= self._app is not None and not ready.keys().isdisjoint(
                    self._app.outputs
                )
                moved = self._step(time.monotonic())
        finally:
            self._stop_app()
            self._epoll.close()
            os.close(self._crumb)

    def _timeout_s(self) -> float:
        """Return seconds until something is due, -1 for never (as epoll wants it)."""
        due = [self._wake_at_s, self._overrun_at_s, self._lines.deadline_s]
        if not self._to_app:
            due.append(self._up.due_s)
        if not self._to_port:
            due.append(self._down.due_s)
        times = [moment for moment in due if moment is not None]
        return max(0.0, min(times) - time.monotonic()) if times else -1

    def _step(self, now_s: float) -> bool:
        """Move everything that can move; return whether anything did."""
        moved = self._expire(now_s)
        moved |= self._receive(now_s)
        moved |= self._deliver_up(now_s)
        moved |= self._collect_app(now_s)
        moved |= self._deliver_down(now_s)
        return moved

    def _expire(self, now_s: float) -> bool:
        if self._lines.expire(now_s) is not None:
            self._boot(ResetReason.EXTERNAL)
            return True
        if self._overrun_at_s is not None and now_s >= self._overrun_at_s:
            self._overrun_at_s = None
            self._to_app = b""
            self._up.clear()
            return True
        if self._wake_at_s is None or now_s < self._wake_at_s:
            return False
        restarting = self._mode is _Mode.RESTARTING
        self._boot(self._restart_reason if restarting else ResetReason.WATCHDOG)
        return True

    # -- host to board ------------------------------------------------------------------------

    def _receive(self, now_s: float) -> bool:
        room = _BUFFER_BYTES - self._up.waiting_bytes - len(self._to_app)
        if room <= 0 and self._overrun_at_s is None:
            # A UART does not wait for an application that hangs: what it does not take is lost.
            self._overrun_at_s = now_s + _OVERRUN_S
        if room <= 0 or not self._port_ready:
            return False
        self._overrun_at_s = None
        events = self._port.receive(room)
        self._port_ready = bool(events)
        for event in events:
            match event:
                case Received(data):
                    self._up.push(self._sniff(data), now_s)
                case LinesChanged(dtr, rts):
                    self._follow_lines(self._lines.change(dtr=dtr, rts=rts, now_s=now_s))
                case LastClosed():
                    self._follow_close()
        return bool(events)

    def _sniff(self, data: bytes) -> bytes:
        """Virtual only: the loader's SYNC frame works as the reset lines that a terminal lacks."""
        if not self._port.boots_on_close or self._mode is _Mode.LOADER:
            return data
        seen = self._sniffed + data
        place = seen.find(SYNC_FRAME)
        if place < 0:
            self._sniffed = seen[-(len(SYNC_FRAME) - 1) :]
            return data
        self._enter_loader()
        return seen[place:]

    def _follow_lines(self, event: Reset | None) -> None:
        match event:
            case Reset.HOLD:
                self._power_down()
            case Reset.LOADER:
                self._enter_loader()
                self._say(self._banner(ResetReason.POWER_ON, _BOOT_TO_LOADER))
                self._say("waiting for download")

    def _follow_close(self) -> None:
        self._to_port = b""
        self._down.clear()
        if self._port.boots_on_close and self._mode is _Mode.LOADER:
            self._boot(ResetReason.EXTERNAL)

    def _deliver_up(self, now_s: float) -> bool:
        if not self._to_app:
            data = self._up.pop(now_s)
            if not data:
                return False
            if self._loader is not None:
                self._feed_loader(self._loader, data, now_s)
                return True
            if self._app is None:
                return True
            self._to_app = self._pass(self._up_damage, data)
        return self._write_app()

    def _write_app(self) -> bool:
        if self._app is None:
            self._to_app = b""
            return True
        taken = self._app.write(self._to_app)
        self._to_app = self._to_app[taken:]
        if self._to_app:
            self._watch(self._app.stdin, events=select.EPOLLOUT)
        else:
            self._unwatch(self._app.stdin)
        return taken > 0

    def _feed_loader(self, loader: Loader, data: bytes, now_s: float) -> None:
        output = loader.feed(data)
        self._down.push(output.reply, now_s)
        match output.restart:
            case Restart.APP:
                self._boot(ResetReason.SOFTWARE)
            case Restart.WATCHDOG:
                self._wake_at_s = now_s + _WATCHDOG_S

    # -- board to host ------------------------------------------------------------------------

    def _collect_app(self, now_s: float) -> bool:
        app = self._app
        if app is None:
            return False
        if self._down.waiting_bytes + len(self._to_port) >= _BUFFER_BYTES:
            self._unwatch(*app.outputs)
            return False
        self._watch(*app.outputs)
        if not self._app_ready:
            return False
        # Asked before reading, so that the last words are read in any case.
        exited = app.has_exited()
        data = app.read()
        text = app.read_error_text()
        for part in (data, text):
            self._down.push(self._pass(self._down_damage, part), now_s)
        if text:
            _log.info("runner: %s", text.decode("utf-8", "replace").rstrip())
        self._app_ready = bool(data or text)
        if exited and not self._app_ready:
            if self._app_faults and app.refuses_arguments():
                known = ", ".join(fault.text for fault in self._app_faults)
                raise ConfigError(
                    f"the firmware does not know one of these faults: {known}", key="--fault"
                )
            self._restart(app.restart_reason(), now_s)
            return True
        return self._app_ready

    def _deliver_down(self, now_s: float) -> bool:
        if not self._to_port:
            self._to_port = self._down.pop(now_s)
        if not self._to_port:
            return False
        taken = self._port.send(self._to_port)
        self._to_port = self._to_port[taken:]
        return taken > 0

    def _pass(self, damage: Damage, data: bytes) -> bytes:
        """Apply the line faults to bytes between host and application."""
        limit = self._faults.limit_bytes
        if limit is not None and data:
            data = data[: max(0, limit - self._passed_bytes)]
            self._passed_bytes += len(data)
            self._unplugged = self._faults.cuts and self._passed_bytes >= limit
        return damage.apply(data)

    def _say(self, text: str) -> None:
        self._down.push(text.encode() + b"\r\n", time.monotonic())

    # -- resets -------------------------------------------------------------------------------

    def _power_down(self) -> None:
        self._stop_app()
        self._loader = None
        self._to_app = b""
        self._sniffed = b""
        self._up.clear()
        self._wake_at_s = None
        self._overrun_at_s = None
        self._mode = _Mode.HELD

    def _enter_loader(self) -> None:
        self._power_down()
        self._down.clear()
        self._to_port = b""
        self._up.delay_s = self._down.delay_s = 0.0
        unit = self._state.unit
        self._loader = Loader(unit.chip, unit.mac, self._state.flash)
        self._mode = _Mode.LOADER
        _log.info("serial loader")

    def _boot(self, reason: ResetReason) -> None:
        self._power_down()
        unit = self._state.unit
        self._say(self._banner(reason, _BOOT_FROM_FLASH))
        result = boot(unit.chip, self._state.flash, self._cpu.machine)
        for text in result.log:
            self._say(text)
            _log.info("%s", text)
        if isinstance(result, NotBootable):
            self._mode = _Mode.BOOT_LOOP
            self._wake_at_s = time.monotonic() + _BOOT_LOOP_S
            return
        faults = tuple(fault.text for fault in self._app_faults)
        arguments = runner_arguments(unit, result, reason, faults)
        self._app = App(result.program.elf, arguments, self._emulator, self._crumb)
        self._app_started_s = time.monotonic()
        self._app_ready = True
        self._mode = _Mode.APP
        self._watch(*self._app.outputs)
        self._up.delay_s = self._faults.up.get(LineFault.DELAY, 0.0) / 1000
        self._down.delay_s = self._faults.down.get(LineFault.DELAY, 0.0) / 1000

    def _restart(self, reason: ResetReason, now_s: float) -> None:
        """Boot again after the application ended; ever later while it keeps crashing at once."""
        healthy = now_s - self._app_started_s > _HEALTHY_S or reason is ResetReason.SOFTWARE
        self._crashes = 0 if healthy else self._crashes + 1
        self._app_faults = tuple(fault for fault in self._app_faults if not fault.once)
        self._power_down()
        self._restart_reason = reason
        self._mode = _Mode.RESTARTING
        self._wake_at_s = now_s + min(_RESTART_S * 2**self._crashes, _MAX_RESTART_S)
        _log.info("application ended: %s", reason.value)

    def _stop_app(self) -> None:
        if self._app is not None:
            self._unwatch(self._app.stdin, *self._app.outputs)
            self._app.stop()
            self._app = None
            self._app_ready = False

    def _banner(self, reason: ResetReason, boot_mode: str) -> str:
        banner = self._state.unit.chip.rom_banner
        return f"{banner}\r\n{_RESET_CODES[reason]},{boot_mode}"

    # -- waiting ------------------------------------------------------------------------------

    def _watch(self, *descriptors: int, events: int = select.EPOLLIN) -> None:
        for descriptor in descriptors:
            if descriptor not in self._watched:
                self._watched.add(descriptor)
                self._epoll.register(descriptor, events)

    def _unwatch(self, *descriptors: int) -> None:
        for descriptor in descriptors:
            if descriptor in self._watched:
                self._watched.remove(descriptor)
                self._epoll.unregister(descriptor)
