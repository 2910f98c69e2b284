"""The runner as a program: golden integers over a pipe, and every fault it can play."""

from __future__ import annotations

import hashlib
import os
import pty
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from espdl_hil.errors import BoardError, DeadlineError, DisconnectedError, EngineError
from espdl_hil.runs import RunRequest
from espdl_hil.wire import messages as m
from espdl_hil.wire.client import Pace
from tests.firmware.runner_process import STORE_OFFSET, RunnerProcess, running
from tests.support.golden import GoldenCase, cases
from tests.support.reference_engine import build

TARGETS = {"c_s8": "esp32", "s3_s8": "esp32s3", "p4_s8": "esp32p4"}


@pytest.fixture(scope="session")
def program() -> Path:
    """Under the sanitizers: a finding ends the runner, and with it the test."""
    return build("runner_asan", "hil_runner_asan")


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    return tmp_path / "flash.bin"


def golden(suite: str, op: str) -> list[GoldenCase]:
    return [case for case in cases(suite) if case.op == op and not case.float_outputs]


def conv(suite: str = "s3_s8") -> GoldenCase:
    """The smallest convolution of the suite whose outputs no Relu hides."""
    plain = [case for case in golden(suite, "Conv") if "relu" not in case.name]
    return min(plain, key=lambda case: case.path.stat().st_size)


def request_of(case: GoldenCase, **changes: object) -> RunRequest:
    inputs = case.inputs(case.vectors[0])
    return RunRequest(**({"model": case.path.read_bytes(), "inputs": inputs} | changes))


def outputs_are(case: GoldenCase, outputs) -> bool:
    expected = case.outputs(case.vectors[0])
    return all(np.array_equal(outputs[name], array) for name, array in expected.items())


# --- Golden integers ------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", TARGETS)
@pytest.mark.parametrize("op", ["Conv", "Add", "MaxPool"])
def test_golden_integers_come_over_the_pipe(program, flash, suite, op):
    chosen = golden(suite, op)[:3]
    assert chosen
    with running(program, flash, TARGETS[suite], store_bytes=4 << 20) as runner:
        runner.talk.hello()
        for case in chosen:
            found = runner.talk.run(request_of(case, repeat=2))
            assert outputs_are(case, found.outputs), case.name
            assert len(found.latency_us) == 2
            assert found.nodes


def test_the_rows_digest_is_that_of_the_output(program, flash):
    import xxhash

    case = conv()
    with running(program, flash, "esp32s3") as runner:
        runner.talk.hello()
        found = runner.talk.run(request_of(case, capture=tuple(case.outputs(case.vectors[0]))))
        for name, array in found.outputs.items():
            row = next(row for row in found.nodes if row.value == name)
            assert row.digest == xxhash.xxh64(array.tobytes()).hexdigest()
            assert np.array_equal(found.captured[name], array)


def test_models_stay_in_flash_over_a_restart(program, flash):
    case = conv()
    name = hashlib.sha256(case.path.read_bytes()).hexdigest()
    with running(program, flash, "esp32s3") as runner:
        runner.talk.hello()
        assert runner.talk.run(request_of(case)).model_uploaded
        assert runner.end() == 0
    with running(program, flash, "esp32s3", "--reset-reason", "software") as runner:
        identity = runner.talk.hello()
        assert [model.hex() for model in identity.cached_models] == [name]
        assert identity.reset_reason == "software"
        found = runner.talk.run(request_of(case))
        assert not found.model_uploaded
        assert outputs_are(case, found.outputs)


def test_a_file_for_another_target_is_refused(program, flash):
    with running(program, flash, "esp32p4") as runner:
        runner.talk.hello()
        with pytest.raises(EngineError) as caught:
            runner.talk.run(request_of(conv("s3_s8")))
        assert caught.value.status == "HIL_ERR_TARGET"
        assert "esp32s3; this is esp32p4" in str(caught.value)


# --- The program ----------------------------------------------------------------------------------


def test_it_says_who_it_is_after_a_boot_text(program, flash):
    with running(program, flash, "esp32p4") as runner:
        identity = runner.talk.hello()
        assert (identity.target, identity.chip_revision) == ("esp32p4", "v0.2")
        assert (identity.mac.hex(), identity.firmware_sha256.hex()) == ("020000000001", "ab" * 32)
        assert identity.firmware_version == "1.2.3"
        assert identity.flags & m.IdentityFlags.VIRTUAL
        assert "ESP-ROM:esp32p4 (virtual)" in runner.noise
        assert runner.log == ["runner ready"]


def test_a_reboot_request_is_answered_and_ends_it_with_64(program, flash):
    with running(program, flash, "esp32") as runner:
        runner.talk.hello()
        runner.talk.reboot()
        assert runner.process.wait(10) == 64


def test_a_closed_line_or_sigterm_ends_it_cleanly(program, flash):
    with running(program, flash, "esp32") as runner:
        runner.talk.hello()
        assert runner.end() == 0
    with running(program, flash, "esp32") as runner:
        runner.talk.hello()
        runner.process.send_signal(signal.SIGTERM)
        assert runner.process.wait(10) == 0


def test_it_works_on_a_terminal_that_would_change_bytes(program, flash):
    """A pty in its default mode echoes, and rewrites newlines: the runner sets it raw."""
    flash.write_bytes(b"\xff" * (1 << 20))
    arguments = ["--target", "esp32", "--flash", str(flash), "--store-offset", "0"]
    host, board = pty.openpty()
    runner = RunnerProcess.__new__(RunnerProcess)
    try:
        runner.process = subprocess.Popen(
            [str(program), *arguments, "--store-size", "65536"], stdin=board, stdout=board
        )
        runner.connect(host, host)
        assert runner.talk.hello().target == "esp32"
        case = min(golden("c_s8", "Add"), key=lambda case: case.path.stat().st_size)
        assert outputs_are(case, runner.talk.run(request_of(case)).outputs)
    finally:
        runner.process.terminate()
        assert runner.process.wait(10) == 0
        os.close(host)
        os.close(board)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--target", "esp33"],
        ["--mac", "02:00:00:00:00"],
        ["--mac", "02:00:00:00:00:01:"],
        ["--firmware-sha256", "abc"],
        ["--store-offset", "100"],
        ["--store-size", "-4096"],
        ["--psram", "10"],
        ["--fault", "gremlin"],
        ["--fault", "hang-at-node"],
        ["--fault", "log-noise:0"],
        ["--fault", "mute:1"],
        ["--fault", "rounding:up"],
        ["--fault"],
        ["--unknown", "1"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_named(program, arguments):
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=10, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert arguments[0] in done.stderr


def test_help_names_every_option_and_fault(program):
    done = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=10)
    assert done.returncode == 0
    for word in ("--psram", "flip-weight", "truncate-upload", "panic-at-node", "log-noise"):
        assert word in done.stdout


def test_a_flash_file_too_small_is_an_error(program, tmp_path):
    small = tmp_path / "small.bin"
    small.write_bytes(b"\xff" * 4096)
    arguments = ["--target", "esp32", "--flash", str(small), "--store-size", "8192"]
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=10)
    assert done.returncode == 1
    assert "smaller than the store needs" in done.stderr


# --- Faults ---------------------------------------------------------------------------------------


def run_with(program: Path, flash: Path, fault: str, case: GoldenCase, **changes: object):
    target = TARGETS[case.suite]
    with running(program, flash, target, "--fault", fault) as runner:
        runner.talk.hello()
        return runner, runner.talk.run(request_of(case, **changes))


def test_a_flipped_weight_bit_changes_the_digest_and_not_the_flash(program, flash):
    case = conv()
    _, right = run_with(program, flash, "log-noise:1000", case)
    _, wrong = run_with(program, flash, "flip-weight", case)
    assert outputs_are(case, right.outputs)
    assert not outputs_are(case, wrong.outputs)
    assert [row.digest for row in right.nodes] != [row.digest for row in wrong.nodes]
    assert case.path.read_bytes() in flash.read_bytes()


def test_a_flip_in_a_parameter_that_is_not_there_is_an_error(program, flash):
    with pytest.raises(EngineError, match="no such parameter"):
        run_with(program, flash, "flip-weight:nobody:3", conv())


@pytest.mark.parametrize("suite", ["s3_s8", "p4_s8"])
def test_wrong_rounding_changes_some_integers_by_one(program, flash, suite):
    """Ties are rare: some convolution of the suite has one."""
    changed = 0
    with running(program, flash, TARGETS[suite], "--fault", "rounding") as runner:
        runner.talk.hello()
        for case in golden(suite, "Conv")[:6]:
            if case.path.stat().st_size > 500_000:
                continue
            outputs = runner.talk.run(request_of(case)).outputs
            for name, array in case.outputs(case.vectors[0]).items():
                error = np.abs(outputs[name].astype(int) - array.astype(int))
                assert error.max() <= 1
                changed += int(error.sum())
    assert changed > 0


def test_a_stale_model_is_found_by_its_hash(program, flash):
    first, second = sorted(golden("s3_s8", "Add"), key=lambda case: case.path.stat().st_size)[:2]
    with running(program, flash, "esp32s3", "--fault", "stale-model") as runner:
        runner.talk.hello()
        assert outputs_are(first, runner.talk.run(request_of(first)).outputs)
        with pytest.raises(BoardError, match="stale model"):
            runner.talk.run(request_of(second, inputs={}))


def test_a_truncated_upload_is_found_at_the_commit(program, flash):
    with running(program, flash, "esp32s3", "--fault", "truncate-upload") as runner:
        runner.talk.hello()
        with pytest.raises(EngineError) as caught:
            runner.talk.run(request_of(conv()))
    assert caught.value.status == "HIL_ERR_HASH"


def test_a_mute_runner_never_answers(program, flash):
    with running(program, flash, "esp32s3", "--fault", "mute") as runner:
        runner.patience = Pace(resend_s=0.05, silence_s=0.3)
        with pytest.raises(DeadlineError):
            runner.talk.hello()
        runner.client.line_lost()  # text without a zero byte after it is held until then
        runner.events += runner.client.take_events()
        assert "ESP-ROM" in runner.noise
        assert runner.log == []


def test_noise_between_and_inside_frames_is_survived(program, flash):
    case = conv()
    with running(program, flash, "esp32s3", "--fault", "log-noise:3") as runner:
        runner.patience = Pace(resend_s=0.05, silence_s=10)
        runner.talk.hello()
        found = runner.talk.run(request_of(case))
    assert outputs_are(case, found.outputs)
    assert runner.client.counters.retries > 0
    assert "wifi:" in runner.noise
    assert "heap_init" in runner.noise


@pytest.mark.parametrize(
    ("fault", "code"), [("reset-at-node:0", 65), ("panic-at-node:0", 66)], ids=["reset", "panic"]
)
@pytest.mark.parametrize("suite", ["s3_s8", "p4_s8"])
def test_a_board_that_goes_away_in_a_run(program, flash, fault, code, suite):
    with running(program, flash, TARGETS[suite], "--fault", fault) as runner:
        runner.talk.hello()
        with pytest.raises(DisconnectedError):
            runner.talk.run(request_of(conv(suite)))
        assert runner.process.wait(10) == code
        register = {"s3_s8": "Backtrace:", "p4_s8": "MEPC"}[suite]
        assert (register in runner.noise) == (code == 66)
        assert ("Guru Meditation" in runner.noise) == (code == 66)


def test_a_hanging_node_is_silence_and_no_orphan(program, flash):
    case = conv()
    with running(program, flash, "esp32s3", "--fault", "hang-at-node:0") as runner:
        runner.talk.hello()
        runner.patience = Pace(resend_s=0.1, silence_s=0.5)
        with pytest.raises(DeadlineError):
            runner.talk.run(request_of(case))
        assert runner.process.poll() is None
        assert runner.end() == 0


def test_flash_outside_the_store_is_left_alone(program, flash):
    with running(program, flash, "esp32s3") as runner:
        runner.talk.hello()
        runner.talk.run(request_of(conv()))
    assert flash.read_bytes()[:STORE_OFFSET] == b"\xff" * STORE_OFFSET
