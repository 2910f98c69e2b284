"""Which firmware a board shall run, and when it is written.

The law of this file: it chooses and checks a bundle; ``flashing`` writes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from espdl_hil.boards.firmware import FirmwareBundle, read_bundle
from espdl_hil.boards.flashing import FlashProgress
from espdl_hil.boards.inventory import Board
from espdl_hil.boards.virtual_process import build_virtual_firmware
from espdl_hil.errors import ConfigError

Progress = Callable[[FlashProgress], None]


class FlashPolicy(Enum):
    """When to write firmware."""

    IF_NEEDED = "if needed"
    """When nobody answers the hello, or another firmware than the bundle's does."""
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class FlashPlan:
    """What may be written to a board, when, and who watches.

    Attributes:
        firmware: a bundle, or where it is; ``None`` takes the entry's, and for a virtual board the
            one built from the sources.
        policy: when to write it.
        progress: sees how flashing goes.
    """

    firmware: FirmwareBundle | Path | None = None
    policy: FlashPolicy = FlashPolicy.IF_NEEDED
    progress: Progress | None = None

    def bundle_for(self, board: Board) -> FirmwareBundle | None:
        """Return the firmware that the board shall run; ``None`` where none shall be written.

        Raises:
            ConfigError: the bundle is for another target, or for the other kind of board.
            FlashError: it cannot be read.
        """
        if self.policy is FlashPolicy.NEVER:
            return None
        bundle = self.firmware
        if bundle is None:
            bundle = board.flash.firmware
        if bundle is None and board.virtual:
            bundle = build_virtual_firmware(board)
        if isinstance(bundle, Path):
            bundle = read_bundle(bundle)
        if bundle is not None and (bundle.target, bundle.virtual) != (
            board.target.name,
            board.virtual,
        ):
            kind = "virtual" if bundle.virtual else "physical"
            raise ConfigError(
                f"the firmware is for a {kind} {bundle.target}, board {board.name!r} is not",
                file=bundle.source,
            )
        return bundle
