"""``hil_dut``: models over a pytest-embedded ``dut``, with their services and virtual boards."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

from espdl_hil.boards.inventory import Board
from espdl_hil.boards.session import open_session
from espdl_hil.boards.virtual_process import build_virtual_firmware
from espdl_hil.targets import target_named
from espdl_hil.virtual.launch import VirtualBoard, VirtualBoardSpec
from tests.support.golden import PROJECT, cases

TARGET = "esp32s3"

CHECKED = """\
def test_model(dut, hil_dut):
    hil_dut.check("model.espdl", vectors=3)
"""

# A restart in between makes text to expect.
SHARED = """\
import pytest

def restart(hil_dut):
    with hil_dut.session() as session:
        session._connected().conversation.reboot()

def test_lines_before_and_after(dut, hil_dut):
    restart(hil_dut)
    dut.expect("app: espdl-hil runner", timeout=10)
    for _ in range(2):
        hil_dut.check("model.espdl", vectors=1)
    assert dut.serial.proc.is_open and dut.serial.proc.timeout == 0.05
    restart(hil_dut)
    dut.expect("app: espdl-hil runner", timeout=10)

def test_model(dut, hil_dut):
    record = hil_dut.check("model.espdl", vectors=3)
    assert record.virtual and record.target == "esp32s3" and record.vectors > 3

@pytest.mark.parametrize("target", ["esp32p4"], indirect=True)
def test_target(hil_dut):
    hil_dut.check("model.espdl")
"""

FLASHED = """\
import pytest
from pathlib import Path

@pytest.fixture(scope="session")
def hil_firmware():
    return Path(BUNDLE)

@pytest.mark.parametrize("skip_autoflash", ["y"], indirect=True)
def test_forbidden(hil_dut):
    hil_dut.check("model.espdl")

@pytest.mark.parametrize("flashed", [True, False])
def test_model(hil_dut, flashed):
    with hil_dut.session() as session:
        assert session.flashed is flashed
    assert not hil_dut.check("model.espdl").flashed
"""


@pytest.fixture(scope="module")
def flashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("board") / "state"
    board = Board("first", target_named(TARGET), virtual=True, state=state)
    with open_session(board) as session:
        assert session.flashed
    return state


@pytest.fixture
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    case = min(
        (case for case in cases("s3_s8") if case.op == "Conv" and not case.float_outputs),
        key=lambda case: case.path.stat().st_size,
    )
    shutil.copy(case.path, pytester.path / "model.espdl")
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    for variable in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(variable, raising=False)
    return pytester


def board(flashed: Path, folder: pytest.Pytester, **changes: object) -> VirtualBoard:
    state = folder.path / "state"
    subprocess.run(["cp", "-r", "--sparse=always", str(flashed), str(state)], check=True)
    return VirtualBoard(VirtualBoardSpec(TARGET, state, **changes))


@pytest.fixture
def served(flashed: Path, folder: pytest.Pytester) -> Iterator[VirtualBoard]:
    with board(flashed, folder) as started:
        yield started


def run(folder: pytest.Pytester, port: str, *args: str, services: str = "serial"):
    return folder.runpytest_subprocess(
        *("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-W", "ignore"),
        *("--embedded-services", services, "--port", port, *args),
    )


def test_their_lines_their_target_and_our_results(folder, served):
    folder.makepyfile(SHARED)
    shutil.copy(PROJECT / "examples" / "pytest_embedded" / "test_models.py", folder.path)
    result = run(folder, served.port, "--junitxml", "junit.xml")
    result.assert_outcomes(passed=2 + 2, errors=1)
    result.stdout.fnmatch_lines(["*esp32p4, the board says esp32s3*"])
    result.stdout.fnmatch_lines(["*4 checked, 4 passed, 1 bench errors*"])
    properties = {
        item.get("name"): item.get("value")
        for case in ElementTree.parse(folder.path / "junit.xml").iter("testcase")
        if case.get("name") == "test_model"
        for item in case.iter("property")
    }
    assert (properties["virtual"], properties["bit_equal"]) == ("true", "true")
    assert properties["board"] == "dut-esp32s3"


def test_a_wrong_integer_is_a_failure_that_names_the_node(flashed, folder):
    folder.makepyfile(CHECKED)
    with board(flashed, folder, faults=("flip-weight",)) as started:
        result = run(folder, started.port)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*first differing node: *(Conv)*"])


def test_a_panic_in_our_run_is_an_error_and_stands_in_their_log(flashed, folder):
    folder.makepyfile(
        """
        import pytest
        from espdl_hil.errors import BoardRestartedError

        def test_panic(dut, hil_dut):
            with pytest.raises(BoardRestartedError):
                hil_dut.check("model.espdl")
            dut.expect_exact("Guru Meditation Error: Core  0 panic'ed (LoadProhibited)", timeout=5)
            dut.expect("Backtrace: 0x4200c1a3:0x3fca1f40", timeout=5)
            dut.expect("app: espdl-hil runner", timeout=10)

        def test_model(hil_dut):
            hil_dut.check("model.espdl")
        """
    )
    with board(flashed, folder, faults=("panic-at-node:0",)) as started:
        result = run(folder, started.port)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*BoardRestartedError*panic: LoadProhibited at 0x4200c1a6*"])


def test_a_port_that_goes_away_is_an_error_within_seconds(flashed, folder):
    folder.makepyfile(CHECKED)
    with board(flashed, folder, faults=("cut:700",)) as started:
        result = run(folder, started.port)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*DisconnectedError*"])


def test_the_runner_is_flashed_once_where_a_bundle_is_given(folder, tmp_path_factory):
    bundle = build_virtual_firmware(Board("any", target_named(TARGET), virtual=True))
    folder.makepyfile(FLASHED.replace("BUNDLE", repr(str(bundle))))
    spec = VirtualBoardSpec(TARGET, tmp_path_factory.mktemp("empty") / "state")
    with VirtualBoard(spec) as started:
        result = run(folder, started.port)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*no runner answers the hello*", "*hil_firmware*"])


def test_with_their_esp_service_their_reset_and_port_are_used(flashed, folder):
    """Over RFC 2217, since esptool's way out of the loader needs reset lines."""
    folder.makepyfile(
        """
        def test_lines(dut, hil_dut):
            dut.expect("app: espdl-hil runner", timeout=10)
            hil_dut.check("model.espdl", vectors=1)
            dut.serial.hard_reset()
            dut.expect("app: espdl-hil runner", timeout=10)
        """
    )
    with board(flashed, folder, port="rfc2217") as started:
        result = run(folder, started.port, "--target", TARGET, services="esp")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("-p", "no:pytest_embedded"), "*pip install 'espdl-hil?embedded?'*"),
        ((), "*hil_dut needs a serial port*--embedded-services serial*"),
    ],
)
def test_without_their_plugin_or_a_port_the_fixture_says_what_to_do(folder, words, says):
    folder.makepyfile("def test_model(hil_dut): pass")
    result = folder.runpytest_subprocess(
        "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-W", "ignore", *words
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([says])
