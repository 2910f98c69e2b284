"""Netron, a reader that we did not write, sees in our files what we wrote."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from espdl_hil.espdl import read_file, write
from espdl_hil.ir.attributes import AttributeKind
from espdl_hil.ir.lowered import LoweredModel, Tensor
from tests.espdl.models import small_model
from tests.support import golden

_MODULES = ("base.js", "espdl.js", "espdl-schema.js", "espdl-metadata.json", "flatbuffers.js")


@pytest.fixture(name="netron", scope="module")
def _netron(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Netron's modules and our script, which node can import."""
    found = importlib.util.find_spec("netron")
    if found is None or found.origin is None:
        pytest.skip("the netron package is not installed")
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    package = Path(found.origin).parent
    missing = [name for name in _MODULES if not (package / name).is_file()]
    if missing:
        pytest.skip(f"this netron has no {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("netron")
    for name in _MODULES:
        shutil.copy(package / name, folder / name)
    shutil.copy(Path(__file__).with_name("netron_dump.mjs"), folder)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def _seen_by_netron(folder: Path, model: LoweredModel) -> dict[str, Any]:
    (folder / "model.espdl").write_bytes(write(model))
    done = subprocess.run(
        ["node", "netron_dump.mjs", "model.espdl"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def _check(seen: dict[str, Any], model: LoweredModel) -> None:
    assert seen["matched"] == "espdl.binary"
    assert seen["format"] == f"ESP-DL v{model.ir_version}"
    assert seen["metadata"] == dict(model.metadata)
    assert seen["inputs"] == list(model.inputs)
    assert seen["outputs"] == list(model.outputs)
    assert len(seen["nodes"]) == len(model.nodes)
    for node, ours in zip(seen["nodes"], model.nodes, strict=True):
        assert (node["name"], node["op_type"]) == (ours.name, ours.op_type)
        assert node["inputs"] == [name for name in ours.inputs if name]
        assert node["outputs"] == [name for name in ours.outputs if name]
        assert sorted(node["attributes"]) == sorted(ours.attributes)
        for name, attribute in ours.attributes.items():
            if attribute.kind not in (AttributeKind.TENSOR, AttributeKind.STRINGS):
                value = attribute.value
                plain = list(value) if isinstance(value, tuple) else value
                assert node["attributes"][name] == plain
        for name in (*ours.inputs, *ours.outputs):
            if name in model.parameters:
                _check_tensor(seen["tensors"][name], model.parameters[name])
            elif name:
                value = model.values[name]
                assert seen["values"][name]["shape"] == list(value.shape or ())


def _check_tensor(seen: dict[str, Any], tensor: Tensor) -> None:
    assert seen["shape"] == list(tensor.dims)
    padded = tensor.data + bytes(-len(tensor.data) % 16)
    assert seen["sha256"] == hashlib.sha256(padded).hexdigest()


def test_netron_sees_the_small_model(netron: Path) -> None:
    model = small_model()
    conv = model.nodes[0]
    # Netron decodes STRING bytes as text and cannot show symbolic dimensions; leave both out.
    known = {k: v for k, v in conv.attributes.items() if k not in ("octets", "modes")}
    values = {**model.values, "result": dataclasses.replace(model.values["result"], shape=(1, 3))}
    shown = dataclasses.replace(
        model,
        nodes=(dataclasses.replace(conv, attributes=known), *model.nodes[1:]),
        values=values,
    )
    _check(_seen_by_netron(netron, shown), shown)


@pytest.mark.parametrize("suite", ["p4_s8", "c_s16", "zoo"])
def test_netron_sees_what_golden_files_say_when_we_write_them(netron: Path, suite: str) -> None:
    cases = list(golden.cases(suite))
    for case in cases[:: max(1, len(cases) // 5)]:
        model = read_file(case.path)
        _check(_seen_by_netron(netron, model), model)
