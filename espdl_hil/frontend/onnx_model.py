"""An ONNX model as the importer wants it: valid, static, clean, every constant an initializer.

The law of this file: it works on a copy in memory; the user's file is only read.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import onnxslim
from google.protobuf.message import DecodeError
from onnx import numpy_helper, shape_inference

from espdl_hil.errors import ModelError
from espdl_hil.ops.gru import GRU
from espdl_hil.ops.lstm import LSTM

OLDEST_OPSET = 11
NEWEST_OPSET = 21

_TIME_FIRST = (GRU.op_type, LSTM.op_type)
"""Operators whose input is ``[time, batch, ...]``: with them, 1 may stand on the second axis."""

_LOG = logging.getLogger(__name__)


def read_model(source: Path | bytes) -> tuple[onnx.ModelProto, int]:
    """The cleaned model, with inferred shapes, and its opset.

    Args:
        source: path of the ``.onnx`` file (external data beside it is found), or its bytes.

    Raises:
        ModelError: not a valid ONNX model, an opset out of range, inputs that are not static.
    """
    model = _read(source)
    opset = _checked_opset(model)
    _fix_inputs(model)
    model = _clean(model)
    _absorb_constant_nodes(model)
    return model, opset


def _read(source: Path | bytes) -> onnx.ModelProto:
    try:
        if isinstance(source, bytes):
            model = onnx.load_model_from_string(source)
        else:
            model = onnx.load(str(source))
    except DecodeError as error:
        raise ModelError(
            f"not an ONNX model: {error}", hint="is the file complete, and really an .onnx?"
        ) from error
    except OSError as error:
        raise ModelError(
            f"cannot read the model: {error.strerror or error}", value=str(source)
        ) from error
    if not model.graph.node:
        raise ModelError(
            "the model has no nodes", hint="is this an ONNX model, and is it complete?"
        )
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        # Operators of other domains are no schema error; they become findings later.
        raise ModelError(f"invalid ONNX model: {str(error).strip()}") from error
    return model


def _checked_opset(model: onnx.ModelProto) -> int:
    versions = {entry.domain: entry.version for entry in model.opset_import}
    opset = int(versions.get("", versions.get("ai.onnx", 0)))
    if not OLDEST_OPSET <= opset <= NEWEST_OPSET:
        raise ModelError(
            f"opset {opset} is not supported ({OLDEST_OPSET}-{NEWEST_OPSET} are)",
            hint=f"export the model with opset_version={min(18, NEWEST_OPSET)}",
        )
    return opset


def _fix_inputs(model: onnx.ModelProto) -> None:
    """Demand static inputs with batch 1 (in our own copy); drop what older shapes said."""
    parameters = {tensor.name for tensor in model.graph.initializer}
    recurrent = any(node.op_type in _TIME_FIRST for node in model.graph.node)
    for value in model.graph.input:
        if value.name in parameters:
            continue
        dims = value.type.tensor_type.shape.dim
        if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
            raise ModelError(
                "the graph input has no tensor shape",
                value=value.name,
                hint="export the model with a fixed input shape",
            )
        described = [dim.dim_param or dim.dim_value or "?" for dim in dims]
        if dims and not dims[0].HasField("dim_value") and len(dims) > 1:
            _LOG.warning(
                "input %r: the dynamic batch dimension %r is fixed to 1", value.name, described[0]
            )
            dims[0].dim_value = 1
        if any(dim.dim_value <= 0 for dim in dims):
            raise ModelError(
                f"the input shape {described} is not static",
                value=value.name,
                hint="a board has no dynamic shapes: export with fixed dimensions",
            )
        time_first = recurrent and len(dims) == 3 and dims[1].dim_value == 1
        if len(dims) > 1 and dims[0].dim_value != 1 and not time_first:
            raise ModelError(
                f"the input shape {described} has batch {dims[0].dim_value}",
                value=value.name,
                hint="a board runs one sample at a time: export with batch 1",
            )
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")


def _clean(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold constants and infer every shape; what the library cannot handle stays for findings."""
    inputs = list(model.graph.input)
    try:
        model = onnxslim.slim(model, no_shape_infer=False)
    except Exception as error:  # any failure of the clean-up leaves us the original
        _LOG.info("onnxslim left the model as it is: %s", error)
    # An input that nothing reads is still part of the model's interface.
    parameters = {tensor.name for tensor in model.graph.initializer}
    kept = {value.name for value in model.graph.input} | parameters
    model.graph.input.extend(value for value in inputs if value.name not in kept)
    try:
        return shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except shape_inference.InferenceError as error:
        _LOG.info("shape inference stopped: %s", error)
        return shape_inference.infer_shapes(model, data_prop=True)


def _absorb_constant_nodes(model: onnx.ModelProto) -> None:
    """Turn the Constant nodes that the clean-up left into initializers (in our own copy)."""
    kept: list[onnx.NodeProto] = []
    for node in model.graph.node:
        value = node.attribute[0] if node.op_type == "Constant" and node.attribute else None
        if value is None or value.type == onnx.AttributeProto.SPARSE_TENSOR:
            kept.append(node)
            continue
        data = onnx.helper.get_attribute_value(value)
        if isinstance(data, onnx.TensorProto):
            array = numpy_helper.to_array(data)
        else:
            floating = value.type in (onnx.AttributeProto.FLOAT, onnx.AttributeProto.FLOATS)
            array = np.asarray(data, dtype=np.float32 if floating else np.int64)
        model.graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
    if len(kept) < len(model.graph.node):
        del model.graph.node[:]
        model.graph.node.extend(kept)
