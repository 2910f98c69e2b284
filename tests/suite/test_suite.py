"""Suite files: what they may say, and complaints that name file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from espdl_hil.calibration.observers import DEFAULT_OBSERVER, Observer
from espdl_hil.errors import ConfigError
from espdl_hil.quantizer import AccumulatorHeadroom
from espdl_hil.results.accuracy import Metric
from espdl_hil.suite import DEFAULT_OBSERVER as SUITES_DEFAULT
from espdl_hil.suite import HEADROOMS, OBSERVERS, read_suite

FULL = """\
version: 1
seed: 7
models:
  digits:
    model: digits.onnx
    bits: 16
    targets: [esp32s3, esp32p4]
    end_at: [scores, boxes]
    accumulator_headroom: any-input
    calibration: {data: calib.npz, observer: kl}
    evaluation:
      data: eval.npz
      labels: y
      metric: top1
      samples: 50
      min: 0.9
    vectors: 3
    warmup: 1
    repeat: 5
    budgets: {latency_us: 900, accuracy_drop: 0.01, size_bytes: 20000}
  ready:
    model: ready.espdl
    targets: c
    sequence: true
    preflight: false
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("digits.onnx", "ready.espdl", "calib.npz", "eval.npz", "notes.txt"):
        (tmp_path / name).touch()
    return tmp_path


def read(folder: Path, text: str):
    path = folder / "demo.hil.yaml"
    path.write_text(text, encoding="utf-8")
    return read_suite(path)


def test_a_full_file_is_understood(folder):
    digits, ready = read(folder, FULL).models
    assert digits.name == "digits"
    assert digits.source == folder / "digits.onnx"
    assert (digits.bits, digits.targets) == (16, ("esp32s3", "esp32p4"))
    assert (digits.end_at, ready.end_at) == (("scores", "boxes"), ())
    assert (digits.accumulator_headroom, ready.accumulator_headroom) == ("any-input", None)
    assert digits.calibration is not None
    assert (digits.calibration.data.name, digits.calibration.observer) == ("calib.npz", "kl")
    assert (digits.sequence, ready.sequence) == (False, True)
    assert (digits.preflight, ready.preflight) == (True, False)
    assert digits.evaluation is not None
    assert digits.evaluation.metric is Metric.TOP1
    assert (digits.evaluation.low, digits.evaluation.high) == (0.9, None)
    assert (digits.vectors, digits.seed, digits.warmup, digits.repeat) == (3, 7, 1, 5)
    assert digits.budgets.size_bytes == 20000
    assert digits.quantized_here
    assert not ready.quantized_here
    assert ready.targets == ("esp32",)
    assert ready.budgets.latency_us is None


def test_the_observers_are_those_of_the_calibration():
    assert {observer.value for observer in Observer} == set(OBSERVERS)
    assert DEFAULT_OBSERVER.value == SUITES_DEFAULT


def test_the_modes_of_headroom_are_those_of_the_quantizer():
    assert {mode.value for mode in AccumulatorHeadroom} == set(HEADROOMS)


@pytest.mark.parametrize(
    ("replace", "by", "line", "says"),
    [
        ("version: 1", "version: 2", 1, "version 2 is not known"),
        ("version: 1\n", "", 1, "version: is missing"),
        ("seed: 7", "seeds: 7", 2, "did you mean 'seed'"),
        ("seed: 7", "seed: -7", 2, "at least 0"),
        ("    model: digits.onnx", "    modle: digits.onnx", 5, "did you mean 'model'"),
        ("repeat: 5", "repeat: 65536", 19, "at most 65535"),
        ("bits: 16", "bits: 4", 6, "8 or 16"),
        ("bits: 16", "bits: yes", 6, "whole number"),
        ("bits: 16", "bit: 16", 6, "did you mean 'bits'"),
        ("esp32p4]", "esp8266]", 7, "esp8266"),
        ("esp32p4]", "9]", 7, "list of words"),
        ("digits.onnx", "missing.onnx", 5, "no such file"),
        ("digits.onnx", "notes.txt", 5, r"\.onnx or \.espdl"),
        ("observer: kl", "observer: mim", 10, "minmax, percentile, kl, mse"),
        ("data: calib.npz", "data: nowhere.npz", 10, "no such file"),
        ("metric: top1", "metric: top5", 14, "top1, mae, mse"),
        ("metric: top1\n", "\n", 12, "metric: is missing"),
        ("min: 0.9", "min: much", 16, "expected a number"),
        ("min: 0.9", "min: .nan", 16, "finite"),
        ("vectors: 3", "vectors: [3]", 17, "one value"),
        ("repeat: 5", "repeat: 0", 19, "at least 1"),
        ("size_bytes: 20000", "size: 20000", 20, "unknown key"),
        ("    targets: c\n", "    bits: 8\n", 23, "quantized already"),
        ("    targets: c\n", "    budgets: {accuracy_drop: 1}\n", 23, "needs evaluation data"),
        ("  ready:\n", "  digits:\n", 21, "appears twice"),
        ("models:\n", "models: {}\nothers:\n", 4, "others"),
        ("  digits:\n", "  digits: [\n", None, "is not YAML"),
    ],
)
def test_a_mistake_is_named_with_its_line(folder, replace, by, line, says):
    assert replace in FULL
    with pytest.raises(ConfigError, match=says) as caught:
        read(folder, FULL.replace(replace, by, 1))
    assert caught.value.file == folder / "demo.hil.yaml"
    if line is not None:
        assert caught.value.line == line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("- a\n- b\n", "keys and values"),
        ("version: 1\nmodels: {}\n", "names no model"),
        ("version: 1\nmodels: 3\n", "keys and values"),
        ("? [a]\n: b\n", "must be a word"),
        ("version: " + "[" * 3000 + "]" * 3000, "nested too deeply"),
        ("version: !!python/object:os.system x\n", "whole number"),
        ("version: 2001-99-99\n", "whole number"),
        ("a: \t\n\t- b\n", "is not YAML"),
    ],
)
def test_what_is_no_suite_at_all_is_refused(folder, text, says):
    with pytest.raises(ConfigError, match=says):
        read(folder, text)


def test_a_file_that_is_not_text_is_refused(folder):
    path = folder / "demo.hil.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_suite(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_suite(folder / "absent.hil.yaml")
