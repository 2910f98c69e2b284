"""pytest-xdist: all tests of one board go to one worker, so that each board is opened once.

The law of this file: it must import without pytest-xdist. xdist's own ``--dist loadgroup`` reads a
private attribute that pytest 9.2 no longer has and then ignores its groups silently, hence a
scheduler of our own that goes by node ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

_BALANCED = ("load", "loadscope", "loadfile", "loadgroup", "worksteal")


def board_of(node_id: str, boards: Sequence[str]) -> str | None:
    """The board named in the brackets of a test id; ``None`` for tests of no board.

    pytest joins the parameters of a test with ``-``, and board names hold ``-`` themselves: the
    longest name that stands between joints wins.
    """
    if not node_id.endswith("]"):
        return None
    parameters = f"-{node_id[node_id.rfind('[') + 1 : -1]}-"
    found = [board for board in boards if f"-{board}-" in parameters]
    return max(found, key=len, default=None)


def board_scheduler(config: pytest.Config, log: Any, boards: Sequence[str]) -> Any:  # noqa: ANN401
    """A scheduler that keeps each board's tests together; ``None`` leaves the choice to xdist.

    Args:
        config: of the controlling process.
        log: xdist's log producer.
        boards: names of the selected boards.
    """
    if not boards or config.getoption("dist", "no") not in _BALANCED:
        return None
    from xdist.scheduler import LoadScopeScheduling

    class BoardScheduling(LoadScopeScheduling):  # type: ignore[misc]
        """One scope per board; every other test is its own scope."""

        def _split_scope(self, nodeid: str) -> str:
            board = board_of(nodeid, boards)
            return nodeid if board is None else f"board {board}"

    return BoardScheduling(config, log)
