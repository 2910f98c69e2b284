"""Files made ready for a board: what the preflight refuses, and running it all the same."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from espdl_hil import espdl
from espdl_hil.checking import Checker, ModelCache
from espdl_hil.checking.prepare import prepare
from espdl_hil.errors import ConfigError, UnsupportedModelError
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, ValueInfo
from espdl_hil.ir.types import DType
from espdl_hil.suite import read_suite
from espdl_hil.targets import target_named
from tests.support.onnx_models import inputs_of, model_of

TARGET = target_named("esp32p4")


def doubled_on_the_way() -> bytes:
    """A copy between two exponents, as an upstream exporter writes it behind InsertZeros."""
    values = {
        name: ValueInfo(name, DType.INT8, (4,), (exponent,))
        for name, exponent in (("x", 1), ("y", 2))
    }
    nodes = (LoweredNode("copy", "Identity", ("x",), ("y",), {}),)
    return espdl.write(LoweredModel("m", nodes, ("x",), ("y",), values, {}))


def test_what_computes_something_else_than_it_means_is_taken_only_without_preflight(tmp_path):
    path = tmp_path / "m.espdl"
    path.write_bytes(doubled_on_the_way())
    with pytest.raises(UnsupportedModelError, match="different exponents"):
        Checker().take(path, TARGET)
    prepared = Checker().take(path, TARGET, preflight=False)
    assert not prepared.preflight
    assert prepared.simulator.run(prepared.vectors[-1].inputs)["y"].shape == (4,)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.espdl: cannot be read"):
        Checker().take(tmp_path / "absent.espdl", TARGET)


CHAIN = "g (float[1,8] x, float[4,8] w) => (float y) { m = Gemm<transB=1>(x, w) y = Sigmoid(m) }"


def test_where_a_model_ends_and_what_room_it_keeps_are_part_of_its_key(tmp_path):
    model = model_of(CHAIN)
    onnx.save(model, tmp_path / "net.onnx")
    np.savez(tmp_path / "calib.npz", **inputs_of(model, 4))
    samples = inputs_of(model, 3, seed=5)["x"]
    np.savez(tmp_path / "eval.npz", x=samples, labels=np.zeros((3, 4), np.float32))
    common = (
        "model: net.onnx, calibration: {data: calib.npz}, evaluation: {data: eval.npz, metric: mae}"
    )
    suite = tmp_path / "net.hil.yaml"
    suite.write_text(
        "version: 1\nmodels:\n"
        f"  whole: {{{common}}}\n"
        f"  cut: {{{common}, end_at: m}}\n"
        f"  roomy: {{{common}, end_at: m, accumulator_headroom: any-input}}\n"
    )
    cache = ModelCache(tmp_path / "kept")
    for _ in range(2):  # the second time from the cache
        whole, cut, roomy = (prepare(one, TARGET, cache) for one in read_suite(suite).models)
        assert whole.model.outputs == ("y",)
        assert cut.model.outputs == roomy.model.outputs == ("m",)
        assert "accumulator_headroom" not in cut.model.metadata
        assert roomy.model.metadata["accumulator_headroom"] == "any-input"
    assert len(list((tmp_path / "kept").iterdir())) == 3
    floats = [found.evaluation.floating for found in (whole, cut)]
    weights = onnx.numpy_helper.to_array(model.graph.initializer[0])
    assert floats[1] == pytest.approx(np.abs(samples.reshape(3, 8) @ weights.T).mean(), rel=1e-5)
    assert floats[0] != pytest.approx(floats[1])
