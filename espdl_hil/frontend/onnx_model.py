"""An ONNX model as the importer wants it: valid, static, clean, every constant an initializer.

The law of this file: it works on a copy in memory; the user's file is only read.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
import onnxslim
from google.protobuf.message import DecodeError
from onnx import numpy_helper, shape_inference

from espdl_hil.errors import ConfigError, ModelError
from espdl_hil.frontend.widths import float_inputs, refuse_quantized, to_single_precision
from espdl_hil.ops.rms_normalization import RMSNormalization
from espdl_hil.ops.swish import Swish

_NOTHING: Mapping[str, Sequence[int]] = MappingProxyType({})

_FREE_PARAMETERS = 4
OLDEST_OPSET = 9
NEWEST_OPSET = 24

_LIKE_THEIR_INPUT = (
    "GroupNormalization",
    "MeanVarianceNormalization",
    RMSNormalization.op_type,
    Swish.op_type,
)
"""Operators whose result has the type of their first input, which the library does not infer."""

_LOG = logging.getLogger(__name__)


def read_model(
    source: Path | bytes,
    shapes: Mapping[str, Sequence[int]] = _NOTHING,
    outputs: Sequence[str] = (),
) -> tuple[onnx.ModelProto, int]:
    """The cleaned model, with inferred shapes, and its opset.

    Args:
        source: path of the ``.onnx`` file (external data beside it is found), or its bytes.
        shapes: by input name, lengths for dimensions that the model leaves open.
        outputs: values, inner ones too, at which the model shall end; where it ends by default.

    Raises:
        ModelError: not a valid ONNX model, an opset out of range, inputs that are not static.
    """
    model = _read(source)
    opset = _checked_opset(model)
    if outputs:
        _end_at(model, outputs)
    _absorb_constant_nodes(model)
    refuse_quantized(model)
    to_single_precision(model)
    float_inputs(model)
    _fix_inputs(model, shapes)
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
            f"not an ONNX model: {error}",
            hint="is the file complete, and really an .onnx? A file of some 130 bytes is a pointer "
            "of Git LFS; get the file itself: git lfs pull",
        ) from error
    except onnx.checker.ValidationError as error:
        raise ModelError(
            f"the model's external data is not there: {str(error).strip()}",
            hint="keep the data file beside the .onnx, under its name",
        ) from error
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror or error}",
            file=None if isinstance(source, bytes) else source,
        ) from error
    if not model.graph.node:
        raise ModelError(
            "the model has no nodes", hint="is this an ONNX model, and is it complete?"
        )
    # Older versions only wanted every parameter to be an input as well.
    model.ir_version = max(model.ir_version, _FREE_PARAMETERS)
    for value in model.graph.output:
        # Runtimes do not need the type of a result, the library's check does; we infer it anyway.
        if not value.type.WhichOneof("value"):
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.shape.SetInParent()
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


def _end_at(model: onnx.ModelProto, outputs: Sequence[str]) -> None:
    """Let the model end at these values (in our own copy), and drop what comes behind them."""
    graph = model.graph
    made = {name: node for node in graph.node for name in node.output if name}
    missing = [name for name in outputs if name not in made]
    if missing:
        raise ModelError(
            "no node computes it, so the model cannot end there",
            value=missing[0],
            hint="give names of values as an ONNX viewer shows them",
        )
    known = {value.name: value for value in (*graph.value_info, *graph.output)}
    kept = [known.get(name, onnx.ValueInfoProto(name=name)) for name in outputs]
    needed: set[str] = set()
    waiting = list(outputs)
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        if name in made:
            waiting += list(made[name].input) + _outer_values(made[name])
    nodes = [node for node in graph.node if any(name in needed for name in node.output)]
    del graph.output[:]
    graph.output.extend(kept)
    del graph.node[:]
    graph.node.extend(nodes)
    parameters = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name in needed or value.name in parameters]
    del graph.input[:]
    graph.input.extend(inputs)


def _outer_values(node: onnx.NodeProto) -> list[str]:
    """What the graphs in a node's attributes read."""
    return [
        name
        for attribute in node.attribute
        if attribute.HasField("g")
        for inner in attribute.g.node
        for name in (*inner.input, *_outer_values(inner))
    ]


def _fix_inputs(model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]]) -> None:
    """Demand static inputs with batch 1 (in our own copy); drop what older shapes said."""
    parameters = {tensor.name for tensor in model.graph.initializer}
    given = [value for value in model.graph.input if value.name not in parameters]
    _set_open_dimensions(given, shapes)
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
                hint="a board has no dynamic shapes: export with fixed dimensions, or give "
                "samples, whose shape decides",
            )
        # Fewer than four axes may mean anything; operators on images look for themselves.
        if len(dims) > 3 and dims[0].dim_value != 1:
            raise ModelError(
                f"the input shape {described} has batch {dims[0].dim_value}",
                value=value.name,
                hint="a board runs one sample at a time: export with batch 1",
            )
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")


def _set_open_dimensions(
    inputs: Sequence[onnx.ValueInfoProto], shapes: Mapping[str, Sequence[int]]
) -> None:
    """Give open dimensions the lengths in ``shapes``; a name stands for one length everywhere."""
    named: dict[str, int] = {}
    for value in inputs:
        dims = value.type.tensor_type.shape.dim
        wanted = tuple(shapes.get(value.name, ()))
        if len(wanted) == len(dims) - 1:
            wanted = (1, *wanted)
        if len(wanted) != len(dims):
            continue
        for dim, length in zip(dims, wanted, strict=True):
            if dim.HasField("dim_value") and dim.dim_value > 0:
                continue
            if dim.dim_param:
                named.setdefault(dim.dim_param, int(length))
            dim.dim_value = int(length)
    for value in inputs:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in named and dim.dim_param:
                dim.dim_value = named[dim.dim_param]


def _clean(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold constants and infer every shape; what the library cannot handle stays for findings."""
    inputs = list(model.graph.input)
    said = {value.name: value for value in (*model.graph.value_info, *model.graph.output)}
    try:
        model = onnxslim.slim(model, no_shape_infer=False)
    except Exception as error:  # any failure of the clean-up leaves us the original
        _LOG.info("onnxslim left the model as it is: %s", error)
    # An input that nothing reads is still part of the model's interface.
    parameters = {tensor.name for tensor in model.graph.initializer}
    kept = {value.name for value in model.graph.input} | parameters
    model.graph.input.extend(value for value in inputs if value.name not in kept)
    if not _consistent(model):
        # The clean-up infers shapes too, and errs on uneven Splits: the library decides.
        fresh = _with_shapes_of(model, said)
        model = fresh if _consistent(fresh) else model
    while True:
        model = _inferred(model)
        if not _type_like_inputs(model):
            return model


def _consistent(model: onnx.ModelProto) -> bool:
    try:
        shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except shape_inference.InferenceError:
        return False
    return True


def _with_shapes_of(
    model: onnx.ModelProto, said: Mapping[str, onnx.ValueInfoProto]
) -> onnx.ModelProto:
    """The model with what it said of its values and outputs itself."""
    fresh = onnx.ModelProto()
    fresh.CopyFrom(model)
    del fresh.graph.value_info[:]
    del fresh.graph.output[:]
    fresh.graph.value_info.extend(said[v.name] for v in model.graph.value_info if v.name in said)
    fresh.graph.output.extend(said.get(v.name, v) for v in model.graph.output)
    return fresh


def _inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    try:
        return shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except shape_inference.InferenceError as error:
        _LOG.info("shape inference stopped: %s", error)
        return shape_inference.infer_shapes(model, data_prop=True)


def _type_like_inputs(model: onnx.ModelProto) -> bool:
    """Type the results that the library has no inference for; whether there were any."""
    graph = model.graph
    known = {v.name: v for v in (*graph.input, *graph.value_info, *graph.output)}
    typed = {name for name, v in known.items() if v.type.tensor_type.HasField("shape")}
    found = False
    for node in graph.node:
        if node.op_type not in _LIKE_THEIR_INPUT or node.output[0] in typed:
            continue
        if node.input[0] not in typed:
            continue
        kind = known[node.input[0]].type
        target = known.get(node.output[0])
        if target is None:
            target = graph.value_info.add(name=node.output[0])
        target.type.CopyFrom(kind)
        found = True
    return found


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
