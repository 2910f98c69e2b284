"""Restarts of a board during a run: noticed at once, and told with everything that is known.

The law of this file: it reads what the board said. Where the board was when it went down comes from
three witnesses: the panic text, the note of the next boot about the last one, and the signs of
life; none is made up where they are silent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from espdl_hil import espdl
from espdl_hil.boards.backtrace import Symbols
from espdl_hil.boards.panics import Restart, tells_end
from espdl_hil.errors import BoardRestartedError, ConfigError, FormatError

_TAIL_BYTES = 512
_LAST_BOOT = re.compile(r"the last boot ended in node (\d{1,9}) of a run")


class RestartWatch:
    """Reads along during a run: a boot message tells at once what silence would tell late."""

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Take bytes of the line.

        Raises:
            BoardRestartedError: the board booted, or a panic stopped it for good.
        """
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        if tells_end(self._tail.decode("latin-1")):
            raise BoardRestartedError("the board restarted")


def noted_node(lines: Iterable[str]) -> int | None:
    """Return the node in which the boot before ended, as the firmware noted it."""
    for line in lines:
        match = _LAST_BOOT.search(line)
        if match is not None:
            return int(match[1])
    return None


def node_in_words(model: bytes, index: int | None) -> str:
    """Return a node's number with its name and operator; empty where ``index`` is ``None``."""
    if index is None:
        return ""
    try:
        nodes = espdl.read(model).nodes
    except (FormatError, ConfigError):  # the board could read what we cannot; the number remains
        return str(index)
    if index >= len(nodes):
        return str(index)
    return f"{nodes[index].name!r} ({nodes[index].op_type}, number {index})"


def restart_error(
    restart: Restart,
    *,
    node: str,
    symbols: Callable[[], Symbols | None],
    board: str,
    port: str,
) -> BoardRestartedError:
    """Return the error that says why a board restarted during a run.

    Args:
        restart: what the board told.
        node: the last known one, in words.
        symbols: gives the firmware's ELF; only asked where there was a panic.
        board: whose restart it is.
        port: where it was.
    """
    return BoardRestartedError(
        "the board restarted during the run",
        reason=restart.reason,
        node=node,
        backtrace=_backtrace(restart, symbols),
        board=board,
        port=port,
        hint="a crash of the firmware; `elf` decodes the addresses"
        if restart.panic is not None
        else "power, a watchdog or the reset line; the log has the board's words",
    )


def _backtrace(restart: Restart, symbols: Callable[[], Symbols | None]) -> Sequence[str]:
    if restart.panic is None:
        return ()
    known = symbols()
    if known is None:
        return tuple(f"{address:#010x}" for address in restart.panic.backtrace)
    return tuple(str(frame) for frame in known.frames(restart.panic))
