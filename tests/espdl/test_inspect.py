"""``espdl-hil inspect`` for people and as JSON."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import pytest

from espdl_hil.cli import inspect
from espdl_hil.errors import ConfigError, FormatError
from espdl_hil.espdl import write, write_pack
from espdl_hil.ir.attributes import Attribute
from tests.espdl.models import small_model

KEY = bytes(range(16))


def _run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    inspect.add_arguments(parser)
    return inspect.run(parser.parse_args(words))


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    path = tmp_path / "small.espdl"
    path.write_bytes(write(small_model()))
    return path


def test_people_see_graph_shapes_exponents_layouts_vectors_and_sizes(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(str(path)) == 0
    text = capsys.readouterr().out
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert f"file: {path} (EDL2, {path.stat().st_size} bytes)" in rows
    assert "target: esp32p4" in rows
    assert "image INT8 1x3x3x5 -5" in rows
    assert "result INT8 1x3xwx? -7" in rows
    node = "INT8 1x3x3x5 e-5 INT8 1x1x5x16 e-16..-1 (16) (N/16)HWC16 INT8 1x3x3x16 e-4"
    assert f"0 Conv conv {node}" in rows
    assert "1 Sigmoid act INT8 1x3x3x16 e-4 INT8 256 e-7 INT8 1x3xwx? e-7" in rows
    assert "image INT8 1x3x3x5 -5 45" in rows
    assert any(row.startswith("weights 80 ") for row in rows)
    assert f"total {path.stat().st_size}" in rows


def test_json_says_the_same_as_data(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(str(path), "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["container"] == "EDL2"
    assert data["targets"] == ["esp32p4"]
    assert data["inputs"] == ["image"]
    assert data["values"]["inner"] == {
        "dtype": "INT8",
        "shape": [1, 3, 3, 16],
        "exponents": [-4],
    }
    assert data["parameters"]["filter"]["layout"] == "(N/16)HWC16"
    assert data["parameters"]["table"]["kind"] == "tables"
    assert data["nodes"][0]["attributes"]["octets"] == {"bytes": "ff00"}
    assert data["nodes"][0]["attributes"]["strides"] == [1, 1]
    assert data["test_inputs"]["image"]["size_bytes"] == 45
    assert sum(data["sizes_bytes"].values()) == data["size_bytes"] == path.stat().st_size


def test_json_stays_json_where_attributes_are_not_finite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attributes = {"low": Attribute.of(float("-inf")), "both": Attribute.of((float("nan"), 1.0))}
    model = small_model()
    node = dataclasses.replace(model.nodes[0], attributes=attributes)
    path = tmp_path / "x.espdl"
    path.write_bytes(write(dataclasses.replace(model, nodes=(node,))))
    _run(str(path), "--json")
    found = json.loads(capsys.readouterr().out)["nodes"][0]["attributes"]
    assert found == {"low": "-inf", "both": ["nan", 1.0]}


def test_a_member_of_a_pack_is_chosen_by_name_or_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = {f"{name}.espdl": dataclasses.replace(small_model(), name=name) for name in "ab"}
    path = tmp_path / "pack.espdl"
    path.write_bytes(write_pack(models))
    for words, name in (((), "a"), (("--member", "b.espdl"), "b"), (("--member", "1"), "b")):
        _run(str(path), "--json", *words)
        data = json.loads(capsys.readouterr().out)
        assert (data["name"], data["member"]) == (name, f"{name}.espdl")
        assert data["members"] == ["a.espdl", "b.espdl"]
    _run(str(path), "--member", "1")
    assert "b.espdl of ['a.espdl', 'b.espdl']" in capsys.readouterr().out
    for unknown in ("2", "c.espdl"):
        with pytest.raises(ConfigError, match=r"no member.*\n.*'a\.espdl', 'b\.espdl'"):
            _run(str(path), "--member", unknown)


@pytest.mark.parametrize("text", [KEY.hex(), ", ".join(f"0x{byte:02x}" for byte in KEY)])
def test_an_encrypted_file_opens_with_its_key(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "secret.espdl"
    path.write_bytes(write(small_model(), key=KEY))
    assert _run(str(path), "--key", text) == 0
    assert "Conv" in capsys.readouterr().out
    with pytest.raises(FormatError, match="encrypted"):
        _run(str(path))
    with pytest.raises(SystemExit):
        _run(str(path), "--key", "no hex")


def test_control_characters_and_markup_in_names_do_not_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small_model()
    node = dataclasses.replace(model.nodes[0], name="\x1b[31m[bold]red")
    path = tmp_path / "evil.espdl"
    path.write_bytes(write(dataclasses.replace(model, nodes=(node,), name="\x1b]0;title\x07")))
    _run(str(path))
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\\x1b[31m[bold]red" in text


def test_a_file_that_cannot_be_opened_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        _run(str(tmp_path / "none.espdl"))
    with pytest.raises(ConfigError, match="cannot be read"):
        _run(str(tmp_path))
