"""Who must refuse a defect: the simulator, the C engine, preflight, and quantize."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from espdl_hil.analysis import Severity, preflight
from espdl_hil.errors import ModelError, UnsupportedModelError
from espdl_hil.espdl import write
from espdl_hil.ir.lowered import LoweredModel, Tensor
from espdl_hil.ir.types import DType
from espdl_hil.simulator import Simulator
from espdl_hil.targets import target_named
from tests.analysis.models import model, node, value
from tests.quantizer.test_every_operator import assert_equal_in_the_c_engine, sqnr_db
from tests.quantizer.test_straight_line import quantized
from tests.support.reference_engine import ReferenceEngine, ReferenceEngineError

ALL = ("esp32", "esp32s3", "esp32p4")
VECTOR = ("esp32s3", "esp32p4")
GOOD_DB = {8: 25.0, 16: 60.0}


def single(
    op_type: str,
    shape: tuple[int, ...],
    result: tuple[int, ...],
    exponents: tuple[int, int] = (-5, -5),
    parameters: tuple[Tensor, ...] = (),
    types: tuple[DType, DType] = (DType.INT8, DType.INT8),
    **attributes: object,
) -> LoweredModel:
    """One node from ``x`` to ``y``; a parameter called ``table`` is no input."""
    names = ["x", *(tensor.name for tensor in parameters if tensor.name != "table")]
    values = [value("x", shape, exponents[0], types[0]), value("y", result, exponents[1], types[1])]
    return model([node(op_type, names, ["y"], **attributes)], values, parameters, None)


def pair(
    op_type: str,
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    exponents: tuple[int, int, int] = (-5, -5, -5),
    dtype: DType = DType.INT8,
    out: DType | None = None,
    **attributes: object,
) -> LoweredModel:
    """One node from ``a`` and ``b`` to ``y``."""
    result = np.broadcast_shapes(*shapes)
    values = [value(n, s, e, dtype) for n, s, e in zip("ab", shapes, exponents, strict=False)]
    values.append(value("y", result, exponents[2], out or dtype))
    return model([node(op_type, ["a", "b"], ["y"], **attributes)], values, (), None)


def conv(
    shape: tuple[int, ...],
    kernel: tuple[int, int] = (3, 3),
    channels: int = 16,
    exponents: tuple[int, int, int] = (-5, -7, 0),
    dtype: DType = DType.INT8,
    bias: np.ndarray | None = None,
    weight_exponents: tuple[int, ...] | None = None,
    **attributes: object,
) -> LoweredModel:
    """A Conv of ones on ``[1, H, W, C]``."""
    given: dict[str, object] = {
        "strides": [1, 1],
        "pads": [0, 0, 0, 0],
        "dilations": [1, 1],
        "group": 1,
        "activation": "Linear",
        "kernel_shape": list(kernel),
    }
    given |= attributes
    strides, pads, dilations = (
        list(np.asarray(given[k])) for k in ("strides", "pads", "dilations")
    )
    size = [
        (shape[1 + i] + pads[i] + pads[i + 2] - dilations[i] * (kernel[i] - 1) - 1) // strides[i]
        + 1
        for i in range(2)
    ]
    inputs = shape[3] if given["group"] == 1 else shape[3] // int(str(given["group"]))
    dims = (*kernel, inputs, channels)
    weights = Tensor.of(
        "w",
        np.ones(int(np.prod(dims)), dtype.numpy),
        exponents=weight_exponents or (exponents[1],),
        dims=dims,
    )
    parameters = [weights]
    if bias is not None:
        sums = tuple(exponents[0] + e for e in weights.exponents)
        parameters.append(Tensor.of("b", bias, exponents=sums))
    names = ["x", *(tensor.name for tensor in parameters)]
    out = (shape[0], *(int(max(n, 1)) for n in size), channels)
    values = [value("x", shape, exponents[0], dtype), value("y", out, exponents[2], dtype)]
    return model([node("Conv", names, ["y"], **given)], values, parameters, None)


def zeros(lowered: LoweredModel) -> dict[str, np.ndarray]:
    return {
        name: np.zeros(lowered.values[name].dims, lowered.values[name].dtype.numpy)
        for name in lowered.inputs
    }


def refused(
    lowered: LoweredModel,
    target: str,
    says: str,
    inputs: dict[str, np.ndarray] | None = None,
    *,
    in_preflight: bool = True,
) -> None:
    """Simulator, C engine and preflight all refuse; the simulator and preflight with ``says``.

    ``in_preflight=False`` is for what only some inputs do.
    """
    chip = target_named(target)
    given = zeros(lowered) if inputs is None else inputs
    with pytest.raises((ModelError, UnsupportedModelError), match=says):
        Simulator(lowered, chip).run(given)
    with pytest.raises(ReferenceEngineError):
        ReferenceEngine(write(lowered), chip).run(given)
    if in_preflight:
        noted(lowered, target, says)


def noted(
    lowered: LoweredModel, target: str, says: str, severity: Severity = Severity.ERROR
) -> None:
    """Preflight says ``says``."""
    found = preflight(lowered, target_named(target))
    hits = [
        finding
        for finding in found
        if finding.severity is severity and re.search(says, f"{finding.what} {finding.hint}")
    ]
    assert hits, [str(finding) for finding in found]


def both(
    lowered: LoweredModel, target: str, inputs: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """What simulator and C engine compute, which is the same."""
    chip = target_named(target)
    ours = Simulator(lowered, chip).run(inputs)
    theirs = ReferenceEngine(write(lowered), chip).run(inputs)
    for name, array in ours.items():
        np.testing.assert_array_equal(np.asarray(theirs[name]), array, err_msg=name)
    return ours


def quantize_refuses(body: str, target: str, says: str, bits: int = 8) -> None:
    """``quantize`` says no, with the reason."""
    with pytest.raises(UnsupportedModelError, match=says):
        quantized(body, target, bits)


def quantize_keeps(body: str, target: str, bits: int = 8) -> LoweredModel:
    """``quantize`` gives a model that is near the float one and equal in both engines."""
    data, result, samples = quantized(body, target, bits)
    assert sqnr_db(data, result, samples) > GOOD_DB[bits]
    assert_equal_in_the_c_engine(result)
    errors = [
        finding
        for finding in preflight(result.model, target_named(target))
        if finding.severity is Severity.ERROR
    ]
    assert not errors
    return result.model


def with_exponents(lowered: LoweredModel, **exponents: int) -> LoweredModel:
    """The model with other exponents of some values."""
    values = {
        name: replace(info, exponents=(exponents.get(name, info.exponents[0]),))
        for name, info in lowered.values.items()
    }
    return replace(lowered, values=values)


def kinds(lowered: LoweredModel) -> list[str]:
    """Operator types in order."""
    return [item.op_type for item in lowered.nodes]
