"""The wire protocol of docs/protocol.md on the host's side, without I/O."""

from espdl_hil.wire.client import QUICK, SLOW, Client, Counters, Event, Pace
from espdl_hil.wire.conversation import Conversation, Findings, board_identity
from espdl_hil.wire.framing import Noise
from espdl_hil.wire.messages import Alive, Identity, Log, LogLevel
from espdl_hil.wire.tasks import Task

__all__ = [
    "QUICK",
    "SLOW",
    "Alive",
    "Client",
    "Conversation",
    "Counters",
    "Event",
    "Findings",
    "Identity",
    "Log",
    "LogLevel",
    "Noise",
    "Pace",
    "Task",
    "board_identity",
]
