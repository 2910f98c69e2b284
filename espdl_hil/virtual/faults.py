"""Faults on request: on the line between port and application, and in the application.

The law of this file: equal seeds and equal bytes give equal damage. No I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from espdl_hil.errors import ConfigError

_ONCE = "once:"


class LineFault(Enum):
    """What a line can do to bytes; the argument's meaning follows."""

    DROP = "drop"
    """Probability that a byte is lost."""
    FLIP = "flip"
    """Probability that one bit of a byte is flipped."""
    DELAY = "delay"
    """Milliseconds that every byte is late."""
    CUT = "cut"
    """Bytes, both directions together, after which the cable is pulled: the port goes away."""
    SILENCE = "silence"
    """Bytes, both directions together, after which nothing passes; the port stays."""


@dataclass(frozen=True, slots=True)
class AppFault:
    """A fault that the firmware plays; ``once`` ends with the first restart that follows."""

    text: str
    once: bool


@dataclass(frozen=True, slots=True)
class Faults:
    """Everything that was asked for.

    Attributes:
        up, down: probabilities and delays by kind, towards the board and from it.
        limit_bytes: of ``cut`` or ``silence``; ``None`` where there is none.
        cuts: the limit pulls the cable, otherwise it silences the line.
        app: in the order given.
        seed: of the random damage.
    """

    up: dict[LineFault, float]
    down: dict[LineFault, float]
    limit_bytes: int | None
    cuts: bool
    app: tuple[AppFault, ...]
    seed: int


def parse_faults(texts: Sequence[str], seed: int = 0) -> Faults:
    """Read faults as the command line gives them.

    Args:
        texts: ``KIND[-up|-down]:ARGUMENT`` for the line (``drop``, ``flip``, ``delay``, ``cut``,
            ``silence``); anything else, optionally after ``once:``, goes to the firmware as it is.
        seed: of random damage.

    Raises:
        ConfigError: an argument is missing, no number, or out of range.
    """
    up: dict[LineFault, float] = {}
    down: dict[LineFault, float] = {}
    limit_bytes: int | None = None
    cuts = False
    app: list[AppFault] = []
    for text in texts:
        name, _, argument = text.partition(":")
        base, dash, direction = name.partition("-")
        kind = next((kind for kind in LineFault if kind.value == base), None)
        if kind is None or (dash and direction not in ("up", "down")):
            once = text.startswith(_ONCE)
            app.append(AppFault(text.removeprefix(_ONCE), once))
            continue
        value = _number(kind, argument, text)
        if kind in (LineFault.CUT, LineFault.SILENCE):
            limit_bytes, cuts = int(value), kind is LineFault.CUT
            continue
        if direction != "down":
            up[kind] = value
        if direction != "up":
            down[kind] = value
    return Faults(up, down, limit_bytes, cuts, tuple(app), seed)


def _number(kind: LineFault, argument: str, text: str) -> float:
    highest = 1.0 if kind in (LineFault.DROP, LineFault.FLIP) else 1e9
    try:
        value = float(argument)
    except ValueError:
        value = -1.0
    if not 0 <= value <= highest:
        raise ConfigError(
            f"fault {text!r} needs a number from 0 to {highest:g}",
            key="--fault",
            hint="for example drop:0.001, flip-up:1e-5, delay:20, cut:4096, silence:4096",
        )
    return value


class Damage:
    """Drops and flips the bytes of one direction."""

    def __init__(self, faults: dict[LineFault, float], seed: int) -> None:
        self._drop = faults.get(LineFault.DROP, 0.0)
        self._flip = faults.get(LineFault.FLIP, 0.0)
        self._rng = np.random.default_rng(seed)

    def apply(self, data: bytes) -> bytes:
        """Return what is left of ``data``."""
        if not (self._drop or self._flip) or not data:
            return data
        # Three draws for every byte, whatever the settings: damage does not depend on the cut.
        draws = self._rng.random((len(data), 3))
        damaged = np.frombuffer(data, np.uint8).copy()
        hit = draws[:, 0] < self._flip
        bits = np.left_shift(1, (draws[hit, 1] * 8).astype(np.int64)).astype(np.uint8)
        damaged[hit] ^= bits
        return damaged[draws[:, 2] >= self._drop].tobytes()
