"""Which board and which port an error is about."""

from __future__ import annotations

from espdl_hil.errors import BoardError


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
