"""Odd but plausible files: each gives right integers, or an error that says what to do."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from espdl_hil import espdl
from espdl_hil.calibration.observers import Observer
from espdl_hil.errors import ModelError, UnsupportedModelError
from espdl_hil.lowering import to_real, to_stored
from espdl_hil.pipeline import quantize
from espdl_hil.quantizer import QuantizeConfig, WeightRange
from espdl_hil.simulator import Simulator
from espdl_hil.targets import target_named

FLOAT, HALF, DOUBLE, BYTE = (
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.DOUBLE,
    TensorProto.UINT8,
)
RNG = np.random.default_rng(5)
SAMPLES = 3
LOWEST_SQNR_DB = 25.0


def weights(*shape, dtype=np.float32):
    return (RNG.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(dtype)


def model(nodes, shape, constants=None, *, kind=FLOAT, result=FLOAT, opset=18, ir=8):
    """A model of ``x`` to ``y``; the file does not say the shape of ``y``."""
    graph = helper.make_graph(
        [helper.make_node(op, inputs, outputs, **rest) for op, inputs, outputs, rest in nodes],
        "stranger",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", result, None)],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)


def samples_of(*shape):
    return {"x": RNG.standard_normal((SAMPLES, *shape)).astype(np.float32)}


def config(bits=8):
    return QuantizeConfig(target_named("esp32s3"), bits, Observer.MINMAX, WeightRange.MINMAX)


def worst_sqnr_db(proto, samples, kind=np.float32):
    chip = target_named("esp32s3")
    data = proto.SerializeToString()
    lowered = espdl.read(espdl.write(quantize(data, config(), samples).model))
    simulator, session = Simulator(lowered, chip), onnxruntime.InferenceSession(data)
    signal = noise = 0.0
    for sample in samples["x"]:
        (expected,) = session.run(None, {"x": sample.astype(kind)})
        stored = {"x": to_stored(lowered, "x", sample, chip)}
        found = to_real(lowered, "y", simulator.run(stored)["y"])
        assert found.shape == expected.shape
        signal += float(np.sum(expected.astype(np.float64) ** 2))
        noise += float(np.sum((found - expected.astype(np.float64)) ** 2))
    return 10.0 * np.log10(signal / noise)


def from_tensorflow():
    """As tf2onnx writes a Keras model: pictures with channels last, Transposes everywhere."""
    nodes = [
        ("Transpose", ["x"], ["a"], {"perm": [0, 3, 1, 2]}),
        ("Conv", ["a", "w"], ["b"], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        ("Transpose", ["b"], ["c"], {"perm": [0, 2, 3, 1]}),
        ("Add", ["c", "bias"], ["d"], {}),
        ("Relu", ["d"], ["e"], {}),
        ("Transpose", ["e"], ["f"], {"perm": [0, 3, 1, 2]}),
        ("MaxPool", ["f"], ["g"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Transpose", ["g"], ["h"], {"perm": [0, 2, 3, 1]}),
        ("Reshape", ["h", "flat"], ["i"], {}),
        ("MatMul", ["i", "dense"], ["y"], {}),
    ]
    constants = {
        "w": weights(8, 3, 3, 3),
        "bias": weights(8, 1).ravel(),
        "flat": np.array([-1, 128], np.int64),
        "dense": weights(128, 5),
    }
    return model(nodes, ["unk__1", 16, 16, 3], constants, opset=13), samples_of(1, 16, 16, 3)


def bytes_of_a_picture():
    nodes = [
        ("Cast", ["x"], ["a"], {"to": FLOAT}),
        ("Div", ["a", "largest"], ["b"], {}),
        ("Conv", ["b", "w"], ["y"], {}),
    ]
    constants = {"largest": np.float32(255), "w": weights(4, 3, 3, 3)}
    samples = {"x": RNG.integers(0, 256, (SAMPLES, 1, 3, 8, 8)).astype(np.float32)}
    return model(nodes, [1, 3, 8, 8], constants, kind=BYTE), samples


def half_precision():
    nodes = [("Conv", ["x", "w"], ["a"], {}), ("Sigmoid", ["a"], ["y"], {})]
    constants = {"w": weights(4, 3, 3, 3, dtype=np.float16)}
    proto = model(nodes, [1, 3, 8, 8], constants, kind=HALF, result=HALF)
    return proto, samples_of(1, 3, 8, 8)


def half_weights():
    nodes = [("Cast", ["w16"], ["w"], {"to": FLOAT}), ("Conv", ["x", "w"], ["y"], {})]
    constants = {"w16": weights(4, 3, 3, 3, dtype=np.float16)}
    return model(nodes, [1, 3, 8, 8], constants), samples_of(1, 3, 8, 8)


def double_precision():
    nodes = [("Gemm", ["x", "w"], ["a"], {}), ("Tanh", ["a"], ["y"], {})]
    proto = model(nodes, [1, 8], {"w": weights(8, 4, dtype=np.float64)}, kind=DOUBLE, result=DOUBLE)
    return proto, samples_of(1, 8)


def open_height_and_width():
    nodes = [
        ("Conv", ["x", "w"], ["a"], {"pads": [1, 1, 1, 1]}),
        ("GlobalAveragePool", ["a"], ["y"], {}),
    ]
    return model(nodes, ["N", 3, "H", "W"], {"w": weights(4, 3, 3, 3)}), samples_of(1, 3, 10, 12)


def constants_as_nodes():
    nodes = [
        ("Constant", [], ["w"], {"value": numpy_helper.from_array(weights(4, 3, 3, 3))}),
        ("Constant", [], ["k"], {"value_float": 0.5}),
        ("Constant", [], ["s"], {"value_ints": [1, -1]}),
        ("Conv", ["x", "w"], ["a"], {}),
        ("Mul", ["a", "k"], ["b"], {}),
        ("Reshape", ["b", "s"], ["y"], {}),
    ]
    return model(nodes, [1, 3, 8, 8]), samples_of(1, 3, 8, 8)


def chains_of_identity():
    nodes = [
        ("Identity", ["w0"], ["w"], {}),
        ("Identity", ["x"], ["a"], {}),
        ("Identity", ["a"], ["b"], {}),
        ("Gemm", ["b", "w"], ["c"], {}),
        ("Identity", ["c"], ["d"], {}),
        ("Identity", ["d"], ["y"], {}),
    ]
    return model(nodes, [1, 8], {"w0": weights(8, 4)}), samples_of(1, 8)


def the_same_constant_twice():
    """As of opset 9 and IR version 3, and without the parameters among the inputs."""
    nodes = [("MatMul", ["x", "w1"], ["a"], {}), ("MatMul", ["a", "w2"], ["y"], {})]
    same = weights(4, 4)
    return model(nodes, [1, 4], {"w1": same, "w2": same}, opset=9, ir=3), samples_of(1, 4)


def a_whole_model_of_opset_9():
    nodes = [
        ("Pad", ["x"], ["a"], {"pads": [0, 0, 1, 1, 0, 0, 1, 1], "value": 0.5}),
        ("Conv", ["a", "w"], ["b"], {}),
        ("Clip", ["b"], ["c"], {"min": 0.0, "max": 6.0}),
        ("Upsample", ["c", "twice"], ["d"], {"mode": "nearest"}),
        ("Slice", ["d"], ["e"], {"axes": [2, 3], "starts": [1, 1], "ends": [9, 9]}),
        ("Dropout", ["e"], ["f", "mask"], {"ratio": 0.5}),
        ("ReduceMean", ["f"], ["g"], {"axes": [2, 3], "keepdims": 0}),
        ("Softmax", ["g"], ["y"], {"axis": 1}),
    ]
    constants = {"w": weights(16, 3, 3, 3), "twice": np.array([1, 1, 2, 2], np.float32)}
    return model(nodes, [1, 3, 8, 8], constants, opset=9, ir=4), samples_of(1, 3, 8, 8)


def six_axes():
    nodes = [("Transpose", ["x"], ["a"], {"perm": [0, 3, 4, 1, 5, 2]}), ("Neg", ["a"], ["y"], {})]
    return model(nodes, [1, 2, 3, 4, 2, 3]), samples_of(1, 2, 3, 4, 2, 3)


def one_axis():
    return model([("LeakyRelu", ["x"], ["y"], {})], [7]), samples_of(7)


def a_matrix_without_a_batch():
    nodes = [("MatMul", ["x", "w"], ["a"], {}), ("Gelu", ["a"], ["y"], {})]
    return model(nodes, [6, 16], {"w": weights(16, 8)}, opset=20), samples_of(6, 16)


def sizes_computed_from_shapes():
    nodes = [
        ("Shape", ["x"], ["s"], {}),
        ("Slice", ["s", "two", "four"], ["hw"], {}),
        ("Cast", ["hw"], ["real"], {"to": FLOAT}),
        ("Mul", ["real", "factor"], ["more"], {}),
        ("Floor", ["more"], ["whole"], {}),
        ("Cast", ["whole"], ["size"], {"to": TensorProto.INT64}),
        ("Concat", ["front", "size"], ["sizes"], {"axis": 0}),
        (
            "Resize",
            ["x", "", "", "sizes"],
            ["y"],
            {
                "mode": "nearest",
                "nearest_mode": "floor",
                "coordinate_transformation_mode": "asymmetric",
            },
        ),
    ]
    constants = {
        "two": np.array([2], np.int64),
        "four": np.array([4], np.int64),
        "factor": np.float32(2),
        "front": np.array([1, 16], np.int64),
    }
    return model(nodes, [1, 16, 5, 5], constants, opset=13), samples_of(1, 16, 5, 5)


def a_branch_that_is_known():
    branch = helper.make_graph(
        [helper.make_node("Tanh", ["x"], ["o"])],
        "branch",
        [],
        [helper.make_tensor_value_info("o", FLOAT, [1, 4])],
    )
    nodes = [("If", ["c"], ["y"], {"then_branch": branch, "else_branch": branch})]
    return model(nodes, [1, 4], {"c": np.array(True)}), samples_of(1, 4)


TAKEN = {
    from_tensorflow: np.float32,
    bytes_of_a_picture: np.uint8,
    half_precision: np.float16,
    half_weights: np.float32,
    double_precision: np.float64,
    open_height_and_width: np.float32,
    constants_as_nodes: np.float32,
    chains_of_identity: np.float32,
    the_same_constant_twice: np.float32,
    a_whole_model_of_opset_9: np.float32,
    six_axes: np.float32,
    one_axis: np.float32,
    a_matrix_without_a_batch: np.float32,
    sizes_computed_from_shapes: np.float32,
    a_branch_that_is_known: np.float32,
}


@pytest.mark.parametrize("stranger", TAKEN, ids=lambda made: made.__name__)
def test_an_odd_file_gives_the_integers_of_its_meaning(stranger):
    proto, samples = stranger()
    assert worst_sqnr_db(proto, samples, TAKEN[stranger]) > LOWEST_SQNR_DB


REFUSED = {
    "quantized already": (
        [
            ("QuantizeLinear", ["x", "s", "z"], ["q"], {}),
            ("DequantizeLinear", ["q", "s", "z"], ["d"], {}),
            ("Relu", ["d"], ["y"], {}),
        ],
        {"s": np.float32(0.05), "z": np.uint8(128)},
        r"quantized already(.|\n)*float model",
    ),
    "quantized weights": (
        [("DequantizeLinear", ["q", "s"], ["w"], {}), ("MatMul", ["x", "w"], ["y"], {})],
        {"q": np.arange(-8, 8, dtype=np.int8).reshape(4, 4), "s": np.float32(0.05)},
        r"quantized already(.|\n)*powers of two",
    ),
    "a branch at run time": (
        [
            ("Relu", ["x"], ["a"], {}),
            ("TopK", ["a", "k"], ["y", "i"], {}),
        ],
        {"k": np.array([2], np.int64)},
        r"TopK(.|\n)*outputs=",
    ),
    "numbers made whole": (
        [("Cast", ["x"], ["a"], {"to": TensorProto.INT32}), ("Cast", ["a"], ["y"], {"to": FLOAT})],
        {},
        r"Cast(.|\n)*application",
    ),
    "logic": (
        [
            ("Greater", ["x", "z"], ["a"], {}),
            ("Not", ["a"], ["b"], {}),
            ("Where", ["b", "x", "z"], ["y"], {}),
        ],
        {"z": np.float32(0.0)},
        r"Not(.|\n)*1 - x",
    ),
    "a noise": (
        [("RandomNormalLike", ["x"], ["a"], {}), ("Add", ["a", "x"], ["y"], {})],
        {},
        "Random",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_board_can_do_is_refused_with_the_way_out(name):
    nodes, constants, reason = REFUSED[name]
    with pytest.raises((ModelError, UnsupportedModelError), match=reason):
        quantize(model(nodes, [1, 4], constants).SerializeToString(), config(), samples_of(1, 4))


def test_an_input_without_axes_is_refused():
    with pytest.raises(ModelError, match=r"no axes(.|\n)*\[1\]"):
        quantize(
            model([("Relu", ["x"], ["y"], {})], []).SerializeToString(), config(), samples_of()
        )


def test_external_data_is_found_beside_the_file_and_missed_by_name(tmp_path):
    proto = model([("MatMul", ["x", "w"], ["y"], {})], [1, 64], {"w": weights(64, 32)})
    path, samples = tmp_path / "model.onnx", samples_of(1, 64)
    alone = quantize(proto.SerializeToString(), config(), samples).model
    onnx.save(proto, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    assert espdl.write(quantize(path, config(), samples).model) == espdl.write(alone)
    (tmp_path / "w.bin").unlink()
    with pytest.raises(ModelError, match=r"w\.bin(.|\n)*beside the \.onnx"):
        quantize(path, config(), samples)


def test_a_named_dimension_has_one_length_everywhere():
    proto = model([("Relu", ["x"], ["a"], {}), ("Add", ["a", "z"], ["y"], {})], ["B", "T", 3])
    proto.graph.input.append(helper.make_tensor_value_info("z", FLOAT, ["B", "T", 3]))
    samples = samples_of(1, 5, 3) | {"z": samples_of(1, 5, 3)["x"]}
    result = quantize(proto.SerializeToString(), config(), samples)
    assert result.model.values["z"].dims == (1, 5, 3)


def test_a_model_ends_where_it_is_asked_to():
    nodes = [
        ("Gemm", ["x", "w"], ["scores"], {}),
        ("Relu", ["scores"], ["shown"], {}),
        ("ArgMax", ["shown"], ["y"], {"axis": 1}),
    ]
    data = model(nodes, [1, 8], {"w": weights(8, 4)}, result=TensorProto.INT64).SerializeToString()
    with pytest.raises(UnsupportedModelError, match=r"ArgMax(.|\n)*outputs="):
        quantize(data, config(), samples_of(1, 8))
    result = quantize(data, config(), samples_of(1, 8), outputs=["shown", "scores"], compare=2)
    assert result.model.outputs == ("shown", "scores")
    assert min(quality.sqnr_db for quality in result.quality) > LOWEST_SQNR_DB
    with pytest.raises(ModelError, match=r"'nowhere'(.|\n)*cannot end there|cannot end there"):
        quantize(data, config(), samples_of(1, 8), outputs=["nowhere"])


def test_a_sum_of_everything_has_one_element_and_one_axis_on_a_board():
    # ONNX says shape (); ESP-DL has no tensor without axes.
    proto = model([("ReduceSum", ["x"], ["y"], {"keepdims": 0})], [1, 4])
    result = quantize(proto.SerializeToString(), config(), samples_of(1, 4))
    assert result.model.values["y"].dims == (1,)
    assert result.model.test_outputs[0].dims == (1,)
