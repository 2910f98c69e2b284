"""Single kernels against the integers of ESP-DL's own assembly, refusals included.

Where a kernel computes something else than an exact rounding would, the simulator may give the
kernel's integers or refuse the node; a third integer is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from espdl_hil.errors import ModelError
from espdl_hil.ir.lowered import Tensor
from espdl_hil.ir.operator import Execution
from espdl_hil.ops._recurrent import dot_products
from espdl_hil.targets import target_named
from tests.ops.nodes import simulate_node
from tests.support.golden import shared

TARGETS = {"p4": "esp32p4", "s3": "esp32s3"}


def _entries(family: str, op: str) -> list[dict[str, Any]]:
    folder = shared() / "golden_asm" / family
    index = folder / ("index_ops.json" if family == "p4" else "index_misc.json")
    if not index.is_file():
        pytest.skip(f"no kernel data at {index}")
    found = []
    for entry in json.loads(index.read_text())["cases"]:
        if entry["op"] == op:
            with np.load(folder / entry["file"]) as stored:
                arrays = {key: stored[key] for key in stored.files}
            found.append({**entry, **arrays, "name": Path(entry["file"]).stem})
    assert found
    return found


def _exact(entry: dict[str, Any]) -> bool:
    if "elements_differing_from_exact_half_up" in entry:
        return entry["elements_differing_from_exact_half_up"] == 0
    return bool(entry.get("equals_exact_half_even", True))


def _refused_or_equal(
    entry: dict[str, Any], expected: np.ndarray, run: Callable[[], np.ndarray]
) -> str:
    """An empty string where the node is right; else what is wrong with it."""
    try:
        got = run()
    except ModelError as error:
        return f"{entry['name']}: refused: {error}" if _exact(entry) else ""
    got = got.reshape(expected.shape)
    wrong = int((got != expected).sum())
    return f"{entry['name']}: {wrong} of {expected.size} differ" if wrong else ""


def _node(
    op_type: str,
    target: str,
    inputs: dict[str, tuple[np.ndarray, int]],
    output: tuple[np.ndarray, int],
    parameters: tuple[Tensor, ...] = (),
    **attributes: object,
) -> Callable[[], np.ndarray]:
    array, exponent = output
    return lambda: simulate_node(
        target, op_type, inputs, (array.dtype, exponent), parameters, **attributes
    )


@pytest.mark.parametrize("family", TARGETS)
def test_mul_is_the_kernel_or_refused(family: str) -> None:
    target = TARGETS[family]
    wrong = []
    for entry in _entries(family, "mul"):
        e_y = entry["e_y"] if "e_y" in entry else entry["shift"]
        e_a, e_b = entry.get("e_a", 0), entry.get("e_b", 0)
        inputs = {"a": (entry["a"], e_a), "b": (entry["b"], e_b)}
        run = _node("Mul", target, inputs, (entry["y"], e_y))
        wrong.append(_refused_or_equal(entry, entry["y"], run))
    assert not any(wrong), "\n".join(filter(None, wrong))


@pytest.mark.parametrize("op", ["add", "sub"])
def test_add_and_sub_are_the_kernel(op: str) -> None:
    target = "esp32p4"
    wrong = []
    for entry in _entries("p4", op):
        inputs = {"a": (entry["a"], entry["e_a"]), "b": (entry["b"], entry["e_b"])}
        run = _node(op.capitalize(), target, inputs, (entry["y"], entry["e_y"]))
        wrong.append(_refused_or_equal(entry, entry["y"], run))
    assert not any(wrong), "\n".join(filter(None, wrong))


@pytest.mark.parametrize("family", TARGETS)
def test_requantize_is_the_kernel_or_refused(family: str) -> None:
    target = TARGETS[family]
    wrong = []
    for entry in _entries(family, "requantize"):
        e_x = entry.get("e_x", 0)
        e_y = entry["e_y"] if "e_y" in entry else entry["shift"]
        run = _node("RequantizeLinear", target, {"x": (entry["x"], e_x)}, (entry["y"], e_y))
        wrong.append(_refused_or_equal(entry, entry["y"], run))
    assert not any(wrong), "\n".join(filter(None, wrong))


@pytest.mark.parametrize("family", TARGETS)
def test_prelu_is_the_kernel_or_refused(family: str) -> None:
    target = TARGETS[family]
    wrong = []
    for entry in _entries(family, "prelu"):
        exponents = [
            entry[long] if long in entry else entry[short]
            for long, short in (("exp_x", "e_x"), ("exp_alpha", "e_alpha"), ("exp_y", "e_y"))
        ]
        alpha = Tensor.of("alpha", entry["alpha"].reshape(-1, 1, 1), exponents=(exponents[1],))
        inputs = {"x": (entry["x"][None], exponents[0])}
        run = _node("PRelu", target, inputs, (entry["y"][None], exponents[2]), (alpha,))
        wrong.append(_refused_or_equal(entry, entry["y"], run))
    assert not any(wrong), "\n".join(filter(None, wrong))


def test_nearest_resize_is_the_kernel_or_refused() -> None:
    target = "esp32p4"
    wrong = []
    for entry in _entries("p4", "resize_nearest"):
        scales = np.array([1, 1, *entry["scale"]], dtype=np.float32)
        parameters = (Tensor.of("", np.zeros(0, np.float32)), Tensor.of("scales", scales))
        expected = entry["y_vxrm6"] if "y_vxrm6" in entry else entry["y"]
        array = (expected[None], entry["e_y"])
        run = _node(
            "Resize",
            target,
            {"x": (entry["x"][None], entry["e_x"])},
            array,
            parameters,
            mode="nearest",
        )
        if "y_vxrm6" in entry and not np.array_equal(entry["y_vxrm0"], entry["y_vxrm6"]):
            # The kernel rounds as whatever ran before it left the register.
            with pytest.raises(ModelError, match="rounds as the kernel before it did"):
                run()
        else:
            wrong.append(_refused_or_equal(entry, expected, run))
    assert not any(wrong), "\n".join(filter(None, wrong))


@pytest.mark.parametrize("op", ["maxpool", "avgpool"])
def test_pools_are_the_kernel(op: str) -> None:
    target = "esp32p4"
    wrong = []
    for entry in _entries("p4", op):
        run = _node(
            {"maxpool": "MaxPool", "avgpool": "AveragePool"}[op],
            target,
            {"x": (entry["x"][None], entry["e_x"])},
            (entry["y"][None], entry["e_y"]),
            kernel_shape=entry["kernel"],
            strides=entry["strides"],
            pads=entry["pads"],
        )
        wrong.append(_refused_or_equal(entry, entry["y"], run))
    assert not any(wrong), "\n".join(filter(None, wrong))


def test_tables_are_looked_up_as_the_kernel_does() -> None:
    target = "esp32p4"
    wrong = []
    for entry in _entries("p4", "lut"):
        table = Tensor.of("table", entry["table"].ravel(), exponents=(0,))
        inputs = {"x": (entry["x"], 0)}
        run = _node("LUT", target, inputs, (entry["y"], 0), (table,), lut="table")
        wrong.append(_refused_or_equal(entry, entry["y"], run))
    assert not any(wrong), "\n".join(filter(None, wrong))


def test_gate_dot_products_are_the_kernel() -> None:
    at = Execution(target_named("esp32p4"), {}, {}, {})
    wrong = []
    for entry in _entries("p4", "dotprod"):
        a, b = entry["a"], entry["b"]
        if a.dtype != b.dtype:
            continue  # int8 by int16 has no caller in the graph
        got = dot_products(a[None], b, entry["shift"], at)
        if got[0] != entry["y"]:
            wrong.append(f"{entry['name']}: {got[0]} instead of {entry['y']}")
    assert not wrong, "\n".join(wrong)
