"""The chip's own files over stand-ins for ESP-IDF and ESP-DL: golden integers, and every failure.

The stand-ins follow the public API and fail where a test says so. The law: whatever one call
refuses, the host gets an ERROR or a log line, no wrong integer, and a board that goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from espdl_hil.errors import BoardError, DeadlineError, DisconnectedError, EngineError
from espdl_hil.runs import Engine, RunRequest
from espdl_hil.wire import messages as m
from espdl_hil.wire.client import Pace
from tests.firmware.board_process import (
    EXIT_PANIC,
    EXIT_RESTART,
    RESET_PANIC,
    TARGETS,
    BoardProcess,
    board,
    board_program,
)
from tests.support.golden import GoldenCase, cases

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
ENGINES = (Engine.ESPDL, Engine.REFERENCE)
PATIENCE = Pace(0.4, 2)
HELLOS_WITHIN_PATIENCE = 4
"""At 0, 0.4, 1.2 s, and one that its deadline overtakes."""
MUTATIONS = 150


@pytest.fixture(scope="session")
def program() -> Path:
    return board_program("esp32s3")


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


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("suite", TARGETS)
def test_golden_integers_come_from_a_chip_of_each_kind(flash, suite, engine):
    chosen = [golden(suite, op)[0] for op in ("Conv", "Add", "MaxPool")]
    with board(board_program(TARGETS[suite]), flash) as chip:
        assert chip.talk.hello().target == TARGETS[suite]
        for case in chosen:
            found = chip.talk.run(request_of(case, engine=engine, repeat=2))
            assert outputs_are(case, found.outputs), case.name
            assert found.nodes


def test_both_engines_give_every_node_the_same_digest(program, flash):
    case = conv()
    names = tuple(case.outputs(case.vectors[0]))
    with board(program, flash) as chip:
        chip.talk.hello()
        found = [
            chip.talk.run(request_of(case, engine=name, capture=names, cores=2)) for name in ENGINES
        ]
    rows = [[(row.node, row.value, row.digest) for row in result.nodes] for result in found]
    assert rows[0] == rows[1]
    for name in names:
        assert np.array_equal(found[0].captured[name], found[1].captured[name])


def test_the_board_says_who_it_is_and_what_memory_it_has(program, flash):
    with board(program, flash) as chip:
        identity = chip.talk.hello()
        assert (identity.chip_revision, identity.mac.hex()) == ("v0.2", "020000000007")
        assert identity.firmware_version == "1.2.3-test"
        assert identity.firmware_sha256.hex() == "cd" * 32
        assert not identity.flags & m.IdentityFlags.VIRTUAL
        assert [engine.name for engine in identity.engines] == ["espdl", "reference"]
        assert {region.name for region in identity.memory} == {
            *("arena", "store", "internal", "psram", "stack_inference", "stack_server")
        }


@pytest.mark.parametrize(
    ("suite", "facts"),
    [
        ("c_s8", {"cpu_mhz": "240", "flash_mode": "qio", "xip": "flash"}),
        ("s3_s8", {"psram_mode": "octal", "psram_mhz": "80", "cache_data_bytes": "0x10000"}),
        ("p4_s8", {"psram_mode": "hex", "psram_mhz": "200", "xip": "psram", "cpu_mhz": "400"}),
    ],
)
def test_the_board_tells_what_its_latencies_stand_on(flash, suite, facts):
    with board(board_program(TARGETS[suite]), flash) as chip:
        told = {fact.name: fact.value for fact in chip.talk.hello().facts}
        assert facts.items() <= told.items()
        assert (told["idf"], told["cores"]) == ("v5.5.1", "2")
        found = chip.talk.run(request_of(conv(suite), engine=Engine.REFERENCE))
        assert found.cycles is not None
        assert found.temperature_c == (None if suite == "c_s8" else 41.5)


def test_a_board_without_psram_runs_from_internal_memory(program, flash):
    case = conv()
    with board(program, flash, psram="0") as chip:
        identity = chip.talk.hello()
        assert "psram" not in {region.name for region in identity.memory}
        for engine in ENGINES:
            assert outputs_are(case, chip.talk.run(request_of(case, engine=engine)).outputs)


@pytest.mark.parametrize("node_ms", ["0", "400"])
def test_what_esp_dl_logs_is_one_line_and_there_when_its_error_is(program, flash, node_ms):
    with board(program, flash, fail="Model::load", node_ms=node_ms) as chip:
        chip.talk.hello()
        with pytest.raises(EngineError):
            chip.talk.run(request_of(conv(), engine=Engine.ESPDL))
        assert "E (12) dl::Model: Fail to load model" in chip.log


def test_a_host_that_reads_nothing_costs_one_write_for_each_of_its_requests(program, tmp_path):
    counts = tmp_path / "counts"
    lines = "uart_driver_install,usb_serial_jtag_write_bytes"
    with board(program, tmp_path / "flash.bin", fail=lines, counts=str(counts)) as chip:
        chip.patience = PATIENCE
        with pytest.raises(DeadlineError):
            chip.talk.hello()
    assert 1 <= _counts(counts)["usb_serial_jtag_write_bytes"] <= HELLOS_WITHIN_PATIENCE


def test_models_stay_over_a_restart(program, flash):
    case = conv()
    with board(program, flash) as chip:
        chip.talk.hello()
        assert chip.talk.run(request_of(case)).model_uploaded
        chip.talk.reboot()
        assert chip.process.wait(10) == EXIT_RESTART
    with board(program, flash) as chip:
        name = hashlib.sha256(case.path.read_bytes()).digest()
        assert name in chip.talk.hello().cached_models
        assert not chip.talk.run(request_of(case)).model_uploaded


def test_a_node_that_takes_long_is_told_alive(program, flash):
    with board(program, flash, node_ms="700") as chip:
        chip.talk.hello()
        chip.talk.run(request_of(conv(), engine=Engine.ESPDL))
        alive = [event for event in chip.events if isinstance(event, m.Alive)]
        assert len(alive) >= 2


def test_an_operator_that_esp_dl_lacks_is_refused_by_the_name_of_its_node(program, flash):
    case = conv()
    model = case.path.read_bytes()
    assert b"Conv\0" in model
    unknown = model.replace(b"Conv\0", b"Conw\0")
    with board(program, flash) as chip:
        chip.talk.hello()
        with pytest.raises(EngineError) as caught:
            chip.talk.run(request_of(case, model=unknown, engine=Engine.ESPDL))
        assert caught.value.status == "HIL_ERR_UNSUPPORTED"
        assert caught.value.node
        assert outputs_are(case, chip.talk.run(request_of(case)).outputs)


def test_mutated_files_never_end_the_board(program, flash):
    rng = np.random.default_rng(4)
    original = conv().path.read_bytes()
    with board(program, flash, fail="") as chip:
        chip.talk.hello()
        for _ in range(MUTATIONS):
            model = bytearray(original)
            for at in rng.integers(0, len(model), 3):
                model[at] = rng.integers(0, 256)
            with contextlib.suppress(EngineError, BoardError):
                chip.talk.run(request_of(conv(), model=bytes(model), engine=Engine.ESPDL))
            assert chip.process.poll() is None, bytes(model).hex()
        assert outputs_are(conv(), chip.talk.run(request_of(conv())).outputs)


def test_a_panic_is_told_with_its_node_after_the_reboot(program, flash, tmp_path):
    settings = {"noinit": str(tmp_path / "noinit.bin")}
    with board(program, flash, fail="Model::run", **settings) as chip:
        chip.talk.hello()
        with pytest.raises(BoardError):
            chip.talk.run(request_of(conv(), engine=Engine.ESPDL))
        assert chip.process.wait(10) == EXIT_PANIC
    with board(program, flash, reset_reason=RESET_PANIC, **settings) as chip:
        assert chip.talk.hello().reset_reason == "panic"
        assert outputs_are(conv(), chip.talk.run(request_of(conv())).outputs)
        assert "the last boot ended in node 0 of a run (panic)" in chip.log
    with board(program, flash, **settings) as chip:
        chip.talk.hello()
        chip.talk.run(request_of(conv()))
        assert not any("the last boot" in line for line in chip.log)


# --- Failures -------------------------------------------------------------------------------------

STUBS = FIRMWARE / "test/stubs"
NEVER_FAIL = {
    # Values that are always there.
    *("esp_app_get_description", "esp_chip_info", "esp_cpu_get_cycle_count", "esp_reset_reason"),
    *("esp_timer_get_time", "heap_caps_get_free_size", "heap_caps_get_largest_free_block"),
    *("heap_caps_get_minimum_free_size", "heap_caps_get_total_size"),
    # Nothing comes back from them, or nothing that says how it went.
    *("esp_log_set_vprintf", "esp_partition_munmap", "esp_restart", "heap_caps_free", "vTaskDelay"),
    *("vTaskPrioritySet", "uxTaskGetStackHighWaterMark"),
    # Static creation, and waiting for ever: FreeRTOS documents no failure.
    *("xSemaphoreCreateBinaryStatic", "xSemaphoreCreateMutexStatic", "xSemaphoreGive"),
    *("xSemaphoreTake", "xTaskCreateStaticPinnedToCore"),
    # Undoing, whose failure nobody could act on; the watchdog's feeding, whose failure resets.
    *("esp_task_wdt_reset", "temperature_sensor_uninstall", "uart_driver_delete"),
}


def _declared() -> set[str]:
    text = "\n".join(path.read_text() for path in STUBS.rglob("*.h"))
    return set(re.findall(r"^(?!typedef)[a-zA-Z][\w ]*[ *](\w+)\((?!\*)", text, re.MULTILINE))


def _faulty() -> set[str]:
    text = "".join((FIRMWARE / "test" / name).read_text() for name in ("fake_idf.c", "fake_dl.cpp"))
    return set(re.findall(r'fake_fails\("([^"]+)"\)', text))


def test_every_call_to_esp_idf_can_be_made_to_fail_or_is_known_not_to():
    assert len(_declared()) > 40
    assert _declared() - {call for call in _faulty() if "::" not in call} == NEVER_FAIL
    sources = [*FIRMWARE.glob("main/*.c"), *FIRMWARE.glob("components/hil_port/*.c")]
    sources += FIRMWARE.glob("components/hil_espdl_engine/*.cpp")
    text = "".join(path.read_text() for path in sources)
    unused = {call for call in _declared() if not re.search(rf"\b{call}\(", text)}
    assert not unused, "a stand-in that nobody calls"


def test_every_stand_in_names_the_header_that_it_stands_for():
    listed = (STUBS / "README.md").read_text()
    for path in STUBS.rglob("*.h*"):
        assert f"`{path.relative_to(STUBS)}`" in listed or f"`{path.name}`" in listed, path


def _scenario(chip: BoardProcess, case: GoldenCase) -> int:
    """Says hello, changes the rate, runs both engines; returns how often something was refused."""
    refused = 0
    chip.patience = PATIENCE
    for action in (
        chip.talk.hello,
        lambda: chip.talk.change_baud(921600),
        chip.talk.hello,
        lambda: chip.talk.run(request_of(case, engine=Engine.ESPDL)),
        lambda: chip.talk.run(request_of(case, engine=Engine.REFERENCE)),
    ):
        try:
            result = action()
        except (EngineError, DeadlineError, DisconnectedError, BoardError):
            refused += 1
            if chip.process.poll() is not None:
                break
        else:
            outputs = getattr(result, "outputs", None)
            assert outputs is None or outputs_are(case, outputs), "a wrong integer"
    return refused


def _counts(path: Path) -> dict[str, int]:
    lines = (line.rsplit(" ", 1) for line in path.read_text().splitlines())
    return {name: int(count) for name, count in lines}


WORLDS = (("s3_s8", ""), ("s3_s8", "uart_driver_install"), ("p4_s8", "uart_driver_install"))
"""Configurations, and what is broken from the start, that together make every call."""


def test_the_worlds_together_make_every_call_that_can_fail(tmp_path):
    made: set[str] = set()
    for number, (suite, broken) in enumerate(WORLDS):
        counts = tmp_path / f"counts{number}"
        flash = tmp_path / f"{number}.bin"
        with board(board_program(TARGETS[suite]), flash, fail=broken, counts=str(counts)) as chip:
            assert _scenario(chip, conv(suite)) <= (1 if broken else 0)
        made |= set(_counts(counts))
    assert made == _faulty()


@pytest.mark.parametrize(("suite", "broken"), WORLDS)
def test_each_call_may_fail_once_and_the_board_goes_on(suite, broken, tmp_path):
    program = board_program(TARGETS[suite])
    case = conv(suite)
    counts_path = tmp_path / "counts"
    with board(program, tmp_path / "first.bin", fail=broken, counts=str(counts_path)) as chip:
        _scenario(chip, case)
    counts = _counts(counts_path)
    if broken:  # the other world has had the rest
        counts = {call: n for call, n in counts.items() if call.startswith(("usb_", "tinyusb_"))}
    assert counts
    for number, (call, total) in enumerate(sorted(counts.items())):
        if call == "Model::run":
            continue  # ESP-DL's failure is a panic: a test of its own
        if suite == "s3_s8" and broken and call == "usb_serial_jtag_driver_install":
            continue  # no line is left to hear it live
        for which in {1, total} if broken else {1, 2, total} & set(range(1, total + 1)):
            flash = tmp_path / f"{number}-{which}.bin"
            with board(program, flash, fail=f"{broken},{call}@{which}".strip(",")) as chip:
                _scenario(chip, case)
                assert chip.process.poll() is None, f"{call}@{which} ended the board"
                chip.patience = None
                found = chip.talk.hello() and chip.talk.run(
                    request_of(case, engine=Engine.REFERENCE)
                )
                assert outputs_are(case, found.outputs), f"{call}@{which}"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("esp_partition_find_first", "no partition 'model'"),
        ("esp_partition_read", "does not mount"),
        ("esp_task_wdt_add", "does not watch"),
        ("usb_serial_jtag_driver_install", "a line did not open"),
    ],
)
def test_what_the_board_can_do_without_is_told_and_done_without(program, flash, call, says):
    case = conv()
    with board(program, flash, fail=call) as chip:
        chip.talk.hello()
        assert outputs_are(case, chip.talk.run(request_of(case)).outputs)
        assert any(says in line for line in chip.log), chip.log


@pytest.mark.parametrize("call", ["install", "enable", "get_celsius"])
def test_without_the_sensor_a_run_has_no_temperature(program, flash, call):
    with board(program, flash, fail=f"temperature_sensor_{call}") as chip:
        chip.talk.hello()
        assert chip.talk.run(request_of(conv())).temperature_c is None


def test_without_the_uart_the_other_line_is_used(program, flash):
    case = conv()
    with board(program, flash, fail="uart_driver_install") as chip:
        chip.talk.hello()
        assert outputs_are(case, chip.talk.run(request_of(case)).outputs)


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("esp_partition_write", "HIL_ERR_STORE"),
        ("Model::new", "HIL_ERR_MEMORY"),
        ("Model::load", "HIL_ERR_FORMAT"),
        ("Model::root_alloc", "HIL_ERR_MEMORY"),
        ("FbsModel::get_operation_inputs_and_outputs", "HIL_ERR_INTERNAL"),
    ],
)
def test_what_it_cannot_do_without_is_an_error_with_a_status(program, flash, call, status):
    with board(program, flash) as chip:
        chip.talk.hello()  # the first boot writes the store's directory
    with board(program, flash, fail=call) as chip:
        chip.talk.hello()
        for _ in range(2):
            with pytest.raises(EngineError) as caught:
                chip.talk.run(request_of(conv(), engine=Engine.ESPDL))
            assert caught.value.status == status
        assert chip.talk.hello().target == "esp32s3"


def test_a_model_that_the_mmu_has_no_pages_for_is_read_into_memory(program, flash):
    case = conv()
    with board(program, flash, fail="esp_partition_mmap") as chip:
        chip.talk.hello()
        for engine in ENGINES:
            assert outputs_are(case, chip.talk.run(request_of(case, engine=engine)).outputs)


def test_a_board_without_memory_answers_every_request_with_the_reason(program, flash):
    with board(program, flash, fail="heap_caps_aligned_alloc") as chip:
        for _ in range(2):
            with pytest.raises(EngineError, match="no memory for inputs"):
                chip.talk.hello()


@pytest.mark.parametrize(
    "call", ["uart_set_baudrate", "uart_wait_tx_done", "uart_get_baudrate", ""]
)
def test_a_rate_that_cannot_be_made_leaves_the_line_usable(program, flash, call):
    with board(program, flash, fail=call) as chip:
        chip.talk.hello()
        if call:
            chip.talk.change_baud(921600)
            chip.talk.hello()
            chip.talk.hello()
            assert any("921600 cannot be made; stays 115200" in line for line in chip.log)
        else:
            chip.talk.change_baud(921600)
            chip.talk.hello()
