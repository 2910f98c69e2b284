"""SIGTERM, by which CI ends a job, ends a session as Ctrl-C does.

The law of this file: between the end of a test and its report nothing is interrupted: what was
measured is kept.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator

import pytest


class Ending:
    """A plugin that takes SIGTERM, where nobody else does, and passes it on as Ctrl-C.

    Boards are closed then, and what was measured is in the reports.
    """

    def __init__(self) -> None:
        self._asked = False
        self._recording = False

    def install(self) -> Callable[[], None]:
        """Take the signal; returns how to give it back. Another's handler is left."""
        ours = threading.current_thread() is threading.main_thread()
        if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            return lambda: None
        signal.signal(signal.SIGTERM, self._take)

        def undo() -> None:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

        return undo

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """One test: only its phases can be interrupted."""
        self._recording = True
        try:
            return (yield)
        finally:
            self._recording = False
            self._interrupt_if_asked()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None, None, None]:
        """Boards are opened and flashed in here."""
        return (yield from self._phase())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, None, None]:
        """Models run in here."""
        return (yield from self._phase())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, None, None]:
        """Boards may be closed in here."""
        return (yield from self._phase())

    def _phase(self) -> Generator[None, None, None]:
        self._recording = False
        try:
            self._interrupt_if_asked()
            return (yield)
        finally:
            self._recording = True

    def _take(self, *_: object) -> None:
        self._asked = True
        if not self._recording:
            self._interrupt_if_asked()

    def _interrupt_if_asked(self) -> None:
        if self._asked:
            self._asked = False
            raise KeyboardInterrupt
