"""The C reference engine against single kernels of ESP-DL's assembly.

Each case becomes a model of one node. Where the kernel itself has a limit (a shift field, a scale
of one byte), the engine must refuse the model instead of inventing integers. Dot products have no
operator of their own; the GRU and LSTM cases of the golden suites run them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from espdl_hil.ir.attributes import Attribute
from espdl_hil.targets import target_named
from tests.support import golden
from tests.support.one_node import OneNode, Operand
from tests.support.reference_engine import ReferenceEngine, ReferenceEngineError, Status

INDICES = (("esp32p4", "p4/index_ops.json"), ("esp32s3", "s3/index_misc.json"))
WITHOUT_OPERATOR = ("dotprod",)

Case = Mapping[str, Any]
Arrays = Mapping[str, np.ndarray]


def _cases() -> list[tuple[str, Path, Case]]:
    try:
        root = golden.shared() / "golden_asm"
    except pytest.skip.Exception:
        return []
    return [
        (target, root / Path(index).parent / case["file"], case)
        for target, index in INDICES
        for case in json.loads((root / index).read_text())["cases"]
        if case["op"] not in WITHOUT_OPERATOR
    ]


def _binary(case: Case, arrays: Arrays) -> OneNode:
    e_a, e_b = case.get("e_a", 0), case.get("e_b", 0)
    e_y = case.get("e_y", case.get("shift", 0))
    return OneNode(
        case["op"].capitalize(),
        [Operand(arrays["a"], e_a), Operand(arrays["b"], e_b)],
        [(arrays["y"].dtype.type, e_y)],
    )


def _requantize(case: Case, arrays: Arrays) -> OneNode:
    e_y = case.get("e_y", case.get("shift"))
    return OneNode(
        "RequantizeLinear",
        [Operand(arrays["x"], case.get("e_x", 0))],
        [(arrays["y"].dtype.type, e_y)],
    )


def _prelu(case: Case, arrays: Arrays) -> OneNode:
    exponents = {key: case.get(f"e_{key}", case.get(f"exp_{key}")) for key in ("x", "alpha", "y")}
    alpha = arrays["alpha"].reshape(-1, 1, 1)
    return OneNode(
        "PRelu",
        [
            Operand(arrays["x"][np.newaxis], exponents["x"]),
            Operand(alpha, exponents["alpha"], constant=True),
        ],
        [(arrays["y"].dtype.type, exponents["y"])],
    )


def _resize(case: Case, arrays: Arrays) -> OneNode:
    scales = np.array([1, 1, *case["scale"]], dtype=np.float32)
    return OneNode(
        "Resize",
        [Operand(arrays["x"][np.newaxis], case["e_x"]), None, Operand(scales, constant=True)],
        [(np.int8, case["e_y"])],
        {"mode": Attribute.of("nearest")},
    )


def _pool(case: Case, arrays: Arrays) -> OneNode:
    return OneNode(
        {"avgpool": "AveragePool", "maxpool": "MaxPool"}[case["op"]],
        [Operand(arrays["x"][np.newaxis], case["e_x"])],
        [(arrays["y"].dtype.type, case["e_y"])],
        {
            "kernel_shape": Attribute.of(case["kernel"]),
            "strides": Attribute.of(case["strides"]),
            "pads": Attribute.of(case["pads"]),
        },
    )


def _lut(case: Case, arrays: Arrays) -> OneNode:
    table = Operand(arrays["table"], constant=True)
    return OneNode("LUT", [Operand(arrays["x"])], [(arrays["y"].dtype.type, 0)], table=table)


MODELS = {
    "mul": _binary,
    "add": _binary,
    "sub": _binary,
    "requantize": _requantize,
    "prelu": _prelu,
    "resize_nearest": _resize,
    "avgpool": _pool,
    "maxpool": _pool,
    "lut": _lut,
}


def _expected(arrays: Arrays) -> np.ndarray | None:
    """The kernel's integers; None where they depend on a register left over from before."""
    if "y" in arrays:
        return arrays["y"]
    same = np.array_equal(arrays["y_vxrm0"], arrays["y_vxrm6"])
    return arrays["y_vxrm6"] if same else None


def _has_known_limit(case: Case, arrays: Arrays) -> bool:
    return (
        case.get("equals_exact_half_even") is False
        or case.get("elements_differing_from_exact_half_up", 0) != 0
        or _expected(arrays) is None
        or (case["op"] == "resize_nearest" and arrays["x"].shape[-1] < 16)
    )


@pytest.mark.parametrize(
    ("target", "path", "case"),
    [
        pytest.param(target, path, case, id=f"{target}-{path.stem}")
        for target, path, case in _cases()
    ],
)
def test_a_kernel_gives_the_integers_of_the_assembly_or_is_refused(
    target: str, path: Path, case: Case
) -> None:
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in stored.files}
    node = MODELS[case["op"]](case, arrays)
    expected = _expected(arrays)
    got, refusal = _run(node, target)
    if refusal is not None:
        assert refusal.status == Status.UNSUPPORTED, refusal
        assert _has_known_limit(case, arrays), refusal
    else:
        assert expected is not None, "integers that depend on a stale register must be refused"
        np.testing.assert_array_equal(got.reshape(expected.shape), expected)


def _run(node: OneNode, target: str) -> tuple[np.ndarray, ReferenceEngineError | None]:
    try:
        return ReferenceEngine(node.model(), target_named(target)).run(node.inputs)["o0"], None
    except ReferenceEngineError as refusal:
        return np.empty(0), refusal
