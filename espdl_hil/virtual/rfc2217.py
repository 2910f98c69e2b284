"""A TCP port that speaks RFC 2217, for clients that want reset lines. Listens on this machine only.

The law of this file: one client at a time, as on a cable; a second one is closed at once.
"""

from __future__ import annotations

import contextlib
import select
import socket

from espdl_hil.errors import TransportError
from espdl_hil.virtual.port import LastClosed, LinesChanged, PortEvent
from espdl_hil.virtual.telnet import ComPortServer

_READ_BYTES = 1 << 16
_MAX_PENDING = 1 << 16


class Rfc2217Port:
    """A server on the loopback interface.

    Args:
        tcp_port: 0 takes any free one.

    Raises:
        TransportError: the TCP port is taken.
    """

    boots_on_close = False

    def __init__(self, tcp_port: int = 0) -> None:
        self._server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._server.setblocking(False)
        try:
            self._server.bind(("127.0.0.1", tcp_port))
        except OSError as error:
            self._server.close()
            raise TransportError(f"cannot listen: {error}", port=f"TCP {tcp_port}") from error
        self._server.listen(4)
        self.name = f"rfc2217://127.0.0.1:{self._server.getsockname()[1]}"
        self._client: socket.socket | None = None
        self._telnet = ComPortServer()
        self._output = bytearray()
        self._epoll = select.epoll()
        self._epoll.register(self._server, select.EPOLLIN)

    def fileno(self) -> int:
        """Return the descriptor of server and client together."""
        return self._epoll.fileno()

    def receive(self, limit: int) -> list[PortEvent]:
        """Accept, read, and write what is left over from before."""
        self._accept()
        events: list[PortEvent] = []
        while self._client is not None and limit > 0:
            try:
                data = self._client.recv(min(limit, _READ_BYTES))
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                events += self._drop_client()
                break
            limit -= len(data)
            events += self._telnet.feed(data)
            self._output += self._telnet.reply
            self._telnet.reply.clear()
        self._flush()
        return events

    def send(self, data: bytes) -> int:
        """Queue what fits; nobody there, nothing kept."""
        if self._client is None:
            return len(data)
        accepted = data[: max(0, _MAX_PENDING - len(self._output))]
        self._output += self._telnet.escape(accepted)
        self._flush()
        return len(accepted)

    def close(self) -> None:
        """Close server and client."""
        self._epoll.close()
        self._server.close()
        if self._client is not None:
            self._client.close()

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                client, _ = self._server.accept()
                if self._client is not None:
                    client.close()
                    continue
                client.setblocking(False)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._client = client
                self._telnet = ComPortServer()
                self._output.clear()
                everything = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
                self._epoll.register(client, everything)

    def _drop_client(self) -> list[PortEvent]:
        assert self._client is not None
        self._client.close()
        self._client = None
        self._output.clear()
        # Both lines fall together, as when a cable is pulled: no reset.
        return [LinesChanged(dtr=False, rts=False), LastClosed()]

    def _flush(self) -> None:
        while self._client is not None and self._output:
            try:
                sent = self._client.send(self._output)
            except BlockingIOError:
                return
            except OSError:
                # Reading sees the same end and tells it.
                self._output.clear()
                return
            del self._output[:sent]
