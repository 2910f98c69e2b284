"""Which board, which port and which chips an error is about."""

from __future__ import annotations

from espdl_hil import espdl
from espdl_hil.errors import BoardError, ConfigError, EngineError, FormatError


def located(error: BoardError, board: str, port: str) -> BoardError:
    """Return ``error`` with board and port filled in where they are missing."""
    if not error.board:
        error.board = board
    if not error.port:
        error.port = port
    place = [f"board {error.board!r}"] if error.board else []
    if error.port:
        place.append(f"port {error.port}")
    error.where = ", ".join(place)
    return error


def wrong_target_error(error: EngineError, model: bytes, target: str) -> EngineError:
    """Return ``error`` with the chip that the file was made for and the one that refuses it."""
    try:
        made_for = espdl.read(model).metadata.get("target", "")
    except (FormatError, ConfigError):  # the board could read what we cannot
        made_for = ""
    return EngineError(
        f"the file was made for {made_for or 'a target that it does not name'}, "
        f"the board is {target}",
        status=error.status,
        node=error.node,
        board=error.board,
        port=error.port,
    )
