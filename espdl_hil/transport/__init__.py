"""Lines of bytes to a board: serial ports, child programs, a loopback, and a bad cable."""

from espdl_hil.transport.base import Transport
from espdl_hil.transport.faults import FaultyTransport, LineFaults
from espdl_hil.transport.loopback import LoopbackTransport, ManualClock
from espdl_hil.transport.process import ProcessTransport
from espdl_hil.transport.serial import (
    DEFAULT_BAUD,
    BorrowedSerialTransport,
    FoundPort,
    SerialTransport,
    found_ports,
    port_problem,
    reopen_port,
)
from espdl_hil.transport.terminals import Terminal

__all__ = [
    "DEFAULT_BAUD",
    "BorrowedSerialTransport",
    "FaultyTransport",
    "FoundPort",
    "LineFaults",
    "LoopbackTransport",
    "ManualClock",
    "ProcessTransport",
    "SerialTransport",
    "Terminal",
    "Transport",
    "found_ports",
    "port_problem",
    "reopen_port",
]
