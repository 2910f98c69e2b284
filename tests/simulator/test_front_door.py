"""``espdl_hil.simulate`` and ``espdl-hil simulate``: which target, which inputs, what comes out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import espdl_hil
from espdl_hil import espdl
from espdl_hil.cli import main
from espdl_hil.errors import ConfigError
from espdl_hil.ir.lowered import LoweredModel
from espdl_hil.targets import target_named
from tests.simulator.test_simulator import X, chain

Y = [[-1, -3, -5, -7]]


def named(target: str) -> LoweredModel:
    return replace(chain(), metadata={"target": target})


def test_a_path_its_bytes_and_the_model_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "chain.espdl"
    path.write_bytes(espdl.write(named("esp32s3")))
    for model in (path, str(path), path.read_bytes(), named("esp32s3")):
        assert espdl_hil.simulate(model)["y"].tolist() == Y


def test_inputs_and_inner_values_pass_through() -> None:
    values = espdl_hil.simulate(named("c"), {"x": X}, keep="all")
    assert values["twice"].tolist() == [[2, -4, 127, 0]]


def test_the_target_may_be_named_given_or_written_in_the_file() -> None:
    for target in ("c", "esp32", "esp32c3", target_named("esp32c6"), None):
        assert espdl_hil.simulate(named("c"), None, target)["y"].tolist() == Y


def test_a_file_that_names_no_target_needs_one() -> None:
    with pytest.raises(ConfigError, match="does not say which target") as caught:
        espdl_hil.simulate(chain())
    assert "esp32p4" in caught.value.hint
    assert espdl_hil.simulate(chain(), target="esp32p4")["y"].tolist() == Y


def test_a_relative_with_the_same_kernels_may_stand_in() -> None:
    assert espdl_hil.simulate(named("esp32p4"), target="esp32s31")["y"].tolist() == Y


@pytest.mark.parametrize(("file", "asked"), [("esp32p4", "esp32s3"), ("c", "esp32p4")])
def test_a_target_with_other_kernels_than_the_files_is_refused(file: str, asked: str) -> None:
    with pytest.raises(ConfigError, match=f"the file is for {file}"):
        espdl_hil.simulate(named(file), target=asked)


def test_an_unknown_target_is_refused_wherever_it_stands() -> None:
    with pytest.raises(ConfigError, match="unknown target 'esp33'"):
        espdl_hil.simulate(chain(), target="esp33")
    with pytest.raises(ConfigError, match="unknown target 'esp33'"):
        espdl_hil.simulate(named("esp33"))


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "chain.espdl"
    path.write_bytes(espdl.write(chain()))
    return path


def test_the_command_writes_every_value(model_file: Path, tmp_path: Path) -> None:
    given, written = tmp_path / "in.npz", tmp_path / "out.npz"
    np.savez(given, x=X)
    words = ["simulate", str(model_file), "--target", "c", "--all"]
    assert main([*words, "--inputs", str(given), "--outputs", str(written)]) == 0
    with np.load(written) as stored:
        assert sorted(stored.files) == ["low", "twice", "y"]
        assert stored["twice"].tolist() == [[2, -4, 127, 0]]


def test_the_command_describes_its_results_as_json(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["simulate", str(model_file), "--target", "esp32s3", "--json"]
    assert main([*words, "--outputs", str(tmp_path / "out.npz")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["target"] == "esp32s3"
    assert document["values"] == [
        {"name": "y", "dtype": "int8", "shape": [1, 4], "exponents": [-3]}
    ]


def test_the_command_says_what_is_missing(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "out.npz"
    assert main(["simulate", str(model_file), "--outputs", str(written)]) == 2
    assert "does not say which target" in capsys.readouterr().err
    assert not written.exists()
