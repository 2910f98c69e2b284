"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from espdl_hil.ops import OPERATORS
from tests.support.golden import PROJECT

PACKAGE = PROJECT / "espdl_hil"
PLUGIN = PROJECT / "pytest_plugin" / "pytest_espdl_hil"

NAMES_AS_STRINGS_ALLOWED = {
    "frontend/rewrites.py": "rewrites ONNX nodes before they are operators",
    "frontend/moves.py": "the same, for nodes that move elements",
    "frontend/recurrent.py": "the same, for recurrent layers",
    "frontend/transposed.py": "the same, for transposed convolutions",
    "frontend/onnx_export.py": "writes ONNX nodes for those that are ours alone",
}
"""Files outside ``ops`` that may name ONNX operators in strings, and why."""

FIRST_FORM = [
    "Conv",
    "Gemm",
    "MatMul",
    "Relu",
    "Clip",
    "LeakyRelu",
    "Sigmoid",
    "Tanh",
    "HardSwish",
    "HardSigmoid",
    "Swish",
    "Add",
    "Sub",
    "Mul",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "Concat",
    "Flatten",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Transpose",
    "Pad",
    "Slice",
    "Softmax",
    "QuantizeLinear",
    "DequantizeLinear",
    "RequantizeLinear",
]

QUANTIZING_ROOM = "espdl_hil.frontend."
"""The one room whose modules need more than a lab PC has."""
NOT_IN_A_LAB = ("onnx", "onnxruntime", "onnxslim", "torch", "sklearn", "scipy")


def sources(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(folder.rglob("*.py"))


def modules() -> list[str]:
    """Names of all our modules that can be imported without running a program."""
    found = []
    for path in sources(PACKAGE, PLUGIN):
        root = PACKAGE.parent if path.is_relative_to(PACKAGE) else PLUGIN.parent
        parts = path.relative_to(root).with_suffix("").parts
        if parts[-1] != "__main__":
            found.append(".".join(parts).removesuffix(".__init__"))
    return found


def rooms() -> set[str]:
    """Packages and modules that stand directly in ``espdl_hil``."""
    return {".".join(name.split(".")[:2]) for name in modules() if name.startswith("espdl_hil.")}


def contracts() -> dict[str, set[str]]:
    """Names of modules by contract of pyproject.toml: its source modules, or its layers."""
    found = {}
    parts = (PROJECT / "pyproject.toml").read_text().split("[[tool.importlinter.contracts]]")
    for text in parts[1:]:
        name = re.search(r'^name = "(.*)"$', text, re.MULTILINE)
        listed = re.search(
            r"^(?:source_modules|layers) = \[(.*?)\]$", text, re.MULTILINE | re.DOTALL
        )
        assert name is not None
        assert listed is not None
        found[name[1]] = set(re.findall(r"[\w.]+", listed[1]))
    return found


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else PLUGIN).as_posix()


def calls(tree: ast.AST, name: str) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
        for node in ast.walk(tree)
    )


def docstrings(tree: ast.AST) -> set[int]:
    """Identities of the string nodes that document or export, and so say nothing to the program."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            found |= {id(name) for name in ast.walk(node.value)}
        body = getattr(node, "body", None)
        for inner in body if isinstance(body, list) else ():
            if isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Constant):
                found.add(id(inner.value))
    return found


def test_no_operator_name_stands_as_a_string_outside_ops():
    wrong = []
    for path in sources(PACKAGE, PLUGIN):
        place = relative(path)
        if place.startswith("ops/") or place in NAMES_AS_STRINGS_ALLOWED:
            continue
        tree = ast.parse(path.read_text())
        documentation = docstrings(tree)
        wrong += [
            f"{place}:{node.lineno}: {node.value!r}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and id(node) not in documentation
            and isinstance(node.value, str)
            and node.value in OPERATORS
        ]
    assert wrong == []


def test_the_exceptions_to_the_rule_on_names_still_exist():
    assert [name for name in NAMES_AS_STRINGS_ALLOWED if not (PACKAGE / name).is_file()] == []


def test_every_room_has_its_layer():
    assert rooms() - contracts()["imports go down"] == set()


@pytest.mark.parametrize(
    ("name", "doors"),
    [
        ("only frontend imports onnx and its companions", {"frontend"}),
        (
            "only transport and the virtual board's ports know serial lines",
            {"transport", "virtual"},
        ),
    ],
)
def test_a_contract_with_doors_binds_every_other_room(name, doors):
    bound = contracts()[name]
    assert rooms() - bound == {f"espdl_hil.{door}" for door in doors}
    assert "pytest_espdl_hil" in bound


def test_only_the_command_line_prints():
    places = [
        relative(path)
        for path in sources(PACKAGE, PLUGIN)
        if not relative(path).startswith("cli/") and calls(ast.parse(path.read_text()), "print")
    ]
    assert places == []


def test_every_module_says_what_it_is_about():
    silent = [
        relative(path)
        for path in sources(PACKAGE, PLUGIN)
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_every_operator_is_its_own_class_in_its_own_file():
    by_file: dict[str, set[type]] = {}
    for operator in OPERATORS.values():
        by_file.setdefault(operator.__module__, set()).add(operator)
    assert all(module.startswith("espdl_hil.ops.") for module in by_file)
    assert [kind.op_type for name, kind in OPERATORS.items() if kind.op_type != name] == []


def test_the_c_engine_executes_what_the_simulator_executes():
    """The C engine grows towards the simulator's set and must hold what the first form needs."""
    folder = PROJECT / "firmware" / "components" / "hil_ref_engine" / "ops"
    listed = set(re.findall(r"X\((\w+)\)", (folder / "hil_ops.c").read_text()))
    registered = {
        symbol: op_type
        for path in sorted(folder.glob("hil_op_*.c"))
        for symbol, op_type in re.findall(
            r'const hil_op_t hil_op_(\w+) = \{\s*\.type = "(\w+)"', path.read_text()
        )
    }
    assert set(registered) == listed - {"name"}, "hil_ops.c lists other operators than the files"
    names = set(registered.values())
    assert names <= set(OPERATORS), "the simulator lacks operators that the C engine has"
    assert set(FIRST_FORM) <= names, "the C engine lacks operators of the first form"


def test_a_lab_pc_needs_none_of_the_quantizing_packages():
    """Every module but the frontend's imports with those packages blocked."""
    lab = [name for name in modules() if not name.startswith(QUANTIZING_ROOM)]
    program = (
        "import importlib, json, sys\n"
        "blocked, modules = json.loads(sys.argv[1])\n"
        "for name in blocked: sys.modules[name] = None\n"
        "for name in modules: importlib.import_module(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps([NOT_IN_A_LAB, lab])],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=PROJECT,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("banned", ["random.", "np.random.seed", "time.sleep"])
def test_results_come_from_arguments_only(banned):
    """Equal inputs, equal results: no hidden clock or dice where numbers are made."""
    packages = ("ir", "numerics", "ops", "passes", "quantizer", "lowering", "simulator", "espdl")
    wrong = [
        relative(path)
        for package in packages
        for path in sources(PACKAGE / package)
        if f" {banned}" in path.read_text()
    ]
    assert wrong == []
