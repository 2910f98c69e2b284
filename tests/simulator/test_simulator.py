"""The simulator as its callers see it: inputs checked, values kept, state, order, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from espdl_hil.errors import ModelError, UnsupportedModelError, UnsupportedOperatorError
from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.types import DType
from espdl_hil.simulator import Simulator
from espdl_hil.targets import target_named

ESP32 = target_named("esp32")


def chain() -> LoweredModel:
    """x, plus itself (twice), less a constant (low): y."""
    values = {
        name: ValueInfo(name, DType.INT8, (1, 4), (-3,)) for name in ("x", "twice", "low", "y")
    }
    nodes = (
        LoweredNode("double", "Add", ("x", "x"), ("twice",), {}),
        LoweredNode("lower", "Sub", ("twice", "one"), ("low",), {}),
        LoweredNode("flip", "Neg", ("low",), ("y",), {}),
    )
    one = Tensor.of("one", np.array([1], np.int8), exponents=(-3,))
    test = Tensor.of("x", np.array([[1, 2, 3, 4]], np.int8), exponents=(-3,))
    return LoweredModel("chain", nodes, ("x",), ("y",), values, {"one": one}, (test,))


X = np.array([[1, -2, 100, 0]], dtype=np.int8)


def test_the_graph_outputs_come_back_by_name() -> None:
    outputs = Simulator(chain(), ESP32).run({"x": X})
    assert list(outputs) == ["y"]
    assert outputs["y"].tolist() == [[-1, 5, -126, 1]]


def test_every_value_comes_back_in_execution_order_on_request() -> None:
    simulator = Simulator(chain(), ESP32)
    values = simulator.run({"x": X}, keep="all")
    assert list(values) == ["twice", "low", "y"]
    assert [(step.node, step.op_type, step.value) for step in simulator.order] == [
        ("double", "Add", "twice"),
        ("lower", "Sub", "low"),
        ("flip", "Neg", "y"),
    ]
    assert values["twice"].tolist() == [[2, -4, 127, 0]]


def test_only_the_values_asked_for_come_back() -> None:
    assert list(Simulator(chain(), ESP32).run({"x": X}, keep=["low", "x"])) == ["x", "low"]


def test_without_inputs_the_test_inputs_of_the_file_are_taken() -> None:
    assert Simulator(chain(), ESP32).run()["y"].tolist() == [[-1, -3, -5, -7]]


def test_a_file_without_test_inputs_says_so() -> None:
    bare = replace(chain(), test_inputs=())
    with pytest.raises(ModelError, match="no test inputs"):
        Simulator(bare, ESP32).run()


def test_the_callers_arrays_are_neither_changed_nor_returned() -> None:
    mine = X.copy()
    identity = LoweredNode("same", "Identity", ("x",), ("y",), {})
    model = replace(chain(), nodes=(identity,))
    outputs = Simulator(model, ESP32).run({"x": mine})
    outputs["y"][:] = 0
    assert mine.tolist() == X.tolist()


@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        ({}, "'x': input is missing"),
        ({"x": X, "z": X}, "'z': the model has no such input"),
        ({"x": X.astype(np.int16)}, "'x': input is int16, the file says int8"),
        ({"x": X.reshape(4)}, r"input has shape \[4\], the file says \[1, 4\]"),
    ],
)
def test_inputs_that_do_not_fit_are_named(inputs: dict[str, np.ndarray], complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        Simulator(chain(), ESP32).run(inputs)


def test_an_unknown_value_to_keep_is_named() -> None:
    with pytest.raises(ModelError, match="'nowhere': the model has no such value"):
        Simulator(chain(), ESP32).run({"x": X}, keep=["nowhere"])


def test_all_unsupported_nodes_are_reported_at_once() -> None:
    broken = (
        LoweredNode("odd", "Wobble", ("x",), ("twice",), {}),
        LoweredNode("wrong", "Pad", ("twice",), ("low",), {"mode": Attribute.of("wrap")}),
        LoweredNode("fine", "Neg", ("low",), ("y",), {}),
    )
    with pytest.raises(UnsupportedModelError) as caught:
        Simulator(replace(chain(), nodes=broken), ESP32)
    assert [finding.node for finding in caught.value.findings] == ["odd", "wrong"]
    assert isinstance(caught.value.findings[0], UnsupportedOperatorError)


def test_a_refusal_names_node_and_operator() -> None:
    far = {**chain().values, "y": ValueInfo("y", DType.INT16, (1, 4), (-3,))}
    with pytest.raises(ModelError, match=r"node 'flip'.*Neg gives int8, the file says INT16"):
        Simulator(replace(chain(), values=far), ESP32).run({"x": X})


def test_arrays_that_cannot_combine_are_a_model_error_not_a_crash() -> None:
    reshape = LoweredNode("bend", "Transpose", ("x",), ("y",), {"perm": Attribute.of((0, 0))})
    with pytest.raises(ModelError, match="node 'bend'"):
        Simulator(replace(chain(), nodes=(reshape,)), ESP32).run({"x": X})


def test_a_value_used_before_it_is_computed_is_named() -> None:
    with pytest.raises(ModelError, match="node 'lower', value 'twice': used before"):
        Simulator(replace(chain(), nodes=chain().nodes[1:]), ESP32)


def test_an_output_that_no_node_computes_is_named() -> None:
    with pytest.raises(ModelError, match="value 'y': no node computes"):
        Simulator(replace(chain(), nodes=chain().nodes[:2]), ESP32)


def streaming() -> LoweredModel:
    values = {
        "x": ValueInfo("x", DType.INT8, (1, 2, 1), (0,)),
        "y": ValueInfo("y", DType.INT8, (1, 4, 1), (0,)),
    }
    attributes = {"window_size": Attribute.of(3), "frame_axis": Attribute.of(1)}
    node = LoweredNode("cache", "StreamingCache", ("x",), ("y",), attributes)
    return LoweredModel("stream", (node,), ("x",), ("y",), values, {})


def test_a_stream_remembers_its_last_frames_until_reset() -> None:
    simulator = Simulator(streaming(), ESP32)
    frames = np.array([[[1], [2]]], dtype=np.int8)
    assert simulator.run({"x": frames})["y"].ravel().tolist() == [0, 0, 1, 2]
    assert simulator.run({"x": frames + np.int8(2)})["y"].ravel().tolist() == [1, 2, 3, 4]
    simulator.reset()
    assert simulator.run({"x": frames})["y"].ravel().tolist() == [0, 0, 1, 2]


def test_two_simulators_of_one_model_share_no_state() -> None:
    model = streaming()
    frames = np.array([[[1], [2]]], dtype=np.int8)
    first, second = Simulator(model, ESP32), Simulator(model, ESP32)
    first.run({"x": frames})
    assert second.run({"x": frames})["y"].ravel().tolist() == [0, 0, 1, 2]
