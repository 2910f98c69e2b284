"""Command-line options, and the boards they select.

The law of this file: every option begins with ``--board`` or ``--hil``, so that none clashes with
pytest-embedded's (``--target``, ``--port``, ``--baud``, …).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from espdl_hil.errors import ConfigError

if TYPE_CHECKING:
    from espdl_hil.boards.inventory import Board


def add_options(parser: pytest.Parser) -> None:
    """Register the options."""
    group = parser.getgroup("espdl-hil", "models on ESP32 boards (espdl-hil)")
    group.addoption(
        "--board",
        action="append",
        default=[],
        metavar="NAME|TARGET|TAG|all",
        help="run on these boards; repeatable, comma lists. A target, a tag or 'all' means "
        "physical boards; a virtual board is used only when named ('virtual' names all of them).",
    )
    group.addoption(
        "--boards",
        default=None,
        metavar="FILE",
        help="the inventory (default: $ESPDL_HIL_BOARDS, boards.yaml in the root folder or above, "
        "the user's boards.yaml, three virtual boards).",
    )
    group.addoption(
        "--hil-report",
        default=None,
        metavar="DIR",
        help="write report.html and results.json there.",
    )


def selected_boards(config: pytest.Config) -> tuple[Board, ...]:
    """The boards that ``--board`` asks for, each once, in the order asked; none without it.

    Raises:
        pytest.UsageError: unknown board, or a mistake in the inventory.
    """
    words = config.getoption("--board")
    if not words:
        return ()
    from espdl_hil.boards.inventory import load_inventory

    given = config.getoption("--boards")
    file = None if given is None else config.invocation_params.dir / given
    try:
        return load_inventory(file, folder=config.rootpath).select(words)
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from error


def report_folder(config: pytest.Config) -> Path | None:
    """Where reports go, absolute; ``None`` without ``--hil-report``."""
    folder = config.getoption("--hil-report")
    return None if folder is None else config.invocation_params.dir / folder
