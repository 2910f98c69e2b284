"""The door: what is taken, what is refused, and that it is all said at once."""

from __future__ import annotations

import logging

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from espdl_hil.errors import ConfigError, ModelError, UnsupportedModelError
from espdl_hil.frontend.evaluate import FloatModel
from espdl_hil.frontend.onnx_import import import_onnx
from tests.support.onnx_models import inputs_of, model_of


def graph_of(body, **options):
    return import_onnx(model_of(body, **options).SerializeToString())


def test_the_users_file_is_only_read(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(model_of("g (float[1,4] x) => (float y) { t = Identity(x) y = Relu(t) }"), path)
    before = path.read_bytes(), path.stat().st_mtime_ns
    import_onnx(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


def test_all_findings_come_at_once_with_operator_name_and_reason():
    body = "g (float[1,4] x) => (float y) { [two] c = Det(x) [three] y = Hardmax(c) }"
    with pytest.raises(UnsupportedModelError) as caught:
        graph_of(body)
    text = str(caught.value)
    for node, operator in (("two", "Det"), ("three", "Hardmax")):
        assert f"node '{node}'" in text
        assert operator in text


def test_a_foreign_operator_is_a_finding():
    node = helper.make_node("FooBar", ["x"], ["y"], "custom", domain="com.example")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
    model = helper.make_model(
        helper.make_graph([node], "g", values[:1], values[1:]),
        opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("com.example", 1)],
        ir_version=8,
    )
    with pytest.raises(UnsupportedModelError, match=r"com.example.FooBar"):
        import_onnx(model.SerializeToString())


@pytest.mark.parametrize("data", [b"", b"\x00\x01\x02", b"<html>", bytes(range(256))])
def test_bytes_that_are_no_model_are_refused(data):
    with pytest.raises(ModelError, match=r"ONNX model|no nodes"):
        import_onnx(data)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.onnx"):
        import_onnx(tmp_path / "nowhere.onnx")


@pytest.mark.parametrize("opset", [8, 25])
def test_other_opsets_are_refused_with_the_way_out(opset):
    with pytest.raises(ModelError, match=rf"opset {opset} .*\n.*opset_version=18"):
        graph_of("g (float[1,4] x) => (float y) { y = Relu(x) }", opset=opset)


def test_a_dynamic_batch_is_fixed_to_one_and_said(caplog):
    with caplog.at_level(logging.WARNING):
        graph = graph_of("g (float[N,3,8,8] x) => (float y) { y = MaxPool<kernel_shape=[2,2]>(x) }")
    assert graph.types["x"].shape == (1, 3, 8, 8)
    assert graph.types["y"].shape == (1, 3, 7, 7)
    assert "batch dimension 'N' is fixed to 1" in caplog.text


@pytest.mark.parametrize(
    ("shape", "reason"), [("1,3,H,8", "not static"), ("4,3,8,8", "batch 4"), ("N,C", "not static")]
)
def test_other_dynamic_or_batched_shapes_are_refused(shape, reason):
    with pytest.raises(ModelError, match=reason) as caught:
        graph_of(f"g (float[{shape}] x) => (float y) {{ y = Relu(x) }}")
    assert caught.value.hint


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_named(poison):
    model = model_of("g (float[1,4] x, float[4,3] w) => (float y) { y = MatMul(x, w) }")
    weights = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weights[1, 1] = poison
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "w"))
    with pytest.raises(UnsupportedModelError, match=r"'w'.*NaN or infinity"):
        import_onnx(model.SerializeToString())


@pytest.mark.parametrize("kind", ["float16", "double", "bfloat16"])
def test_other_float_types_are_taken_as_single_precision_and_said(kind, caplog):
    model = model_of(f"g ({kind}[1,4] x) => ({kind} y) {{ y = Relu(x) }}")
    with caplog.at_level(logging.WARNING):
        graph = import_onnx(model.SerializeToString())
    assert {graph.types[name].dtype.name for name in ("x", "y")} == {"FLOAT"}
    assert "taken as float32" in caplog.text


def test_nodes_without_or_with_equal_names_get_different_ones():
    graph = graph_of("g (float[1,4] x) => (float y) { t = Relu(x) u = Tanh(t) y = Sigmoid(u) }")
    names = [node.name for node in graph.nodes]
    assert all(names)
    assert len(set(names)) == 3


def test_a_bound_that_is_computed_at_run_time_is_a_finding():
    with pytest.raises(UnsupportedModelError, match="Clip is computed at run time"):
        graph_of("g (float[1,4] x, float x2) => (float y) { y = Clip(x, x2) }")


OLD_OPSETS = [
    (
        11,
        "g (float[1,6] x) => (float y) <float lo = {-0.5}, float hi = {0.5}> { y = Clip(x,lo,hi) }",
    ),
    (11, "g (float[1,4,1,6] x) => (float y) { y = Squeeze<axes = [2]>(x) }"),
    (12, "g (float[1,4] x) => (float y) { y = Unsqueeze<axes = [2]>(x) }"),
    (11, "g (float[1,10] x) => (float y) { y = Softmax(x) }"),
    (11, "g (float[1,10,1,1] x) => (float y) { y = Softmax(x) }"),
    (11, "g (float[1,8,5,5] x) => (float y) { y = ReduceMean<axes = [2,3], keepdims = 1>(x) }"),
    (11, "g (float[1,8,5] x) => (float y, float z) { y, z = Split<axis = 1, split = [3,5]>(x) }"),
    (12, "g (float[1,6] x) => (float y) { y = Dropout(x) }"),
    (13, "g (float[1,8,5] x) => (float y, float z) { y, z = Split<axis = 1>(x) }"),
    (21, "g (float[1,8,6] x, float[4,8,3] w) => (float y) { y = Conv(x, w) }"),
    (20, 'g (float[1,10] x) => (float y) { y = Gelu<approximate = "tanh">(x) }'),
    (18, "g (float[1,10] x, float[1,10] x2, float[1,10] x3) => (float y) { y = Sum(x, x2, x3) }"),
    (18, "g (float[1,10] x) => (float y) { y = Sum(x) }"),
    (18, "g (float[1,6,5,5] x) => (float y) { y = GlobalMaxPool(x) }"),
    (
        18,
        "g (float[1,6,5,5] x) => (float y) <int64[2] a = {-1,-2}>"
        " { y = ReduceMean<keepdims = 0>(x, a) }",
    ),
    (18, "g (float[1,6,1,5] x) => (float y) { y = Squeeze(x) }"),
    (
        18,
        "g (float[1,7,8] x, float[4,7,3] w) => (float y)"
        ' { y = Conv<auto_pad = "SAME_LOWER", strides = [3]>(x, w) }',
    ),
    (
        18,
        "g (float[1,7,8] x, float[4,7,3] w) => (float y)"
        ' { y = Conv<auto_pad = "VALID", strides = [2]>(x, w) }',
    ),
]


@pytest.mark.parametrize(("opset", "body"), OLD_OPSETS)
def test_the_graph_computes_what_the_file_says(opset, body):
    model = model_of(body, opset=opset)
    sample = {name: array[0] for name, array in inputs_of(model, 1).items()}
    graph = import_onnx(model.SerializeToString())
    found = FloatModel(graph).run(sample)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for output, expected in zip(session.get_outputs(), session.run(None, sample), strict=True):
        np.testing.assert_allclose(found[output.name], expected, rtol=1e-5, atol=1e-6)


def test_an_old_softmax_over_several_axes_is_refused_with_the_way_out():
    with pytest.raises(UnsupportedModelError, match=r"axis=1(.|\n)*opset 13"):
        graph_of("g (float[1,10,4] x) => (float y) { y = Softmax(x) }", opset=11)


@pytest.mark.parametrize(
    "body",
    [
        "g (float[1,4] x) => (float y, float z) <float[2] c = {1.0,2.0}>"
        " { y = Relu(x) z = Identity(c) }",
        "g (float[1,4] x) => (float x) { y = Relu(x) }",
    ],
)
def test_outputs_that_are_not_computed_are_refused(body):
    with pytest.raises(UnsupportedModelError, match="depends on no input"):
        graph_of(body)
