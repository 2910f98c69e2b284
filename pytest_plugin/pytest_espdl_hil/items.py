"""Suite files as tests: one item per model × board, without a line of Python from the user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from espdl_hil.errors import ConfigError, EspdlHilError, FormatError, ModelError
from pytest_espdl_hil.bench import Bench
from pytest_espdl_hil.reporting import HilMismatchError, require_passed

if TYPE_CHECKING:
    from espdl_hil.boards.inventory import Board
    from espdl_hil.checking import Checker
    from espdl_hil.suite import SuiteModel

BENCH: pytest.StashKey[Bench] = pytest.StashKey()
"""On the config: the boards of this session."""

_CHECKER: pytest.StashKey[Checker] = pytest.StashKey()
# prepared models, shared by all tests of a process

NO_BOARD = "no board selected: give --board NAME (see `espdl-hil boards`)"


class SuiteFile(pytest.File):
    """One ``*.hil.yaml``."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item per model × selected board of the model's targets.

        A model without such a board is one skipped item that says why, so that a run which tested
        nothing shows it.
        """
        from espdl_hil.suite import read_suite

        try:
            suite = read_suite(self.path)
        except ConfigError as error:
            raise self.CollectError(str(error)) from error
        boards = self.config.stash[BENCH].boards
        for model in suite.models:
            fitting = [b for b in boards if not model.targets or b.target.name in model.targets]
            for board in fitting:
                yield ModelOnBoard.of(self, model, board)
            if not fitting:
                yield ModelOnBoard.of(self, model, None, _why_none(model, boards))


class ModelOnBoard(pytest.Item):
    """A suite's model on one board: passes where all integers are equal and budgets are kept."""

    model: SuiteModel
    board: Board | None

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 -- pytest's own keywords
        super().__init__(**kwargs)
        # Plugins that look at every item (pytest-embedded does) expect what functions have.
        self.funcargs: dict[str, object] = {}

    @classmethod
    def of(
        cls, parent: SuiteFile, model: SuiteModel, board: Board | None, why_not: str = ""
    ) -> ModelOnBoard:
        """The item of ``model`` on ``board``, or a skipped one with its reason."""
        name = f"{model.name}[{board.name if board is not None else 'no board'}]"
        item: ModelOnBoard = cls.from_parent(parent, name=name)
        item.model, item.board = model, board
        item.add_marker("hil")
        if board is None:
            item.add_marker(pytest.mark.skip(reason=why_not))
        return item

    def runtest(self) -> None:
        """Prepare the model for the board's target, run every input set, judge."""
        assert self.board is not None, "skipped items do not run"
        checker = checker_of(self.config)
        prepared = checker.prepare(self.model, self.board.target)
        record = checker.check(prepared, self.board, self.config.stash[BENCH].session(self.board))
        require_passed(self, record)

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 -- as in pytest.Item
        """The finding alone; a traceback only where our code is at fault."""
        if isinstance(excinfo.value, (FormatError, ModelError)):
            return f"{self.model.source.name}: {excinfo.value}"
        if isinstance(excinfo.value, (HilMismatchError, EspdlHilError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """The place in the suite file that describes the model."""
        return self.path, self.model.line - 1, self.name


def checker_of(config: pytest.Config) -> Checker:
    """The checker of this process, made on first use."""
    from espdl_hil.checking import Checker

    if _CHECKER not in config.stash:
        config.stash[_CHECKER] = Checker()
    return config.stash[_CHECKER]


def collect_suite(path: Any, parent: pytest.Collector) -> SuiteFile | None:  # noqa: ANN401
    """The collector of a suite file; ``None`` for other files."""
    if path.suffix != ".yaml":
        return None
    # Imported here: a pytest run without suites should not pay for what reads them.
    from espdl_hil.suite import SUFFIX

    if not path.name.endswith(SUFFIX):
        return None
    suite: SuiteFile = SuiteFile.from_parent(parent, path=path)
    return suite


def _why_none(model: SuiteModel, boards: Sequence[Board]) -> str:
    if not boards:
        return NO_BOARD
    return f"no selected board is one of {', '.join(model.targets)}"
