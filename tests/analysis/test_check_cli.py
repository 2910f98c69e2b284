"""``espdl-hil check``: every finding, memory and accumulators, in words and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest

from espdl_hil.cli import main
from espdl_hil.espdl import read, write
from espdl_hil.ir.lowered import Tensor
from espdl_hil.targets import target_named
from tests.analysis.models import gemm
from tests.quantizer.cases import PRODUCTS
from tests.support.onnx_models import inputs_of, model_of

S3 = target_named("esp32s3")
WEIGHTS = np.full((48, 17), 127, dtype=np.int8)


@pytest.fixture
def saturating(tmp_path):
    path = tmp_path / "net.espdl"
    path.write_bytes(write(gemm(WEIGHTS, S3, exponents={"y": 0})))
    return path


def check(*words):
    return main(["check", *map(str, words)])


def test_a_model_that_runs_exits_with_0_and_shows_its_accumulators(saturating, capsys):
    assert check(saturating) == 0
    out = capsys.readouterr().out
    assert "16 of 16 channels can reach" in out
    assert "Gemm Gemm_y (tail)" not in out, "the tail has room"
    assert "runs on esp32s3: 0 error(s), 1 warning(s)" in out
    assert "memory: parameters 0.8 KiB" in out


def test_samples_show_what_is_reached(saturating, tmp_path, capsys):
    quiet, loud = np.zeros((1, 1, 48), np.int8), np.full((1, 1, 48), 127, np.int8)
    np.savez(tmp_path / "calib.npz", x=np.concatenate([quiet, loud]))
    assert check(saturating, "--calib", tmp_path / "calib.npz", "--json") == 0
    lane, tail = json.loads(capsys.readouterr().out)["headroom"]
    assert (lane["reached"], lane["overflows"]) == (48 * 127 * 127, 16)
    assert (tail["reached"], tail["overflows"]) == (48 * 127 * 127, 0)


def test_real_samples_are_quantized_as_the_board_wants_them(saturating, tmp_path, capsys):
    np.savez(tmp_path / "calib.npz", x=np.full((3, 48), 2.0**-5, np.float32))
    assert check(saturating, "--calib", tmp_path / "calib.npz", "--json") == 0
    lane, _ = json.loads(capsys.readouterr().out)["headroom"]
    assert (lane["reached"], lane["overflows"]) == (48 * 127, 0)


def test_samples_that_do_not_fit_are_named(saturating, tmp_path, capsys):
    np.savez(tmp_path / "calib.npz", x=np.zeros((3, 47), np.float32))
    assert check(saturating, "--calib", tmp_path / "calib.npz") == 3
    assert "value 'x'" in capsys.readouterr().err
    np.savez(tmp_path / "calib.npz", z=np.zeros((3, 48), np.float32))
    assert check(saturating, "--calib", tmp_path / "calib.npz") == 3
    assert "no samples for this input" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.full((2, 48), np.nan, np.float32), "NaN"),
        (np.zeros((0, 48), np.float32), "no samples"),
        (np.zeros((2, 48), np.complex64), "complex64"),
        (np.zeros((2, 48), bool), "bool"),
    ],
)
def test_samples_that_are_no_numbers_are_refused(saturating, tmp_path, capsys, bad, words):
    np.savez(tmp_path / "calib.npz", x=bad)
    assert check(saturating, "--calib", tmp_path / "calib.npz") == 3
    assert words in capsys.readouterr().err


def test_a_test_input_of_another_size_is_named(saturating, capsys):
    model = read(saturating.read_bytes())
    short = Tensor.of("x", np.zeros((1, 47), np.int8), exponents=model.values["x"].exponents)
    saturating.write_bytes(write(replace(model, test_inputs=(short,))))
    assert check(saturating) == 3
    assert "[1, 47]" in capsys.readouterr().err


def test_a_model_that_does_not_run_exits_with_3(saturating, capsys):
    assert check(saturating, "--target", "esp32") == 3
    out = capsys.readouterr().out
    assert "the file is for esp32s3" in out
    assert "does not run on esp32" in out


def test_json_says_the_same(saturating, capsys):
    assert check(saturating, "--target", "esp32", "--json") == 3
    document = json.loads(capsys.readouterr().out)
    assert (document["target"], document["runs"]) == ("esp32", False)
    severities = [finding["severity"] for finding in document["findings"]]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert document["memory_bytes"]["activations"] > 0


def test_an_onnx_model_is_checked_whole_before_it_is_quantized(tmp_path, capsys):
    path = tmp_path / "net.onnx"
    onnx.save(
        model_of(
            "g (float[1,3,8,8] x, float[1,2,4,4,4] x2, float[2,2,3,3,3] w) => (float y, float z)"
            " { y = Hardmax(x) z = Conv(x2, w) }"
        ),
        path,
    )
    assert check(path, "--target", "esp32p4") == 3
    out = capsys.readouterr().out
    for words in ("Hardmax", "over 3 axes"):
        assert words in out


def test_an_onnx_model_with_samples_shows_its_accumulators(tmp_path, capsys):
    found = model_of(PRODUCTS["inverted_residual"])
    onnx.save(found, tmp_path / "net.onnx")
    np.savez(tmp_path / "calib.npz", **inputs_of(found, 4))
    words = (tmp_path / "net.onnx", "--target", "esp32s3", "--json")
    assert check(*words) == 0
    assert json.loads(capsys.readouterr().out)["headroom"] == []
    assert check(*words, "--calib", tmp_path / "calib.npz") == 0
    rows = json.loads(capsys.readouterr().out)["headroom"]
    assert rows
    assert all(row["reached"] <= row["bound"] for row in rows)


def test_an_onnx_model_is_checked_as_far_as_it_shall_go(tmp_path, capsys):
    found = model_of(
        "g (float[1,8] x, float[4,8] w) => (float y) { m = Gemm<transB=1>(x, w) y = Hardmax(m) }"
    )
    onnx.save(found, tmp_path / "net.onnx")
    np.savez(tmp_path / "calib.npz", **inputs_of(found, 4))
    words = (tmp_path / "net.onnx", "--target", "esp32s3")
    assert check(*words) == 3
    assert "Hardmax" in capsys.readouterr().out
    assert check(*words, "--end-at", "m") == 0
    assert check(*words, "--end-at", "m", "--calib", tmp_path / "calib.npz") == 0
    assert "1 of 1 have" in capsys.readouterr().out
    assert check(*words, "--end-at", "nowhere") == 3
    assert "nowhere" in capsys.readouterr().err


def test_a_file_that_is_quantized_cannot_be_cut(saturating, capsys):
    assert check(saturating, "--end-at", "y") == 2
    assert "quantize the ONNX model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "words", "code"),
    [
        (None, "no such model file", 2),
        (b"EDL2", "offset", 3),
        (b"nothing", "not an ONNX model", 3),
    ],
)
def test_what_is_no_model_is_said_in_words(tmp_path, capsys, content, words, code):
    path = tmp_path / ("net.espdl" if content == b"EDL2" else "net.onnx")
    if content is not None:
        path.write_bytes(content)
    assert check(path, "--target", "esp32") == code
    assert words in capsys.readouterr().err


def test_a_target_is_demanded_where_nothing_names_one(tmp_path, capsys):
    onnx.save(model_of(PRODUCTS["inverted_residual"]), tmp_path / "net.onnx")
    assert check(tmp_path / "net.onnx") == 2
    assert "--target" in capsys.readouterr().err
