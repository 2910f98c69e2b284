"""What is closed when its ``with`` block ends, written once.

The law of this file: it holds nothing and knows nobody.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType

from typing_extensions import Self


class Closing(ABC):
    """A context manager that gives itself and is closed at the end, whatever happened."""

    @abstractmethod
    def close(self) -> None:
        """Give back what is held; more than once is allowed."""

    def __enter__(self) -> Self:
        """Nothing is opened: that was done when it was made."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close; an error goes on."""
        self.close()
