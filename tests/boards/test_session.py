"""Sessions with virtual boards: real esptool, real runner, real faults, nothing left behind."""

from __future__ import annotations

import hashlib
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from espdl_hil.boards.capturing import run_capturing_all
from espdl_hil.boards.firmware import FirmwareBundle, read_bundle
from espdl_hil.boards.flash_plan import FlashPolicy
from espdl_hil.boards.inventory import Board
from espdl_hil.boards.session import BoardSession, open_session
from espdl_hil.errors import (
    BoardBusyError,
    BoardError,
    BoardNotFoundError,
    BoardRestartedError,
    ConfigError,
    DeadlineError,
    DisconnectedError,
    EngineError,
    RemoteProtocolError,
)
from espdl_hil.runs import RunRequest
from espdl_hil.targets import target_named
from espdl_hil.virtual.bundle import write_bundle
from espdl_hil.virtual.chips import chip_named
from espdl_hil.virtual.payload import HostProgram
from tests.support.golden import GoldenCase, cases
from tests.support.reference_engine import build

TARGET = "esp32p4"
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> FirmwareBundle:
    program = build("runner", "hil_runner").read_bytes()
    folder = tmp_path_factory.mktemp("bundle")
    write_bundle(chip_named(TARGET), HostProgram(program, platform.machine(), "1.2"), folder)
    return read_bundle(folder)


@pytest.fixture(scope="module")
def flashed(bundle: FirmwareBundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The flash of a board that has the firmware."""
    folder = tmp_path_factory.mktemp("flashed") / "state"
    with open_session(board_in(folder), firmware=bundle) as session:
        assert session.flashed
    return folder


@pytest.fixture
def state(flashed: Path, tmp_path: Path) -> Path:
    """A copy of that flash; sparse, as the board made it."""
    subprocess.run(["cp", "-r", "--sparse=always", str(flashed), str(tmp_path / "s")], check=True)
    return tmp_path / "s"


@pytest.fixture(scope="module")
def case() -> GoldenCase:
    found = [case for case in cases("p4_s8") if case.op == "Conv" and not case.float_outputs]
    return min(found, key=lambda case: case.path.stat().st_size)


def board_in(state: Path, *faults: str) -> Board:
    return Board("sim", target_named(TARGET), virtual=True, state=state, faults=faults)


def request_of(case: GoldenCase, **changes: object) -> RunRequest:
    inputs = case.inputs(case.vectors[0])
    return RunRequest(**({"model": case.path.read_bytes(), "inputs": inputs} | changes))


def is_right(case: GoldenCase, outputs) -> bool:
    expected = case.outputs(case.vectors[0])
    return all(np.array_equal(outputs[name], array) for name, array in expected.items())


def pids_using(state: Path) -> list[int]:
    """Processes whose command line or open files name the board's folder."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            if str(state).encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


# --- Opening --------------------------------------------------------------------------------------


def test_an_empty_board_is_flashed_once_and_a_second_time_nothing_is_sent(tmp_path, bundle, case):
    board = board_in(tmp_path / "new")
    with open_session(board, firmware=bundle) as session:
        assert session.flashed
        assert session.identity.firmware_sha256 == bundle.app_elf_sha256
        first = session.run(request_of(case))
    with open_session(board, firmware=bundle) as session:
        assert not session.flashed
        second = session.run(request_of(case))
    assert is_right(case, first.outputs)
    assert is_right(case, second.outputs)
    assert (first.link.model_uploaded, second.link.model_uploaded) == (True, False)
    assert second.link.bytes_up < first.link.bytes_up
    assert first.board.virtual


def test_an_empty_board_that_may_not_be_flashed_says_what_it_said(tmp_path):
    with pytest.raises(BoardError, match=r"(?s)no runner answers.*invalid header.*flash") as caught:
        open_session(board_in(tmp_path / "new"), flash=FlashPolicy.NEVER)
    assert caught.value.board == "sim"
    assert pids_using(tmp_path) == []


def test_firmware_for_another_chip_is_refused_before_anything_is_written(state, bundle):
    with pytest.raises(ConfigError, match="esp32s3"):
        open_session(board_in(state), firmware=replace(bundle, target="esp32s3"))
    with pytest.raises(ConfigError, match="physical"):
        open_session(board_in(state), firmware=replace(bundle, virtual=False))


def test_the_inventory_must_be_right_about_the_target_and_about_being_virtual(state):
    served = subprocess.Popen(
        [sys.executable, "-m", "espdl_hil.virtual", "--chip", TARGET, "--state", str(state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        port = served.stdout.readline().strip()
        claimed = Board("real", target_named(TARGET), virtual=False, port=port)
        with pytest.raises(BoardError, match="transport: virtual"):
            open_session(claimed, flash=FlashPolicy.NEVER)
        wrong = replace(claimed, virtual=True, target=target_named("esp32s3"))
        with pytest.raises(BoardError, match="inventory says esp32s3, the board says esp32p4"):
            open_session(wrong, flash=FlashPolicy.NEVER)
        with open_session(replace(claimed, virtual=True), flash=FlashPolicy.NEVER) as session:
            assert session.identity.virtual
    finally:
        served.communicate()


def test_a_port_that_does_not_exist_is_told():
    board = Board("b", target_named(TARGET), virtual=False, port="/dev/no-such-port")
    with pytest.raises(BoardNotFoundError, match="board 'b'"):
        open_session(board)


def test_an_unknown_fault_is_a_mistake_in_the_inventory(state):
    with pytest.raises(ConfigError, match="nonsense"):
        open_session(board_in(state, "nonsense"), flash=FlashPolicy.NEVER)


# --- Faults ---------------------------------------------------------------------------------------


def session_with(state: Path, *faults: str) -> BoardSession:
    return open_session(board_in(state, *faults), flash=FlashPolicy.NEVER)


def test_all_inner_values_can_be_had(state, case):
    with session_with(state) as session:
        result = run_capturing_all(session, request_of(case))
    assert set(result.captured) == {row.value for row in result.nodes}


def test_a_bad_line_costs_repeats_and_the_result_is_right(state, case):
    with session_with(state, "drop:0.0005", "flip:0.0005") as session:
        results = [session.run(request_of(case)) for _ in range(5)]
    assert all(is_right(case, result.outputs) for result in results)
    assert sum(result.link.retries for result in results) > 0


def test_a_single_restart_during_a_run_is_survived_and_told(state, case):
    with session_with(state, "once:reset-at-node:0") as session:
        result = session.run(request_of(case))
        assert session.recoveries == 1
    assert is_right(case, result.outputs)
    assert any("restarted during the run" in line for line in result.log)


@pytest.mark.parametrize("fault", ["reset-at-node:0", "panic-at-node:0"])
def test_a_model_that_kills_the_board_each_time_is_named_so(state, case, fault):
    with session_with(state, fault) as session, pytest.raises(BoardRestartedError, match="sim"):
        session.run(request_of(case))


def test_an_elf_of_another_firmware_is_refused_when_the_board_is_opened(state, tmp_path):
    elf = build("runner", "hil_runner")
    with open_session(board_in(state), flash=FlashPolicy.NEVER, elf=elf) as session:
        assert session.identity.firmware_sha256 == hashlib.sha256(elf.read_bytes()).hexdigest()
    other = tmp_path / "other.elf"
    other.write_bytes(elf.read_bytes() + b"another build")
    with pytest.raises(ConfigError, match=r"other\.elf.*on the board runs"):
        open_session(board_in(state), flash=FlashPolicy.NEVER, elf=other)
    assert pids_using(state) == []


def test_a_board_that_hangs_ends_with_the_deadline(state, case):
    with (
        session_with(state, "hang-at-node:0") as session,
        pytest.raises(DeadlineError, match="Run was not done within"),
    ):
        session.run(request_of(case), deadline_s=1.0)
    assert pids_using(state) == []


def test_a_board_that_never_answers_is_told_with_its_last_words(state):
    with pytest.raises(BoardError, match="no runner answers the hello"):
        open_session(board_in(state, "mute"), flash=FlashPolicy.NEVER, deadline_s=1.0)
    assert pids_using(state) == []


def test_a_cut_cable_ends_the_run_and_leaves_nothing(state, case):
    with session_with(state, "cut:700") as session, pytest.raises(DisconnectedError):
        session.run(request_of(case))
    assert pids_using(state) == []


def test_a_file_for_another_chip_is_refused_with_the_names_of_both(state):
    other = next(case for case in cases("s3_s8") if case.op == "Conv")
    with session_with(state) as session, pytest.raises(EngineError) as caught:
        session.run(RunRequest(other.path.read_bytes()))
    assert caught.value.status == "HIL_ERR_TARGET"
    assert "made for esp32s3, the board is esp32p4" in str(caught.value)
    assert caught.value.board == "sim"


def test_a_stale_model_is_named_even_where_its_inputs_differ(state, case):
    other = next(c for c in cases("p4_s8") if c.op == "Gemm" and not c.float_outputs)
    with session_with(state, "stale-model") as session:
        assert is_right(other, session.run(request_of(other)).outputs)
        with pytest.raises(RemoteProtocolError, match="stale model"):
            session.run(request_of(case))


# --- Nothing is left behind -----------------------------------------------------------------------

HOLD = """
import signal, sys
from pathlib import Path
from espdl_hil.boards.inventory import Board
from espdl_hil.boards.flash_plan import FlashPolicy
from espdl_hil.boards.session import open_session
from espdl_hil.targets import target_named
def interrupt(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGTERM, interrupt)
board = Board("sim", target_named("esp32p4"), virtual=True, state=Path(sys.argv[1]),
              faults=tuple(sys.argv[2:]))
with open_session(board, flash=FlashPolicy.NEVER) as session:
    print("open", flush=True)
    session._connection.conversation.provide(bytes(range(256)) * 40000)
    print("stored", flush=True)
    sys.stdin.read()
"""


def held(state: Path, *faults: str) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state), *faults],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "open\n"
    return child


def gone_within(state: Path, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while pids_using(state):
        if time.monotonic() > end:
            return False
        os.sched_yield()
    return True


def test_two_processes_want_one_board_and_the_second_learns_who_has_it(state):
    child = held(state)
    try:
        with pytest.raises(BoardBusyError, match=f"process {child.pid} "):
            open_session(board_in(state), flash=FlashPolicy.NEVER)
    finally:
        child.kill()
        child.communicate()


def test_a_killed_holder_leaves_the_board_free(state):
    child = held(state)
    child.kill()
    child.communicate()
    assert gone_within(state, PATIENCE_S)
    with open_session(board_in(state), flash=FlashPolicy.NEVER) as session:
        assert session.identity.target == TARGET


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_in_the_middle_of_an_upload_leaves_nothing_behind(state, number):
    child = held(state, "delay:40")  # slow enough to be in the middle
    child.send_signal(number)
    out, err = child.communicate(timeout=PATIENCE_S)
    assert "stored" not in out
    assert "KeyboardInterrupt" in err
    assert pids_using(state) == []
    with open_session(board_in(state), flash=FlashPolicy.NEVER):
        pass


def test_ctrl_c_while_flashing_leaves_nothing_behind(tmp_path, bundle):
    script = HOLD.replace("flash=FlashPolicy.NEVER", "firmware=Path(sys.argv[2])")
    script = script.replace("faults=tuple(sys.argv[2:])", "").replace(
        "with open_session", "print('open', flush=True)\nwith open_session"
    )
    new = tmp_path / "new"
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(new), str(bundle.source)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "open\n"
    wait_until(lambda: bool(children_named(child.pid, b"esptool")))
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=PATIENCE_S)
    assert child.returncode != 0
    assert pids_using(new) == []
    with open_session(board_in(new), firmware=bundle) as session:
        assert session.identity.target == TARGET


def children_named(parent: int, word: bytes) -> list[int]:
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and word in (process / "cmdline").read_bytes():
                stat = (process / "stat").read_text()
                if int(stat.rpartition(")")[2].split()[1]) == parent:
                    found.append(int(process.name))
        except OSError:
            continue
    return found


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, "did not happen"
        os.sched_yield()
