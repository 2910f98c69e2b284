"""``espdl-hil quantize``: three files or none, and clear words."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from espdl_hil import espdl
from espdl_hil.cli import main
from espdl_hil.simulator import Simulator
from espdl_hil.targets import target_named
from tests.quantizer.cases import PRODUCTS
from tests.support.onnx_models import inputs_of, model_of


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "net.onnx"
    found = model_of(PRODUCTS["inverted_residual"])
    onnx.save(found, path)
    np.savez(tmp_path / "calib.npz", **inputs_of(found, 8))
    return path


def run(*words):
    return main(["quantize", *map(str, words)])


def test_three_files_appear_and_agree(model, tmp_path, capsys):
    out = tmp_path / "net.espdl"
    assert run(model, "--target", "esp32s3", "--calib", tmp_path / "calib.npz", "-o", out) == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["calib.npz", "net.espdl", "net.info", "net.json", "net.onnx"]
    lowered = espdl.read(out.read_bytes())
    assert "SQNR" in capsys.readouterr().out
    got = Simulator(lowered, target_named("esp32s3")).run()
    for tensor in lowered.test_outputs:
        np.testing.assert_array_equal(got[tensor.name], tensor.array())
    document = json.loads((tmp_path / "net.json").read_text())
    assert list(document["configs"]) == [node.name for node in lowered.nodes]
    for name, value in lowered.values.items():
        assert document["values"][name]["exponents"] == list(value.exponents)
        assert document["values"][name]["scale"] == [2.0**e for e in value.exponents]
    assert set(document["dispatchings"].values()) == {"ESPDL_S3_INT8"}


def test_equal_calls_write_equal_files(model, tmp_path):
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        out = tmp_path / place / "net.espdl"
        assert run(model, "--target", "c", "--random-calib", 3, "--seed", 7, "-o", out) == 0
    for suffix in (".espdl", ".info", ".json"):
        first, second = (tmp_path / place / f"net{suffix}" for place in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()


def test_random_calibration_is_never_silent(model, tmp_path, capsys):
    out = tmp_path / "net.espdl"
    assert run(model, "--target", "esp32p4", "-o", out) == 0
    captured = capsys.readouterr()
    assert "32 random samples" in captured.err
    assert "random" in captured.out
    assert "random" in espdl.read(out.read_bytes()).metadata["calibration"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--target", "esp32-p4"], 2, "known targets"),
        (["--target", "esp32p4", "--bits", "8", "--calib", "nowhere.npz"], 2, "nowhere.npz"),
        (["--target", "esp32p4", "-o", "missing/net.espdl"], 2, "mkdir -p missing"),
        (["--target", "esp32p4", "-o", "net.bin"], 2, "must end in .espdl"),
        (["--target", "esp32p4", "-o", "dir.espdl"], 2, "is a directory"),
    ],
)
def test_wrong_words_leave_nothing_behind(model, tmp_path, monkeypatch, capsys, words, code, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dir.espdl").mkdir()
    before = sorted(tmp_path.iterdir())
    output = [] if "-o" in words else ["-o", "net.espdl"]
    assert run(model, *words, *output) == code
    assert said in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_a_failed_write_leaves_the_old_files(model, tmp_path, monkeypatch):
    out = tmp_path / "net.espdl"
    assert run(model, "--target", "c", "--random-calib", 2, "-o", out) == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    # A directory stands where the last part would be written: as if the disk were full there.
    (tmp_path / ".net.json.partial").mkdir()
    assert run(model, "--target", "esp32p4", "--random-calib", 2, "-o", out) == 2
    (tmp_path / ".net.json.partial").rmdir()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_unsupported_model_lists_its_nodes(tmp_path, capsys):
    path = tmp_path / "bad.onnx"
    body = (
        "g (float[1,4,20,20] x, float[1,4,1,1] x2) => (float y)"
        " { [n1] t = LRN<size = 3>(x)"
        " [n2] a = AveragePool<kernel_shape = [15,15], pads = [7,7,7,7]>(t)"
        " [n3] m = Conv(a, x2) [n4] g = Greater(m, a) [n5] h = Not(g) [n6] y = Where(h, m, a) }"
    )
    onnx.save(model_of(body), path)
    assert run(path, "--target", "c", "-o", tmp_path / "bad.espdl") == 3
    said = capsys.readouterr().err
    for node, reason in (
        ("n1", "LRN"),
        ("n2", "different divisors"),
        ("n3", "Conv: input 1 is computed at run time"),
        ("n5", "Not"),
    ):
        assert any(f"node '{node}'" in line and reason in line for line in said.splitlines())
    assert "Traceback" not in said
