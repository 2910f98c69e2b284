"""What a long run shows: a bar on a terminal, a line now and then in a log, a table at the end.

The law of this file: it only prints; what is counted is the caller's.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

_QUIET_S = 10.0
_LOG_WIDTH = 120


class Reporter:
    """Shows how a run goes.

    Args:
        console: where to; ``None`` takes standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = Console() if console is None else console
        if not self._console.is_terminal:
            self._console = Console(width=_LOG_WIDTH, file=self._console.file, no_color=True)

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False, highlight=False)

    def steps(self, name: str, count: int) -> Iterator[int]:
        """Yield 0 … count - 1, and show how far it is."""
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            with Progress(*columns, TimeElapsedColumn(), console=self._console) as bar:
                yield from bar.track(range(count), description=name)
            return
        said_at = time.monotonic()
        for step in range(count):
            yield step
            if time.monotonic() - said_at >= _QUIET_S:
                said_at = time.monotonic()
                self.say(f"{name}: {step + 1} of {count}")

    def table(self, title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print figures; the first column is words, the others stand to the right."""
        table = Table(title=title, box=SIMPLE, title_justify="left")
        for column, name in enumerate(head):
            table.add_column(name, justify="right" if column else "left", overflow="fold")
        for row in rows:
            table.add_row(*[str(cell) for cell in row])
        self._console.print(table, markup=False)
