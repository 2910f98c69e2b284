"""Run another Python program with our handlers of port URLs."""

from __future__ import annotations

import runpy
import sys

import serial

from espdl_hil.transport.urls import PACKAGE


def main() -> None:
    """Run the module named by the first argument as a program; the rest are its arguments."""
    serial.protocol_handler_packages.insert(0, PACKAGE)
    del sys.argv[0]
    # What the program finds of its own must not change with who started it.
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
