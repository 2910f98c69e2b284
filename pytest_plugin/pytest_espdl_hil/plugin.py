"""The hooks: each a line or two of policy, the work is in the other modules."""

from __future__ import annotations

import datetime
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from espdl_hil.errors import BoardError
from pytest_espdl_hil import fixtures, items, options, reporting, scheduling
from pytest_espdl_hil.bench import Bench
from pytest_espdl_hil.embedded import hil_dut, hil_firmware
from pytest_espdl_hil.ending import Ending
from pytest_espdl_hil.fixtures import hil_board, hil_check, hil_session

if TYPE_CHECKING:
    from espdl_hil.boards.inventory import Board
    from espdl_hil.boards.session import BoardSession

__all__ = ["hil_board", "hil_check", "hil_dut", "hil_firmware", "hil_session"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--board``, ``--boards`` and ``--hil-report``."""
    options.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Read the inventory before anything is collected, so that a wrong name stops at once."""
    config.addinivalue_line("markers", fixtures.MARKER)
    bench = Bench(options.selected_boards(config), _open_session)
    config.stash[items.BENCH] = bench
    config.add_cleanup(bench.close)
    if bench.boards:
        ending = Ending()
        config.pluginmanager.register(ending, "espdl_hil_ending")
        config.add_cleanup(ending.install())
    config.pluginmanager.register(_Results(config), "espdl_hil_results")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect suite files."""
    return items.collect_suite(file_path, parent)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run Python tests once per board."""
    fixtures.parametrize(metafunc)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Carry findings; report a bench fault as an ERROR and stop trusting the board's session."""
    report = yield
    error = call.excinfo.value if call.excinfo is not None else None
    board = fixtures.board_in_use(item)
    if isinstance(error, BoardError) and board is not None:
        item.config.stash[items.BENCH].distrust(board)
    reporting.attach(report, item, error, board)
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:  # noqa: ANN401
    """Keep the tests of one board on one worker."""
    names = [board.name for board in config.stash[items.BENCH].boards]
    return scheduling.board_scheduler(config, log, names)


def _open_session(board: Board) -> BoardSession:
    from espdl_hil.boards.session import open_session

    return open_session(board)


class _Results:
    """Gathers findings in the controlling process and writes the reports at the end."""

    def __init__(self, config: pytest.Config) -> None:
        now = datetime.datetime.now(datetime.timezone.utc)
        self._collector = reporting.Collector(config.rootpath, now.isoformat(timespec="seconds"))
        self._folder = options.report_folder(config)
        self._is_worker = hasattr(config, "workerinput")
        self._unwritten = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather what one test found."""
        self._collector.add(report)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports that ``--hil-report`` asks for; without them no session passes."""
        report = self._collector.report()
        if report is None or self._is_worker or self._folder is None:
            return
        try:
            reporting.write_reports(self._folder, report)
        except OSError as error:
            self._unwritten = error.strerror or str(error)
            session.exitstatus = session.exitstatus or pytest.ExitCode.INTERNAL_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table, and where the reports are."""
        report = self._collector.report()
        if report is None or self._is_worker:
            return
        width = terminalreporter._tw.fullwidth  # pytest offers no public width
        terminalreporter.write_line("")
        terminalreporter.write(reporting.summary_text(report, width=max(width, 140)))
        if self._unwritten:
            text = f"reports cannot be written: {self._folder}: {self._unwritten}"
            terminalreporter.write_line(text, red=True)
        elif self._folder is not None:
            terminalreporter.write_line(f"reports in {self._folder}")
