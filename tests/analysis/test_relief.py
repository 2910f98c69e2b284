"""A model that overflows without relief does not with it; the accumulators themselves say so."""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from espdl_hil import espdl
from espdl_hil.analysis import headroom, relief, relieve
from espdl_hil.cli import main
from espdl_hil.errors import UnsupportedModelError
from espdl_hil.lowering import lower, to_stored
from espdl_hil.pipeline import Quantized, quantize
from espdl_hil.quantizer import AccumulatorHeadroom, QuantizeConfig, Room, assign
from espdl_hil.simulator import Simulator
from espdl_hil.targets import TARGETS, Accumulator, Overflow, target_named
from tests.support.onnx_models import model_of

S3, P4 = target_named("esp32s3"), target_named("esp32p4")
WIDE = Accumulator(64, Overflow.WRAP)
UNLIMITED = replace(
    S3,
    mac=MappingProxyType(
        {bits: replace(mac, lane=WIDE, tail=WIDE) for bits, mac in S3.mac.items()}
    ),
)

GEMM = "g (float[1,400] x, float[400,33] w, float[33] b) => (float y) { y = Gemm(x, w, b) }"
CONVS = (
    "g (float[1,3,9,9] x, float[48,3,3,3] p0, float[16,48,3,3] w1, float[20,16,1,1] w2)"
    " => (float y) { t0 = Conv(x, p0) r = Relu(t0)"
    " m = MaxPool<kernel_shape = [2,2], strides = [2,2]>(r)"
    " t1 = Conv<pads = [1,1,1,1]>(m, w1) y = Conv(t1, w2) }"
)
ATTENTION = (
    "g (float[1,6,400] x, float[1,20,400] x2) => (float y)"
    " { t = Transpose<perm = [0,2,1]>(x2) y = MatMul(x, t) }"
)
SHARED = (
    "g (float[1,400] x, float[400,16] w, float[400,16] w2) => (float y, float z)"
    " { y = MatMul(x, w) z = MatMul(x, w2) }"
)
GRAPHS = {"gemm": GEMM, "convs": CONVS, "attention": ATTENTION, "shared": SHARED}


def rising_and_falling(body: str, seed: int = 1) -> bytes:
    """A model whose sums climb far beyond what they end at: one sign first, then the other.

    Weights whose name begins with ``p`` are positive throughout.
    """
    model = model_of(body, seed=seed)
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        taps = {1: 0, 2: array.shape[0], 4: int(np.prod(array.shape[1:]))}[array.ndim]
        rising = taps if tensor.name.startswith("p") else taps // 2
        sign = np.where(np.arange(taps) < rising, 1, -1).astype(np.float32)
        size = np.abs(array) + np.float32(0.7) * np.abs(array).max()
        if array.ndim == 2:
            array = size * sign[:, None]
        elif array.ndim == 4:
            array = np.moveaxis(size, 1, -1).reshape(len(array), -1) * sign
            array = np.moveaxis(array.reshape(len(size), *size.shape[2:], size.shape[1]), -1, 1)
        tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), tensor.name))
    return bytes(model.SerializeToString())


def samples_of(data: bytes, count: int, seed: int = 5) -> dict[str, np.ndarray]:
    """Positive inputs, about as large as each other; of ``x2`` half of each row is negative."""
    rng = np.random.default_rng(seed)
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in onnx.load_from_string(data).graph.input
    }
    arrays = {
        name: rng.uniform(0.6, 0.99, (count, *shape)).astype(np.float32)
        for name, shape in shapes.items()
    }
    if "x2" in arrays:
        arrays["x2"][..., arrays["x2"].shape[-1] // 2 :] *= -1
    return arrays


def quantized(data, samples, mode, bits=8, target=S3) -> Quantized:
    config = QuantizeConfig(target, bits, accumulator_headroom=AccumulatorHeadroom(mode))
    return quantize(data, config, samples, compare=4)


def overflows(model, samples) -> int:
    """How many outputs differ between the chip's accumulators and unlimited ones."""
    exact, unlimited = Simulator(model, S3), Simulator(model, UNLIMITED)
    count = len(next(iter(samples.values())))
    differing = 0
    for index in range(count):
        stored = {
            name: to_stored(model, name, samples[name][index].reshape(_shape(model, name)), S3)
            for name in model.inputs
        }
        got, wanted = exact.run(stored, keep="all"), unlimited.run(stored, keep="all")
        differing += sum(int((got[name] != wanted[name]).sum()) for name in got)
        rows = headroom(model, S3, [stored])
        assert all(not row.left for row in rows) or differing
    return differing


def _shape(model, name):
    dims = model.values[name].dims
    return (1, dims[-1], *dims[1:-1]) if len(dims) == 4 else dims


@pytest.mark.parametrize("name", GRAPHS)
def test_what_overflows_without_relief_does_not_with_it(name):
    data = rising_and_falling(GRAPHS[name])
    samples = samples_of(data, 6)
    without = quantized(data, samples, "off")
    assert overflows(without.model, samples), "nothing overflows here: the test shows nothing"
    assert not without.relieved.reliefs
    result = quantized(data, samples, "calibration")
    assert result.relieved.samples == 6
    assert result.relieved.reliefs
    assert not result.relieved.stuck
    assert overflows(result.model, samples) == 0
    for before, after in zip(result.unrelieved, result.quality, strict=True):
        assert after.sqnr_db > before.sqnr_db + 2


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.sampled_from(sorted(GRAPHS)))
def test_no_calibration_sample_overflows_whatever_the_weights(seed, name):
    data = rising_and_falling(GRAPHS[name], seed)
    samples = samples_of(data, 3, seed)
    assert overflows(quantized(data, samples, "calibration").model, samples) == 0


@pytest.mark.parametrize("name", GRAPHS)
def test_no_input_at_all_overflows_where_that_was_asked_for(name):
    data = rising_and_falling(GRAPHS[name])
    samples = samples_of(data, 3)
    result = quantized(data, samples, "any-input")
    assert all(not row.at_risk for row in headroom(result.model, S3))
    exact, unlimited = Simulator(result.model, S3), Simulator(result.model, UNLIMITED)
    rng = np.random.default_rng(3)
    for _ in range(10):
        rails = {
            input_name: rng.choice([-128, 127], result.model.values[input_name].dims).astype("i1")
            for input_name in result.model.inputs
        }
        got, wanted = exact.run(rails), unlimited.run(rails)
        for output in got:
            np.testing.assert_array_equal(got[output], wanted[output])


def test_int16_lanes_are_relieved_too():
    body = "g (float[1,8000] x, float[8000,9] w) => (float y) { y = Gemm(x, w) }"
    data = rising_and_falling(body)
    samples = samples_of(data, 3)
    assert overflows(quantized(data, samples, "off", 16).model, samples)
    result = quantized(data, samples, "calibration", 16)
    assert overflows(result.model, samples) == 0
    assert result.quality[0].sqnr_db > 50


def test_a_layer_that_cannot_be_helped_is_named(monkeypatch):
    # With four bits to keep, it takes sums over more than 100,000 inputs to get here.
    monkeypatch.setattr(relief, "_KEPT_BITS", 8)
    data = rising_and_falling(GEMM)
    samples = samples_of(data, 2)
    result = quantized(data, samples, "calibration")
    (stuck,) = result.relieved.stuck
    assert stuck.node
    assert "20-bit" in stuck.what
    assert "split the layer" in stuck.hint
    assert result.findings[0].node == stuck.node
    with pytest.raises(UnsupportedModelError, match="20-bit"):
        quantized(data, samples, "any-input")


def test_bits_are_given_up_where_it_costs_least():
    """No other way to share the same bits between weights and input errs much less."""
    data = rising_and_falling(GEMM)
    samples = samples_of(data, 8)
    result = quantized(data, samples, "calibration")
    (relief,) = result.relieved.reliefs
    total = relief.weights_bits + relief.input_bits
    config = result.config
    base = assign(result.quant.graph, _ranges(result, samples), config)
    first, second = base.edges.get((relief.node, 0)) or base.values["x"], base.edges[relief.node, 1]
    losses = {}
    for of_input in range(total + 1):
        rooms = {
            relief.node: Room(
                (second.exponent + total - of_input,),
                first.exponent + of_input if of_input else None,
            )
        }
        quant = assign(result.quant.graph, _ranges(result, samples), config, rooms)
        losses[of_input] = _error(lower(quant, S3), data, samples)
    assert losses[relief.input_bits] <= 1.25 * min(losses.values())


def _ranges(result, samples):
    from espdl_hil.calibration.collect import collect
    from espdl_hil.calibration.samples import Samples
    from espdl_hil.frontend.evaluate import FloatModel
    from espdl_hil.quantizer import calibrated_values

    graph = result.quant.graph
    observed = calibrated_values(graph)
    return collect(
        FloatModel(graph, observed).run, Samples.of(graph, samples), observed, histogram=True
    )


def _error(model, data, samples) -> float:
    """Squared error of the first output with unlimited accumulators, over all samples."""
    from espdl_hil.frontend.evaluate import FloatModel
    from espdl_hil.lowering import to_real
    from espdl_hil.pipeline import read_graph

    float_model = FloatModel(read_graph(data)[0])
    simulator = Simulator(model, UNLIMITED)
    total = 0.0
    for sample in samples["x"]:
        wanted = float_model.run({"x": sample})["y"]
        got = simulator.run({"x": to_stored(model, "x", sample, S3)})["y"]
        total += float(np.sum((to_real(model, "y", got) - wanted) ** 2))
    return total


def test_it_is_on_where_accumulators_are_narrow():
    usual = {
        (target.name, bits): QuantizeConfig(target, bits).headroom
        for target in TARGETS
        for bits in (8, 16)
    }
    on = {key for key, mode in usual.items() if mode is not AccumulatorHeadroom.OFF}
    assert on == {("esp32s3", 8), ("esp32s3", 16)}
    assert {usual[key] for key in on} == {AccumulatorHeadroom.CALIBRATION}


def test_without_risk_no_sample_is_run():
    data = bytes(model_of(GEMM.replace("400", "20")).SerializeToString())
    config = QuantizeConfig(S3)
    samples = samples_of(data, 2)
    result = quantize(data, config, samples)

    def sample_at(index):
        raise AssertionError("a sample was asked for")

    relieved = relieve(result.quant.graph, _ranges(result, samples), config, range(2), sample_at)
    assert (relieved.reliefs, relieved.samples) == ((), 0)
    assert relieved.quant.edges == result.quant.edges


def test_the_command_says_what_was_given_up(tmp_path, capsys):
    data = rising_and_falling(GEMM)
    (tmp_path / "net.onnx").write_bytes(data)
    np.savez(tmp_path / "calib.npz", **samples_of(data, 4))
    out = tmp_path / "net.espdl"
    words = [str(tmp_path / "net.onnx"), "--calib", str(tmp_path / "calib.npz"), "-o", str(out)]
    assert main(["quantize", "--target", "esp32s3", *words]) == 0
    said = capsys.readouterr().out
    assert "of 4 calibration sample(s), none overflows; 1 layer(s) gave up precision" in said
    assert "bits given up: " in said
    assert "dB without" in said
    assert "bits given up: " in out.with_suffix(".info").read_text()
    document = json.loads(out.with_suffix(".json").read_text())["accumulator_headroom"]
    assert (document["mode"], len(document["reliefs"])) == ("calibration", 1)
    assert espdl.read_file(out).metadata["accumulator_headroom"] == "calibration"
    assert main(["quantize", "--target", "esp32s3", "--accumulator-headroom", "off", *words]) == 0
    said = capsys.readouterr()
    assert "gave up" not in said.out
    assert "20-bit accumulator saturates there" in said.err
    assert main(["quantize", "--target", "esp32p4", *words]) == 0
    assert "accumulators" not in capsys.readouterr().out


def test_gates_that_overflow_are_said_to_and_give_nothing_up():
    """1024 full-scale products of int16 are 40 bits and a sign; gates have one exponent."""
    model = model_of(
        "g (float[2,1,1024] x, float[1,24,1024] w, float[1,24,8] r, float[1,48] b) => (float y)"
        " { y, last = GRU<hidden_size = 8, linear_before_reset = 1>(x, w, r, b) }"
    )
    for tensor in model.graph.initializer:
        array = np.full(tensor.dims, 0.99 if tensor.name == "w" else 0.0, np.float32)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    samples = {"x": np.full((3, 2, 1, 1024), 0.99, np.float32)}
    config = QuantizeConfig(S3, 16)
    result = quantize(model.SerializeToString(), config, samples)
    assert result.relieved.mode is AccumulatorHeadroom.CALIBRATION
    (error,) = result.relieved.stuck
    assert "40-bit scalar accumulator" in error.what
    assert not result.relieved.reliefs
    everything = replace(config, accumulator_headroom=AccumulatorHeadroom.ANY_INPUT)
    with pytest.raises(UnsupportedModelError, match="scalar accumulator"):
        quantize(model.SerializeToString(), everything, samples)
    samples["x"][..., 400:] = 0.0
    calm = quantize(model.SerializeToString(), config, samples)
    assert not calm.relieved.stuck
