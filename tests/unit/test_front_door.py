"""``espdl_hil.quantize`` and ``.simulate``: the README's lines, and that a door costs nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import espdl_hil
from espdl_hil import espdl
from espdl_hil.archives import read_arrays
from espdl_hil.errors import ConfigError
from espdl_hil.ir.types import DType
from espdl_hil.pipeline import load_model
from espdl_hil.targets import target_named
from tests.support.golden import PROJECT

MODEL = PROJECT / "examples/sin_mlp/sin_mlp.onnx"
CALIBRATION = PROJECT / "examples/sin_mlp/sin_mlp.calib.npz"


def readme_code(heading: str) -> str:
    text = (PROJECT / "README.md").read_text().split(f"## {heading}")[1]
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_of_the_readme_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.onnx").write_bytes(MODEL.read_bytes())
    (tmp_path / "calib.npz").write_bytes(CALIBRATION.read_bytes())
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(readme_code("From Python"), "README.md", "exec"), names)
    written = load_model(tmp_path / "model.espdl")
    (output,) = written.outputs
    values = espdl_hil.simulate(written)
    assert values[output].tobytes() == written.test_outputs[0].data
    assert values.keys() == names["values"].keys()


def test_a_path_its_bytes_and_a_target_by_name_or_value_give_the_same_file(tmp_path: Path) -> None:
    arrays = read_arrays(CALIBRATION)
    asked = [
        (MODEL, "esp32p4", CALIBRATION),
        (str(MODEL), target_named("esp32p4"), str(CALIBRATION)),
        (MODEL.read_bytes(), "esp32p4", arrays),
    ]
    files = []
    for model, target, calibration in asked:
        path = tmp_path / "model.espdl"
        espdl_hil.quantize(model, target, calibration=calibration).write(path)
        files.append(path.read_bytes())
    assert files == [files[0]] * 3


def test_bits_and_a_key_are_those_asked_for(tmp_path: Path) -> None:
    key = bytes(range(16))
    found = espdl_hil.quantize(MODEL, "esp32p4", bits=16, calibration=CALIBRATION, compare=2)
    found.write(tmp_path / "model.espdl", key=key)
    data = (tmp_path / "model.espdl").read_bytes()
    model = espdl.read(data, key=key)
    assert {model.values[name].dtype for name in model.outputs} == {DType.INT16}
    assert found.quality[0].samples == 2
    assert found.quality[0].sqnr_db > 40


@pytest.mark.parametrize(
    ("target", "options", "said"),
    [
        ("esp33", {"calibration": CALIBRATION}, "unknown target"),
        ("esp32p4", {}, "no calibration data"),
        ("esp32p4", {"calibration": "no such file.npz"}, "cannot be read"),
        ("esp32p4", {"calibration": CALIBRATION, "bits": 4}, "4 bits"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(target, options, said):
    with pytest.raises(ConfigError, match=said):
        espdl_hil.quantize(MODEL, target, **options)


def test_a_file_that_cannot_be_written_is_told_with_its_name(tmp_path: Path) -> None:
    found = espdl_hil.quantize(MODEL, "esp32p4", random_samples=2)
    with pytest.raises(ConfigError, match="nowhere"):
        found.write(tmp_path / "nowhere" / "model.espdl")


def test_a_torch_module_goes_through_in_one_call(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    torch.manual_seed(1)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
    images = np.random.default_rng(1).standard_normal((4, 1, 3, 8, 8)).astype(np.float32)
    found = espdl_hil.quantize(module, "esp32s3", calibration={"image": images}, compare=4)
    assert found.model.inputs == ("image",)
    assert found.quality[0].sqnr_db > 20
    found.write(tmp_path / "model.espdl")
    (values,) = espdl_hil.simulate(tmp_path / "model.espdl").values()
    assert values.shape == (1, 6, 6, 4)


def test_importing_the_package_imports_none_of_its_stages():
    program = (
        "import json, sys, espdl_hil\n"
        "names = sorted(set(dir(espdl_hil)) & {'quantize', 'simulate'})\n"
        "print(json.dumps([names, [one for one in sys.modules if one.startswith('espdl_hil.')]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == [["quantize", "simulate"], []]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'evaluate'"):
        espdl_hil.evaluate  # noqa: B018
