"""The float ONNX network with the layers of an ``.espdl`` file, for speed beside the simulator.

Weights and biases are dequantized, lookup tables become the functions they hold, conversions
between exponents vanish. Values are kept channels first, as ONNX Runtime's convolutions like them;
nodes that work on stored order get a Transpose in front. A right side that the board packs at run
time stays packed: the same work, other numbers.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from espdl_hil.ir.layouts import FilterKind, unpack_filter
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor
from espdl_hil.targets import Target

_FIRST = (0, 3, 1, 2)  # channels last → channels first
_LAST = (0, 2, 3, 1)
_IMAGE = ("Conv", "MaxPool", "GlobalAveragePool", "Resize")
_EITHER = ("Add", "Clip", "Concat", "Mul", "PRelu", "Relu", "Sigmoid", "Split", "Swish")
_DROPPED = ("RequantizeLinear", "QuantizeLinear", "DequantizeLinear")
_OPSET, _IR_VERSION = 18, 8


def float_twin(model: LoweredModel, target: Target) -> bytes:
    """The network as an ONNX file; its inputs are channels first."""
    return _Twin(model, target).build()


class _Twin:
    """The nodes written so far, and in which order each value is to be had."""

    def __init__(self, model: LoweredModel, target: Target) -> None:
        self.model, self.target = model, target
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.names: dict[tuple[str, bool], str] = {}

    def build(self) -> bytes:
        inputs = []
        for name in self.model.inputs:
            dims = self.model.values[name].dims
            first = len(dims) == 4
            shape = [dims[axis] for axis in _FIRST] if first else dims
            self.names[name, first] = name
            inputs.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
        for node in self.model.nodes:
            self._write(node)
        outputs = []
        for name in self.model.outputs:
            first = (name, True) in self.names
            found = self.names[name, first]
            outputs.append(helper.make_tensor_value_info(found, onnx.TensorProto.FLOAT, None))
        graph = helper.make_graph(self.nodes, "twin", inputs, outputs, self.constants)
        made = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
        )
        return bytes(made.SerializeToString())

    def _write(self, node: LoweredNode) -> None:
        attributes = {
            name: item.value
            for name, item in node.attributes.items()
            if name not in ("lut", "quant_type", "activation")
        }
        source, result = node.inputs[0], node.outputs[0]
        held_first = (source, True) in self.names
        if node.op_type in _DROPPED:
            self.names[result, held_first] = self.names[source, held_first]
            return
        first = node.op_type in _IMAGE or (node.op_type in _EITHER and held_first)
        if first and "axis" in attributes:
            attributes["axis"] = _FIRST.index(attributes["axis"])
        if node.op_type == "Transpose":
            rank = len(self.model.values[source].dims)
            attributes["perm"] = [axis % rank for axis in attributes["perm"]]
        inputs = [self._operand(node, index, first) for index in range(len(node.inputs))]
        relu = "activation" in node.attributes and node.attributes["activation"].value == "Relu"
        outputs = list(node.outputs)
        for output in outputs:
            self.names[output, first] = output
        computed = [f"{result}/linear"] if relu else outputs
        if node.op_type == "Swish":
            self.nodes.append(helper.make_node("Sigmoid", inputs, [f"{result}/gate"]))
            self.nodes.append(helper.make_node("Mul", [*inputs, f"{result}/gate"], outputs))
        else:
            self.nodes.append(helper.make_node(node.op_type, inputs, computed, **attributes))
        if relu:
            self.nodes.append(helper.make_node("Relu", computed, outputs))

    def _operand(self, node: LoweredNode, index: int, first: bool) -> str:
        name = node.inputs[index]
        if not name:
            return ""
        if name in self.model.parameters:
            array = self._constant(node, index, self.model.parameters[name])
            if first and node.op_type in ("Add", "Mul", "PRelu") and array.size > 1:
                array = array.reshape(-1, 1, 1)  # one per channel
            unique = f"{name}/{node.name}"
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), unique))
            return unique
        if (name, first) not in self.names:
            turned = f"{name}/{'first' if first else 'last'}"
            perm = _FIRST if first else _LAST
            given = self.names[name, not first]
            self.nodes.append(helper.make_node("Transpose", [given], [turned], perm=perm))
            self.names[name, first] = turned
        return self.names[name, first]

    def _constant(self, node: LoweredNode, index: int, tensor: Tensor) -> np.ndarray:
        array = tensor.array()
        if array.dtype.kind == "f" or (array.dtype == np.int64 and tensor.exponents in ((), (0,))):
            return array
        if index == 1 and node.op_type in ("Conv", "Gemm"):
            kind = FilterKind.GEMM
            if node.op_type == "Conv":
                dense = node.attributes["group"].value == 1
                kind = FilterKind.DENSE if dense else FilterKind.DEPTHWISE
            block = self.target.mac[8 * array.dtype.itemsize].filter_block
            array = unpack_filter(array, tensor.dims, kind, block)
        exponents = np.array(tensor.exponents, dtype=np.int32)
        if len(exponents) > 1:
            axis = 1 if node.op_type == "Gemm" and index == 1 else 0
            exponents = exponents.reshape([-1 if i == axis else 1 for i in range(array.ndim)])
        return np.ldexp(array.astype(np.float32), exponents)
