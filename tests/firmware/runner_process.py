"""The Linux runner as a child process, with the host's protocol on its pipes."""

from __future__ import annotations

import itertools
import os
import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from espdl_hil.errors import DeadlineError, DisconnectedError
from espdl_hil.wire.client import Client, Event, Pace
from espdl_hil.wire.conversation import Conversation
from espdl_hil.wire.framing import Noise
from espdl_hil.wire.messages import Log
from espdl_hil.wire.tasks import Task

STORE_OFFSET = 0x10000
_END_DEADLINE_S = 10.0


class RunnerProcess:
    """A runner on pipes; ``talk`` asks it, ``line`` reads and writes bytes."""

    def __init__(self, program: Path, arguments: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            [str(program), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.connect(self.process.stdin.fileno(), self.process.stdout.fileno())

    def connect(self, writes_to: int, reads_from: int) -> None:
        """Take these descriptors for the line."""
        self._stdin = writes_to
        self._stdout = reads_from
        self.client = Client(first_seq=1)
        self.events: list[Event] = []
        self.patience: Pace | None = None
        self.talk = Conversation(self.perform, itertools.count(1).__next__)

    def perform(self, task: Task[Any], pace: Pace) -> Any:
        """Carry a task out, with the pace of ``patience`` where that is set."""
        self.client.start(task, time.monotonic(), pace=self.patience or pace)
        while not self.client.done:
            data = self.client.poll(time.monotonic())
            while data:
                data = data[self._write_some(data) :]
            wait_s = max(0.0, self.client.wake_at() - time.monotonic())
            if select.select([self._stdout], [], [], wait_s)[0]:
                self._read_some()
        return task.result()

    def _write_some(self, data: bytes) -> int:
        _, writable, _ = select.select([], [self._stdin], [], _END_DEADLINE_S)
        if not writable:
            raise DeadlineError("the runner takes no bytes")
        try:
            return os.write(self._stdin, data[: select.PIPE_BUF])
        except BrokenPipeError as cause:
            raise DisconnectedError("the runner is gone") from cause

    def _read_some(self) -> None:
        data = os.read(self._stdout, 1 << 16)
        if not data:
            self.client.line_lost()
            self.events += self.client.take_events()
            raise DisconnectedError("the runner is gone")
        try:
            self.client.receive(data, time.monotonic())
        finally:
            self.events += self.client.take_events()

    @property
    def noise(self) -> str:
        """All text that was no frame."""
        texts = [event.data for event in self.events if isinstance(event, Noise)]
        return b"".join(texts).decode(errors="replace")

    @property
    def log(self) -> list[str]:
        """The texts of all LOG messages."""
        return [event.text for event in self.events if isinstance(event, Log)]

    def end(self) -> int:
        """Close its stdin and return its exit code."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            code = self.process.wait(_END_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()
        return code


@contextmanager
def running(
    program: Path, flash: Path, target: str, *extra: str, store_bytes: int = 1 << 20
) -> Iterator[RunnerProcess]:
    """A runner over ``flash``, which is made (erased) if it does not exist; ended on leaving."""
    if not flash.exists():
        flash.write_bytes(b"\xff" * (STORE_OFFSET + store_bytes))
    runner = RunnerProcess(
        program,
        [
            *("--target", target, "--revision", "v0.2", "--mac", "02:00:00:00:00:01"),
            *("--firmware-sha256", "ab" * 32, "--version", "1.2.3", "--reset-reason", "poweron"),
            *("--flash", str(flash), "--store-offset", str(STORE_OFFSET)),
            *("--store-size", str(store_bytes), "--psram", str(16 << 20), *extra),
        ],
    )
    try:
        yield runner
    finally:
        if runner.process.poll() is None:
            runner.end()
        else:
            assert runner.process.stdin is not None
            assert runner.process.stdout is not None
            runner.process.stdin.close()
            runner.process.stdout.close()
