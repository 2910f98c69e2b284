"""The verbs ``boards``, ``flash`` and ``run`` as a user calls them."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import numpy as np
import pytest

from espdl_hil.boards.inventory import read_inventory
from espdl_hil.boards.line import line_of
from espdl_hil.boards.locks import BoardLock
from espdl_hil.cli import main
from espdl_hil.virtual.bundle import write_bundle
from espdl_hil.virtual.chips import chip_named
from espdl_hil.virtual.payload import HostProgram
from tests.support.golden import cases
from tests.support.reference_engine import build

BENCH = """\
boards:
  sim:
    target: esp32p4
    transport: virtual
    state: state
    flash: {firmware: bundle}
  real:
    target: esp32s3
    port: /dev/no-such-port
"""


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    (tmp_path / "bundle").mkdir()
    program = build("runner", "hil_runner").read_bytes()
    write_bundle(
        chip_named("esp32p4"), HostProgram(program, platform.machine(), "1"), tmp_path / "bundle"
    )
    path = tmp_path / "boards.yaml"
    path.write_text(BENCH)
    return path


def said(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


def test_boards_lists_the_bench_and_who_uses_it(bench, capsys):
    code, out, _ = said(capsys, "boards", "--boards", bench, "--json")
    document = json.loads(out)
    assert code == 0
    rows = {row["name"]: row for row in document["boards"]}
    assert (rows["sim"]["access"], rows["real"]["access"]) == ("virtual", "not found")
    assert rows["sim"]["in_use_by"] is None
    with BoardLock(line_of(read_inventory(bench).named("sim")).identity):
        code, out, _ = said(capsys, "boards", "--boards", bench)
    assert "in use by" in out.replace("\n", " ")


def test_flash_writes_once_and_run_brings_the_golden_integers(bench, capsys, tmp_path):
    flash = ("flash", "sim", "--boards", bench, "--json")
    assert [json.loads(said(capsys, *flash)[1])[0]["flashed"] for _ in range(2)] == [True, False]
    assert json.loads(said(capsys, *flash, "--force")[1])[0]["flashed"]
    case = next(case for case in cases("p4_s8") if case.op == "Conv" and not case.float_outputs)
    np.savez(tmp_path / "in.npz", **case.inputs(case.vectors[0]))
    words = ("run", case.path, "--board", "sim", "--boards", bench)
    words += ("--inputs", tmp_path / "in.npz", "--outputs", tmp_path / "out.npz")
    code, out, _ = said(capsys, *words, "--all", "--repeat", 2, "--json")
    document = json.loads(out)
    assert code == 0
    assert (document["virtual"], len(document["latency_us"])) == (True, 2)
    with np.load(tmp_path / "out.npz") as found:
        for name, array in case.outputs(case.vectors[0]).items():
            assert np.array_equal(found[name], array)
        assert {row["value"] for row in document["nodes"]} <= set(found.files)
    code, out, _ = said(capsys, *words)
    assert code == 0
    assert "virtual board sim" in out


def test_a_bench_fault_ends_with_code_4_and_a_usage_mistake_with_2(bench, capsys, tmp_path):
    case = next(iter(cases("s3_s8")))
    words = ("run", case.path, "--boards", bench, "--outputs", tmp_path / "o.npz", "--board")
    code, _, err = said(capsys, *words, "real")
    assert code == 4
    assert "board 'real'" in err
    code, _, err = said(capsys, *words, "esp32p4")
    assert code == 2
    assert "virtual boards must be named: sim" in err
