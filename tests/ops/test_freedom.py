"""What ESP-DL's source leaves to the compiler: declared by operators, decided for each node."""

from __future__ import annotations

import numpy as np
import pytest

from espdl_hil.ir.freedom import FLOAT_TOLERANCE, Rule
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.types import DType
from espdl_hil.ops import OPERATORS
from espdl_hil.runs import Engine
from espdl_hil.simulator import Simulator
from espdl_hil.targets import Freedom, target_named
from tests.ops.nodes import node_model

CHIPS = ("esp32", "esp32c3", "esp32s3", "esp32p4")


def rule_of(model: LoweredModel, target: str, engine: Engine = Engine.ESPDL) -> Rule | None:
    return Simulator(model, target_named(target)).rules(engine).get("y")


def declared(model: LoweredModel, shape: tuple[int, ...]) -> LoweredModel:
    """The model with the shape of its output, which files have."""
    info = model.values["y"]
    values = dict(model.values) | {"y": ValueInfo("y", info.dtype, shape, info.exponents)}
    return LoweredModel(
        model.name, model.nodes, model.inputs, model.outputs, values, model.parameters
    )


def one(op_type: str, kind: type = np.int8, shape: tuple[int, ...] = (1, 6), **attributes: object):
    x = np.ones(shape, kind)
    return node_model(op_type, {"x": (x, -5)}, {"y": (kind, -5)}, **attributes)


DECIDED = [
    "Add",
    "Concat",
    "Conv",
    "Gemm",
    "MatMul",
    "Relu",
    "LeakyRelu",
    "HardSwish",
    "Clip",
    "LUT",
    "Gelu",
    "Mul",
    "Sub",
    "Neg",
    "MaxPool",
    "PRelu",
    "RequantizeLinear",
    "QuantizeLinear",
    "DequantizeLinear",
    "ReduceMax",
    "ReduceMin",
    "Mod",
    "Slice",
    "Transpose",
    "Pad",
    "Reshape",
    "StreamingCache",
    "ScatterND",
    "Equal",
    "Greater",
]


@pytest.mark.parametrize("op_type", DECIDED)
def test_what_is_computed_in_integers_or_by_one_rounding_declares_nothing(op_type):
    assert OPERATORS[op_type].traits.undecided == ()


@pytest.mark.parametrize("op_type", ["ReduceSum", "ReduceL1", "ReduceSumSquare"])
def test_exact_sums_are_open_in_float_only(op_type):
    (item,) = OPERATORS[op_type].traits.undecided
    assert item.dtypes == (DType.FLOAT,)


@pytest.mark.parametrize(
    "item",
    [item for kind in OPERATORS.values() for item in kind.traits.undecided],
    ids=lambda item: item.path,
)
def test_a_declaration_says_path_reason_and_source(item):
    assert item.path
    assert item.freedoms
    assert item.source.startswith("esp-dl 12c0616 dl_")
    assert item.steps == 1


@pytest.mark.parametrize("target", CHIPS)
@pytest.mark.parametrize("kind", [np.int8, np.int16])
def test_a_formula_with_expf_is_open_by_one_step_everywhere(target, kind):
    rule = rule_of(one("Sigmoid", kind), target)
    assert rule is not None
    assert (rule.steps, rule.relative) == (1, 0.0)
    assert "expf" in rule.why


@pytest.mark.parametrize("target", CHIPS)
def test_a_table_leaves_nothing_open(target):
    table = Tensor.of("table", np.arange(-128, 128, dtype=np.int8), exponents=(-5,))
    x = np.ones((1, 6), np.int8)
    model = node_model("Sigmoid", {"x": (x, -5)}, {"y": (np.int8, -5)}, (table,), lut="table")
    assert rule_of(model, target) is None


@pytest.mark.parametrize(
    ("kernel", "target", "open_"),
    [
        ((3, 3), "esp32s3", True),
        ((3, 3), "esp32", True),
        ((3, 3), "esp32c3", False),
        ((3, 3), "esp32p4", False),
        ((2, 2), "esp32s3", False),
        ((2, 4), "esp32", False),
    ],
)
def test_a_mean_is_open_where_the_fpu_estimates_a_reciprocal_that_is_no_power_of_two(
    kernel, target, open_
):
    model = one("AveragePool", shape=(1, 8, 8, 3), kernel_shape=kernel)
    assert (rule_of(model, target) is not None) is open_


def test_means_over_a_power_of_two_of_elements_are_exact():
    for count, open_ in ((8, False), (6, True)):
        model = declared(one("ReduceMean", shape=(2, count)), (2, 1))
        axes = Tensor.of("axes", np.array([1]))
        model = LoweredModel(
            model.name,
            (LoweredNode("node", "ReduceMean", ("x", "axes"), ("y",), {}),),
            model.inputs,
            model.outputs,
            model.values,
            {"axes": axes},
        )
        assert (rule_of(model, "esp32p4") is not None) is open_


@pytest.mark.parametrize(
    ("sizes", "mode", "open_"),
    [
        ((8, 16), "linear", False),
        ((7, 16), "linear", True),
        ((7, 16), "nearest", False),
        ((2, 2), "linear", False),
    ],
)
def test_linear_resize_is_exact_at_scales_that_are_powers_of_two(sizes, mode, open_):
    wanted = Tensor.of("sizes", np.array([1, 16, *sizes]))
    nothing = Tensor.of("", np.zeros(0, np.float32))
    x = np.ones((1, 4, 4, 16), np.int8)
    model = node_model(
        "Resize", {"x": (x, -5)}, {"y": (np.int8, -5)}, (nothing, nothing, wanted), mode=mode
    )
    model = declared(model, (1, *sizes, 16))
    assert (rule_of(model, "esp32s3") is not None) is open_
    assert rule_of(model, "esp32c3") is None, "without an FPU nothing is fused or estimated"


def test_quotients_by_powers_of_two_are_exact():
    x = np.ones((1, 4), np.int8)
    for values, open_ in (([1, 2, -4, 0], False), ([1, 2, 3, 4], True)):
        divisor = Tensor.of("b", np.array([values], np.int8), exponents=(-5,))
        model = node_model("Div", {"x": (x, -5)}, {"y": (np.int8, -5)}, (divisor,))
        assert (rule_of(model, "esp32s3") is not None) is open_


def test_floats_have_their_tolerance_wherever_an_open_path_computes_them():
    x = np.ones((1, 6), np.int8)
    model = node_model("Softmax", {"x": (x, -5)}, {"y": (np.float32, 0)}, axis=-1)
    for engine in Engine:
        rule = rule_of(model, "esp32s3", engine)
        assert rule is not None
        assert (rule.steps, rule.relative) == (0, FLOAT_TOLERANCE)
    copied = node_model("DequantizeLinear", {"x": (x, -5)}, {"y": (np.float32, 0)})
    assert rule_of(copied, "esp32s3") is None


def test_our_own_engine_is_compiled_without_these_freedoms():
    assert rule_of(one("Sigmoid"), "esp32s3", Engine.REFERENCE) is None


def test_only_chips_with_an_fpu_fuse_and_only_xtensa_estimates():
    has = {name: target_named(name).freedoms for name in CHIPS}
    assert [Freedom.CONTRACTION in has[name] for name in CHIPS] == [True, False, True, True]
    assert [Freedom.ESTIMATE in has[name] for name in CHIPS] == [True, False, True, False]
