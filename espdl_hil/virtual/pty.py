"""A pseudo terminal as a serial port. Only this file and rfc2217.py touch a port's descriptors.

The law of this file: closing is never missed. A client that closes and a next one that opens
within a scheduler's tick look alike on the terminal itself, so the kernel's file events (inotify)
tell them apart.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import struct
import tty

from espdl_hil.errors import TransportError
from espdl_hil.virtual.port import LastClosed, PortEvent, Received

_EVENT = struct.Struct("iIII")
_IN_CLOSE_WRITE = 0x08
_IN_CLOSE_NOWRITE = 0x10
_IN_OPEN = 0x20
_CLOSED = _IN_CLOSE_WRITE | _IN_CLOSE_NOWRITE
_READ_BYTES = 1 << 16


class PtyPort:
    """The master side of a raw pseudo terminal; ``name`` is the device that clients open.

    Raises:
        TransportError: the system has no pseudo terminals or no file events left.
    """

    boots_on_close = True

    def __init__(self) -> None:
        self._master, slave = os.openpty()
        self.name = os.ttyname(slave)
        tty.setraw(slave)
        # From here on the board holds no slave side, so hang-up means that no client is there.
        os.close(slave)
        os.set_blocking(self._master, False)
        self._watch = _watch_opens(self.name)
        self._clients = 0
        self._epoll = select.epoll()
        # Edge triggered: without a client the terminal reports hang-up all the time.
        everything = select.EPOLLIN | select.EPOLLOUT | select.EPOLLHUP | select.EPOLLET
        self._epoll.register(self._master, everything)
        self._epoll.register(self._watch, select.EPOLLIN)
        self._hangup = select.poll()
        self._hangup.register(self._master, 0)

    def fileno(self) -> int:
        """Return the descriptor of both event sources together."""
        return self._epoll.fileno()

    def receive(self, limit: int) -> list[PortEvent]:
        """Return closings first: what was written before one and not read is of no interest.

        They are counted after reading, so that no closing comes later than what the next client
        wrote.
        """
        with contextlib.suppress(BlockingIOError):
            self._epoll.poll(0)
        received: list[PortEvent] = []
        with contextlib.suppress(BlockingIOError, OSError):
            while limit > 0 and (data := os.read(self._master, min(limit, _READ_BYTES))):
                limit -= len(data)
                received.append(Received(data))
        return [*(LastClosed() for _ in range(self._count_last_closings())), *received]

    def send(self, data: bytes) -> int:
        """Write to the terminal; nobody there, nothing kept."""
        if self._hangup.poll(0):
            return len(data)
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)

    def close(self) -> None:
        """Close the terminal; a client sees a hang-up."""
        self._epoll.close()
        os.close(self._watch)
        os.close(self._master)

    def _count_last_closings(self) -> int:
        closings = 0
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._watch, 4096):
                for offset in range(0, len(data), _EVENT.size):
                    _, mask, _, _ = _EVENT.unpack_from(data, offset)
                    self._clients += bool(mask & _IN_OPEN) - bool(mask & _CLOSED)
                    closings += bool(mask & _CLOSED) and self._clients == 0
        return closings


def _watch_opens(path: str) -> int:
    """Return an inotify descriptor for opening and closing ``path``.

    The standard library has no binding; the three events of a watched file carry no name, so each
    is a bare header.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    watched = -1
    if descriptor >= 0:
        watched = int(libc.inotify_add_watch(descriptor, path.encode(), _IN_OPEN | _CLOSED))
    if watched < 0:
        code = ctypes.get_errno()
        raise TransportError(f"cannot watch the pseudo terminal: {os.strerror(code)}", port=path)
    return descriptor
