"""Packs, encrypted files and unfit ones, through every verb that opens a file."""

from __future__ import annotations

import json
import platform
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from espdl_hil import espdl
from espdl_hil.cli import main
from espdl_hil.espdl.container import pack_files, plain_file
from espdl_hil.simulator import Simulator
from espdl_hil.virtual.bundle import write_bundle
from espdl_hil.virtual.chips import chip_named
from espdl_hil.virtual.payload import HostProgram
from tests.analysis import models
from tests.analysis.test_headroom import P4, S3
from tests.support.reference_engine import build

KEY = bytes(range(3, 19))
BENCH = """\
boards:
  sim:
    target: esp32p4
    transport: virtual
    state: state
    flash: {firmware: bundle}
"""


def gemm(seed: int):
    rng = np.random.default_rng(seed)
    return models.gemm(rng.integers(-90, 90, (16, 16)).astype(np.int8), P4, exponents={"y": 0})


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """One model encrypted, and a pack of two, the second one encrypted."""
    (tmp_path / "secret.espdl").write_bytes(espdl.write(gemm(1), key=KEY))
    # One key for two models would give both away: the counter always starts at the same block.
    two = espdl.write(gemm(2), key=KEY)
    pack = pack_files([("one.espdl", espdl.write(gemm(1))), ("two.espdl", two)])
    (tmp_path / "pack.espdl").write_bytes(pack)
    x = np.random.default_rng(5).integers(-128, 128, (1, 16)).astype(np.int8)
    np.savez(tmp_path / "in.npz", x=x)
    return tmp_path


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


WAYS = (
    ("secret.espdl", ("--key", KEY.hex()), 1),
    ("pack.espdl", (), 1),
    ("pack.espdl", ("--key", KEY.hex(), "--model", "two.espdl"), 2),
    ("pack.espdl", ("--key", KEY.hex(), "--model", "1"), 2),
)


@pytest.mark.parametrize(("name", "words", "seed"), WAYS)
def test_every_verb_opens_what_is_packed_and_encrypted(files, capsys, name, words, seed):
    weights = espdl.read(espdl.write(gemm(seed))).parameters["w"].array().astype(int)
    code, out, _ = said(capsys, "inspect", files / name, *words, "--json")
    assert code == 0
    assert json.loads(out)["member"] == ("" if name == "secret.espdl" else _member(seed))
    code, out, _ = said(capsys, "check", files / name, *words, "--json")
    bound = json.loads(out)["headroom"][0]["bound"]
    assert code == 0
    assert bound <= 128 * 16 * np.abs(weights).max()
    out_path = files / "out.npz"
    inputs = ("--inputs", files / "in.npz", "--outputs", out_path)
    assert said(capsys, "simulate", files / name, *words, *inputs)[0] == 0
    with np.load(out_path) as got:
        expected = Simulator(gemm(seed), P4).run(dict(np.load(files / "in.npz")))
        np.testing.assert_array_equal(got["y"], expected["y"])


def _member(seed: int) -> str:
    return {1: "one.espdl", 2: "two.espdl"}[seed]


@pytest.mark.parametrize("verb", ["inspect", "check", "simulate"])
def test_what_is_missing_is_named(files, capsys, verb):
    words = ("--outputs", files / "out.npz") if verb == "simulate" else ()
    code, _, err = said(capsys, verb, files / "secret.espdl", *words)
    assert code == 3
    assert "encrypted" in err
    code, _, err = said(capsys, verb, files / "pack.espdl", "--model", "three", *words)
    assert code == 2
    assert "'one.espdl', 'two.espdl'" in err
    code, _, err = said(capsys, verb, files / "secret.espdl", "--key", KEY[::-1].hex(), *words)
    assert code == 3
    assert "key may be wrong" in err


def test_a_plain_file_is_sent_as_it_is():
    data = espdl.write(gemm(1))
    assert plain_file(data) is data
    assert plain_file(espdl.write(gemm(1), key=KEY), key=KEY) == data


def test_a_board_runs_a_packed_and_encrypted_model(files, bench, capsys):
    words = ("run", files / "pack.espdl", "--board", "sim", "--boards", bench, "--json")
    words += ("--inputs", files / "in.npz", "--outputs", files / "out.npz")
    code, out, _ = said(capsys, *words, "--key", KEY.hex(), "--model", "two.espdl")
    document = json.loads(out)
    assert (code, document["link"]["model_uploaded"]) == (0, True)
    with np.load(files / "out.npz") as got:
        expected = Simulator(gemm(2), P4).run(dict(np.load(files / "in.npz")))
        np.testing.assert_array_equal(got["y"], expected["y"])


def test_what_cannot_run_is_told_at_once_and_nothing_is_flashed(bench, capsys, tmp_path):
    lowered = models.gemm(np.ones((16, 16), dtype=np.int8), S3, exponents={"y": 0})
    odd = models.node("Erf", ["y"], ["z"])
    values = [*lowered.values.values(), models.value("z", (1, 16))]
    both = models.model([*lowered.nodes, odd], values, list(lowered.parameters.values()))
    path = tmp_path / "odd.espdl"
    path.write_bytes(espdl.write(replace(both, metadata={"target": "esp32s3"})))
    words = ("run", path, "--board", "sim", "--boards", bench, "--outputs", tmp_path / "o.npz")
    code, _, err = said(capsys, *words)
    assert code == 3
    assert "the file is for esp32s3" in err
    assert "Erf" in err
    assert not (tmp_path / "state").exists()
    assert not (tmp_path / "o.npz").exists()
    # Whoever wants to see the firmware's own refusal gets it.
    code, _, err = said(capsys, *words, "--no-preflight")
    assert code == 4
    assert "EngineError" in err or "board 'sim'" in err
