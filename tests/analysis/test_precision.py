"""What integers lose without an error is said: constants, samples, ranges, outputs."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from espdl_hil.analysis import Finding, Severity, constant_findings
from espdl_hil.cli import main
from espdl_hil.pipeline import quantize, read_graph
from espdl_hil.quantizer import QuantizeConfig
from espdl_hil.targets import target_named
from tests.support.onnx_models import inputs_of, model_of

CONFIG = QuantizeConfig(target_named("esp32s3"))
CHAIN = (
    "g (float[1,8] x, float[8,8] w, float[4,8] w2) => (float y)"
    " { h = Gemm<transB=1>(x, w) r = Relu(h) y = Gemm<transB=1>(r, w2) }"
)
BOXES = (
    "g (float[1,8] x, float[4,8] w, float[3,8] w2) => (float y)"
    " { boxes = Gemm<transB=1>(x, w) s = Gemm<transB=1>(x, w2) scores = Sigmoid(s)"
    " y = Concat<axis=1>(boxes, scores) }"
)


def scaled(body: str, name: str, factor: float) -> onnx.ModelProto:
    """The model with one constant multiplied."""
    model = model_of(body)
    for tensor in model.graph.initializer:
        if tensor.name == name:
            array = (numpy_helper.to_array(tensor) * factor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(array, name))
    return model


def warnings_of(model: onnx.ModelProto, samples=None, config=CONFIG) -> list[Finding]:
    """The warnings of quantizing, told on the way or at the end."""
    told: list[Finding] = []
    given = inputs_of(model, 8) if samples is None else samples
    made = quantize(model.SerializeToString(), config, given, compare=4, tell=told.extend)
    found = dict.fromkeys((*told, *made.findings))
    assert set(told) <= set(made.findings) | {one for one in told if one.severity is Severity.NOTE}
    return [one for one in found if one.severity is Severity.WARNING]


def test_an_ordinary_model_has_no_such_warning():
    assert warnings_of(model_of(CHAIN)) == []
    assert warnings_of(model_of(BOXES)) == []


@pytest.mark.parametrize(("factor", "says"), [(1e12, "saturates"), (1e-12, "nothing is left")])
def test_weights_that_no_exponent_holds_are_named_before_calibration(factor, says):
    model = scaled(CHAIN, "w2", factor)
    (early,) = constant_findings(read_graph(model.SerializeToString(), 8)[0], 8)
    assert says in early.what
    assert early.op_type == "Gemm"
    assert "scale the model" in early.hint
    found = warnings_of(model)
    assert early in found
    assert any("value 'y'" in one.what and says in one.what for one in found)


def test_samples_that_never_differ_are_named():
    model = model_of(CHAIN)
    found = warnings_of(model, {"x": np.zeros((4, 1, 8), np.float32)})
    assert any("input 'x' is 0 in every" in one.what for one in found)


def test_a_layer_that_calibration_never_wakes_is_named():
    model = model_of(CHAIN)
    bias = numpy_helper.from_array(np.full(8, -1000, np.float32), "dead")
    model.graph.initializer.append(bias)
    model.graph.node[0].input.append("dead")
    (found,) = (one for one in warnings_of(model) if "throughout calibration" in one.what)
    assert "and 1 more value(s)" in found.what
    assert found.node


@pytest.mark.parametrize(("factor", "lost"), [(300.0, True), (1.0, False)])
def test_scores_lost_beside_boxes_are_named_with_the_ends_that_save_them(factor, lost):
    found = [one for one in warnings_of(scaled(BOXES, "w", factor)) if one.op_type == "Concat"]
    assert len(found) == lost
    if lost:
        assert "'scores'" in found[0].what
        assert "--end-at boxes --end-at scores" in found[0].hint


def test_an_output_of_noise_names_the_node_where_it_begins():
    """The difference of two numbers that are nearly equal."""
    model = model_of(
        "g (float[1,64] x, float[64,64] w) => (float y)"
        " { a = Sigmoid(x) b = Mul(a, c) s = Sub(a, b) y = Gemm<transB=1>(s, w) }"
    )
    constant = numpy_helper.from_array(np.full(1, 0.999, np.float32), "c")
    model.graph.initializer.append(constant)
    (found,) = (one for one in warnings_of(model) if "SQNR" in one.what)
    assert found.op_type == "Sub"
    assert "first below 10 dB" in found.what
    assert "--bits 16" in found.hint


def test_check_says_the_same(tmp_path, capsys):
    onnx.save(scaled(BOXES, "w", 300.0), tmp_path / "net.onnx")
    np.savez(tmp_path / "calib.npz", **inputs_of(model_of(BOXES), 8))
    words = [str(tmp_path / "net.onnx"), "--target", "esp32s3"]
    assert main(["check", *words, "--calib", str(tmp_path / "calib.npz")]) == 0
    assert "--end-at boxes --end-at scores" in capsys.readouterr().out
    onnx.save(scaled(CHAIN, "w2", 1e12), tmp_path / "net.onnx")
    assert main(["check", *words]) == 0
    assert "saturates" in capsys.readouterr().out
