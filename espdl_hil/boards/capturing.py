"""Every inner value of a run, although a board can keep only a few at a time.

The law of this file: it only asks for runs; the same inputs give the same integers each time.
"""

from __future__ import annotations

from dataclasses import replace

from espdl_hil.boards.session import BoardSession
from espdl_hil.errors import EngineError
from espdl_hil.ir.types import Array
from espdl_hil.runs import RunRequest, RunResult

_AT_ONCE = 8
_NO_MEMORY = "HIL_ERR_MEMORY"


def run_capturing_all(
    session: BoardSession, request: RunRequest, deadline_s: float | None = None
) -> RunResult:
    """Run, and bring every node output back in ``captured`` that the board has room to keep.

    The board runs the model again for each handful of values; latencies are those of the first
    run, line usage is that of all runs together. A value that does not fit beside the model even
    alone is left out: its digest is in ``nodes``.

    Args:
        session: the board.
        request: what to run; its own ``capture`` is replaced.
        deadline_s: for each run.

    Raises:
        BoardError: see ``BoardSession.run``.
    """
    first = session.run(replace(request, capture=(), digests=True), deadline_s)
    link = first.link
    captured: dict[str, Array] = {}
    wanted = list(dict.fromkeys(row.value for row in first.nodes))
    at_once = _AT_ONCE
    while wanted:
        names = tuple(wanted[:at_once])
        again = replace(request, capture=names, repeat=1, warmup=0)
        try:
            result = session.run(again, deadline_s)
        except EngineError as error:
            if error.status != _NO_MEMORY:
                raise
            if len(names) == 1:
                wanted = wanted[1:]
            at_once = max(1, len(names) // 2)
            continue
        captured.update(result.captured)
        wanted = wanted[len(names) :]
        link = replace(
            link,
            bytes_up=link.bytes_up + result.link.bytes_up,
            bytes_down=link.bytes_down + result.link.bytes_down,
            retries=link.retries + result.link.retries,
        )
    return replace(first, captured=captured, link=link)
