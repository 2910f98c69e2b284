"""boards.yaml: what it may say, where mistakes are, which boards a selector means."""

from __future__ import annotations

from pathlib import Path

import pytest

from espdl_hil.boards.flashing import ResetStrategy
from espdl_hil.boards.inventory import (
    VIRTUAL_TAG,
    Inventory,
    built_in_inventory,
    load_inventory,
    read_inventory,
    select_boards,
)
from espdl_hil.errors import ConfigError
from espdl_hil.runs import Engine
from espdl_hil.virtual.chips import VIRTUAL_CHIPS

BENCH = """\
boards:
  s3-uart:
    target: esp32s3
    usb_serial: "0001"
    fast_baud: 921600
    tags: [bench, fast]
    flash: {baud: 921600, reset: usb, firmware: build/s3}
  p4-usb:
    target: esp32p4
    port: /dev/ttyACM0
    engine: espdl
    tags: bench
    flash: {allowed: false}
  sim-s3:
    target: esp32s3
    transport: virtual
    state: state/s3
    faults: ["drop:0.01"]
    tags: [fast]
  sim-p4:
    target: esp32p4
    transport: virtual
    port: rfc2217://localhost:4000
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "boards.yaml"
    path.write_text(text)
    return path


@pytest.fixture
def bench(tmp_path: Path) -> Inventory:
    return read_inventory(written(tmp_path, BENCH))


def names(inventory: Inventory, *selectors: str) -> list[str]:
    return [board.name for board in inventory.select(selectors)]


def test_every_key_arrives(bench: Inventory, tmp_path: Path):
    s3, p4, sim, served = bench.boards
    assert (s3.usb_serial, s3.fast_baud, s3.baud, s3.virtual) == ("0001", 921600, 115200, False)
    assert (s3.flash.options.baud, s3.flash.options.reset) == (921600, ResetStrategy.USB)
    assert s3.flash.firmware == tmp_path / "build/s3"
    assert (p4.port, p4.engine, p4.flash.allowed) == ("/dev/ttyACM0", Engine.ESPDL, False)
    assert (sim.state, sim.faults, sim.virtual) == (tmp_path / "state/s3", ("drop:0.01",), True)
    assert (served.port, served.virtual) == ("rfc2217://localhost:4000", True)
    assert s3.where.endswith("boards.yaml:3")


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        (["s3-uart"], ["s3-uart"]),
        (["sim-s3,p4-usb"], ["sim-s3", "p4-usb"]),
        (["bench", "p4-usb"], ["s3-uart", "p4-usb"]),
        (["esp32s3"], ["s3-uart"]),
        (["all"], ["s3-uart", "p4-usb"]),
        (["fast"], ["s3-uart", "sim-s3"]),
        (["virtual"], ["sim-s3", "sim-p4"]),
        (["all", "sim-s3"], ["s3-uart", "p4-usb", "sim-s3"]),
        ([" p4-usb , "], ["p4-usb"]),
        ([], []),
    ],
)
def test_selectors_mean_names_tags_and_physical_targets(bench, selectors, expected):
    assert names(bench, *selectors) == expected
    assert [board.name for board in select_boards(bench, selectors)] == expected


def test_a_target_with_virtual_boards_only_says_that_they_must_be_named():
    with pytest.raises(ConfigError, match="virtual boards must be named: virtual-esp32s3"):
        built_in_inventory().select(["esp32s3"])
    with pytest.raises(ConfigError, match="no physical board"):
        built_in_inventory().select(["all"])


def test_an_unknown_selector_lists_what_there_is(bench: Inventory):
    with pytest.raises(ConfigError, match=r"did you mean 's3-uart'.*p4-usb.*tags: bench, fast"):
        bench.select(["s3-uart-"])


def test_one_name_means_one_board(bench: Inventory):
    assert bench.named("esp32p4").name == "p4-usb"
    with pytest.raises(ConfigError, match="means 2 boards"):
        bench.named("bench")


def test_without_a_file_there_are_three_virtual_boards(tmp_path: Path):
    inventory = load_inventory(folder=tmp_path, environment={})
    assert names(inventory, "virtual") == ["virtual-esp32", "virtual-esp32s3", "virtual-esp32p4"]
    assert all(board.virtual for board in inventory.boards)


def test_the_nearest_file_counts(tmp_path: Path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    above = written(tmp_path, BENCH)
    other = tmp_path / "other.yaml"
    other.write_text("boards:\n  only:\n    target: esp32\n    port: /dev/ttyUSB7\n")
    assert load_inventory(folder=inner, environment={}).file == above
    environment = {"ESPDL_HIL_BOARDS": str(other)}
    assert load_inventory(folder=inner, environment=environment).file == other
    assert load_inventory(above, folder=inner, environment=environment).file == above


def test_a_named_file_must_exist(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_inventory(tmp_path / "none.yaml")


ENTRY = "boards:\n  b:\n    target: esp32\n"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("boards:\n  b:\n    target: esp32x\n    port: /dev/x\n", 3, "esp32"),
        (ENTRY, 3, "exactly one of transport, port, usb_serial"),
        (ENTRY + "    port: /dev/x\n    usb_serial: abc\n", 3, "has port, usb_serial"),
        (ENTRY + "    prt: /dev/x\n", 4, "did you mean 'port'"),
        (ENTRY + "    port: /dev/x\n    buad: 9600\n", 5, "did you mean 'baud'"),
        (ENTRY + "    port: /dev/x\n    baud: fast\n", 5, "whole number"),
        (ENTRY + "    port: /dev/x\n    baud: 3\n", 5, "at least 300"),
        (ENTRY + "    usb_serial: 17\n", 4, "expected text"),
        (ENTRY + "    transport: pty\n", 4, "virtual"),
        (ENTRY + "    port: /dev/x\n    tags: [all]\n", 5, "name of a board or target"),
        (ENTRY + "    port: /dev/x\n    tags: [esp32]\n", 5, "name of a board or target"),
        (ENTRY + "    port: /dev/x\n    tags: [virtual]\n", 5, "physical board"),
        (ENTRY + "    port: /dev/x\n    tags: ['a,b']\n", 5, "is no tag"),
        (ENTRY + "    port: /dev/x\n    flash: {reset: button}\n", 5, "lines, usb"),
        (ENTRY + "    port: /dev/x\n    faults: [x]\n", 5, "unknown key"),
        ("boards:\n  all:\n    target: esp32\n    port: /dev/x\n", 3, "cannot be called"),
        ("boards:\n  esp32:\n    target: esp32\n    port: /dev/x\n", 3, "cannot be called"),
        ("boards:\n  'a b':\n    target: esp32\n    port: /dev/x\n", 3, "is no name"),
        ("board:\n", 1, "did you mean 'boards'"),
        ("boards: [a]\n", 1, "expected keys and values"),
        (ENTRY + "    port: /dev/x\n  c:\n    target: esp32\n    port: /dev/x\n", 5, "same port"),
        (ENTRY + "    port: /dev/x\n  b:\n    target: esp32\n", 5, "twice"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, text, line, what):
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=what) as caught:
        read_inventory(path)
    assert (caught.value.file, caught.value.line) == (path, line)


def test_the_shipped_inventory_is_the_built_in_one():
    shipped = read_inventory(Path(__file__).resolve().parents[2] / "boards.yaml")
    built_in = built_in_inventory()
    assert [(b.name, b.target, b.virtual, b.tags) for b in shipped.boards] == [
        (b.name, b.target, b.virtual, b.tags) for b in built_in.boards
    ]


def test_the_commented_examples_of_the_shipped_inventory_are_valid(tmp_path: Path):
    text = (Path(__file__).resolve().parents[2] / "boards.yaml").read_text()
    inventory = read_inventory(written(tmp_path, text.replace("\n  # ", "\n  ")))
    added = {board.name for board in inventory.boards if VIRTUAL_TAG not in board.tags}
    assert added == {"s3-uart", "p4-usb", "lab-esp32"}
    assert inventory.named("flaky-s3").virtual


def test_the_built_in_boards_are_the_chips_that_can_be_virtual():
    built_in = {board.target.name for board in built_in_inventory().boards}
    assert built_in == {chip.name for chip in VIRTUAL_CHIPS}
