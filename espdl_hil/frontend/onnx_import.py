"""ONNX model → ``Graph``: the door where a model is read, cleaned, checked and parsed once.

The law of this file: the user's file and bytes are only read; what cannot be taken is reported for
all nodes at once, by name and reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
from onnx import numpy_helper

from espdl_hil.errors import ModelError, UnsupportedModelError, UnsupportedOperatorError
from espdl_hil.frontend.hints import HINTS
from espdl_hil.frontend.onnx_model import read_model
from espdl_hil.frontend.rewrites import REWRITES
from espdl_hil.frontend.scope import OnnxNode, Scope
from espdl_hil.frontend.windows import explicit_kernel, explicit_pads
from espdl_hil.ir.attributes import Attribute, AttributeKind, Attributes
from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ir.operator import LayoutRule
from espdl_hil.ir.types import Array, DType, TensorType
from espdl_hil.ops import OPERATORS
from espdl_hil.ops._visitor import VISITORS, Where
from espdl_hil.ops.add import Add
from espdl_hil.ops.function import Function

_NO_SHAPES: Mapping[str, Sequence[int]] = MappingProxyType({})
_FLOAT_TYPES = (DType.FLOAT,)
_INDEX_TYPES = (DType.INT64, DType.INT32, DType.BOOL)


def import_onnx(source: Path | bytes, outputs: Sequence[str] = ()) -> Graph:
    """Read an ONNX model as a float graph of the operators that we support.

    Args:
        source: path of the ``.onnx`` file (external data beside it is found), or its bytes.
        outputs: values, inner ones too, at which the model shall end; where it ends by default.

    Raises:
        UnsupportedModelError: every node that we cannot take, with operator, name and reason.
        ModelError: not an ONNX model, an opset out of 9-24, shapes that are not static.
    """
    graph, findings = read_graph(source, outputs=outputs)
    if findings:
        raise UnsupportedModelError(findings)
    return graph


def read_graph(
    source: Path | bytes,
    shapes: Mapping[str, Sequence[int]] = _NO_SHAPES,
    outputs: Sequence[str] = (),
) -> tuple[Graph, tuple[ModelError, ...]]:
    """Read an ONNX model as far as we understand it.

    The model is cleaned by onnxslim (constant folding, dead nodes) on a copy in memory. A dynamic
    batch dimension is fixed to 1, with a warning in the log.

    Args:
        source: path of the ``.onnx`` file (external data beside it is found), or its bytes.
        shapes: by input name, lengths for dimensions that the model leaves open.
        outputs: values, inner ones too, at which the model shall end; where it ends by default.

    Returns:
        The graph, and what stops it. With findings the graph lacks the nodes that they name; what
        those would give are inputs of it. It can be checked further, but not evaluated.

    Raises:
        ModelError: not an ONNX model, an opset out of 9-24, shapes that are not static.
    """
    model, opset = read_model(source, shapes, outputs)
    constants, findings = _constants(model.graph)
    types = _types(model, constants, findings)
    scope = Scope(opset=opset, constants=constants, types=types)
    nodes: list[Node] = []
    for raw in _raw_nodes(model.graph, opset):
        findings += _unsupported_types(raw, scope)
        for simple in _rewritten(raw, scope, findings):
            node = _parsed(simple, scope, findings)
            if node is not None and all(v in types for v in (*node.inputs, *node.outputs) if v):
                nodes.append(node)
    inputs = [value.name for value in model.graph.input if value.name not in constants]
    outputs = [value.name for value in model.graph.output]
    findings += [
        ModelError("the graph output is an input, or depends on no input", value=name)
        for name in outputs
        if name in constants or name in inputs
    ]
    if findings:
        computed = {value for node in nodes for value in node.outputs}
        outputs = [value for value in outputs if value in computed]
        read = dict.fromkeys(value for node in nodes for value in node.inputs if value)
        inputs += [v for v in read if v not in computed and v not in constants and v not in inputs]
    return _graph(model.graph.name, nodes, tuple(inputs), tuple(outputs), scope), tuple(findings)


def _graph(
    name: str,
    nodes: Sequence[Node],
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    scope: Scope,
) -> Graph:
    used = {value for node in nodes for value in node.inputs}
    constants = {value: array for value, array in scope.constants.items() if value in used}
    computed = [value for node in nodes for value in node.outputs if value]
    return _with_unique_names(
        Graph(
            name=name or "model",
            nodes=tuple(nodes),
            inputs=inputs,
            outputs=outputs,
            types={value: scope.types[value] for value in (*inputs, *constants, *computed)},
            constants=constants,
        )
    )


def _constants(graph: onnx.GraphProto) -> tuple[dict[str, Array], list[ModelError]]:
    """All constants, and findings for those that no board can hold.

    Minus infinity in what is added or chosen becomes the lowest number: masks are written so, and a
    pass bounds them.
    """
    constants: dict[str, Array] = {}
    findings: list[ModelError] = []
    for tensor in graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            if np.isfinite(array[array != -np.inf]).all() and _masks(graph, tensor.name):
                array = np.maximum(array, np.finfo(array.dtype).min)
            else:
                findings.append(
                    ModelError(
                        "the constant contains NaN or infinity",
                        value=tensor.name,
                        hint="the training diverged, or the export is broken",
                    )
                )
        constants[tensor.name] = _read_only(array)
    return constants, findings


def _masks(graph: onnx.GraphProto, name: str) -> bool:
    """Whether nothing but additions and choices read a constant."""
    users = [node.op_type for node in graph.node if name in node.input]
    return bool(users) and set(users) <= {Add.op_type, Where.op_type}


def _read_only(array: Array) -> Array:
    array = np.ascontiguousarray(array).reshape(array.shape)
    if array.flags.writeable:
        array.flags.writeable = False
    return array


def _types(
    model: onnx.ModelProto, constants: Mapping[str, Array], findings: list[ModelError]
) -> dict[str, TensorType]:
    """The element type and static shape of every value that the clean-up knows."""
    types: dict[str, TensorType] = {}
    for name, array in constants.items():
        elem = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        types[name] = TensorType(_dtype(elem), tuple(array.shape))
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        tensor = value.type.tensor_type
        shape = tuple(dim.dim_value for dim in tensor.shape.dim)
        if tensor.HasField("shape") and all(n > 0 for n in shape):
            types[value.name] = TensorType(_dtype(tensor.elem_type), shape)
    for value in model.graph.input:
        if value.name not in constants and types[value.name].dtype is not DType.FLOAT:
            findings.append(
                ModelError(
                    f"the graph input has element type {types[value.name].dtype.name}",
                    value=value.name,
                    hint="inputs must be float32",
                )
            )
        if value.name not in constants and not types[value.name].shape:
            findings.append(
                ModelError(
                    "the graph input has no axes",
                    value=value.name,
                    hint="a board's smallest tensor is [1]: export it with that shape",
                )
            )
    return types


def _dtype(elem_type: int) -> DType:
    try:
        return DType(elem_type)
    except ValueError:
        return DType.UNDEFINED


def _raw_nodes(graph: onnx.GraphProto, opset: int) -> Iterable[OnnxNode]:
    read = {value for node in graph.node for value in node.input}
    read.update(value.name for value in graph.output)
    for index, proto in enumerate(graph.node):
        attributes: dict[str, Attribute] = {}
        for attribute in proto.attribute:
            converted = _attribute(attribute)
            if converted is not None:
                attributes[attribute.name] = converted
        yield OnnxNode(
            name=proto.name or f"{proto.op_type}_{index}",
            op_type=proto.op_type,
            domain="" if proto.domain == "ai.onnx" else proto.domain,
            inputs=tuple(proto.input),
            outputs=_needed_outputs(proto, read, opset),
            attributes=attributes,
        )


def _needed_outputs(proto: onnx.NodeProto, read: set[str], opset: int) -> tuple[str, ...]:
    """The outputs without trailing optional ones that nobody reads."""
    outputs = list(proto.output)
    if len(outputs) > 1 and not proto.domain and onnx.defs.has(proto.op_type, opset):
        formal = onnx.defs.get_schema(proto.op_type, opset).outputs
        optional = onnx.defs.OpSchema.FormalParameterOption.Optional
        while 1 < len(outputs) <= len(formal):
            if formal[len(outputs) - 1].option != optional or outputs[-1] in read:
                break
            outputs.pop()
    return tuple(outputs)


def _attribute(proto: onnx.AttributeProto) -> Attribute | None:
    """The attribute as ours; ``None`` for kinds that no supported operator has."""
    value = onnx.helper.get_attribute_value(proto)
    match proto.type:
        case onnx.AttributeProto.FLOAT:
            return Attribute(AttributeKind.FLOAT, float(value))
        case onnx.AttributeProto.INT:
            return Attribute(AttributeKind.INT, int(value))
        case onnx.AttributeProto.STRING:
            return Attribute(AttributeKind.STRING, value.decode("utf-8", "replace"))
        case onnx.AttributeProto.FLOATS:
            return Attribute(AttributeKind.FLOATS, tuple(float(item) for item in value))
        case onnx.AttributeProto.INTS:
            return Attribute(AttributeKind.INTS, tuple(int(item) for item in value))
        case onnx.AttributeProto.STRINGS:
            texts = tuple(item.decode("utf-8", "replace") for item in value)
            return Attribute(AttributeKind.STRINGS, texts)
        case _:
            return None


def _unsupported_types(raw: OnnxNode, scope: Scope) -> list[ModelError]:
    """Findings for values of this node that a board has no type for."""
    findings: list[ModelError] = []
    for value in dict.fromkeys((*raw.inputs, *raw.outputs)):
        if not value or (value in raw.inputs and value not in scope.constants):
            continue
        known = scope.types.get(value)
        if known is None:
            findings.append(
                ModelError(
                    f"the output shape of {raw.op_type} is not static",
                    node=raw.name,
                    value=value,
                    hint="export the model with fixed shapes",
                )
            )
        elif known.dtype not in (*_FLOAT_TYPES, *_INDEX_TYPES):
            findings.append(
                ModelError(
                    f"element type {known.dtype.name} of {raw.op_type} is not supported",
                    node=raw.name,
                    value=value,
                    hint="export the model in float32",
                )
            )
    return findings


def _rewritten(raw: OnnxNode, scope: Scope, findings: list[ModelError]) -> Sequence[OnnxNode]:
    """The node in operators that ESP-DL has; empty where a finding says why not."""
    rewrite = None if raw.domain else REWRITES.get(raw.op_type)
    if rewrite is None:
        return (raw,)
    try:
        return rewrite(raw, scope)
    except ModelError as finding:
        findings.append(finding)
        return ()


def _parsed(raw: OnnxNode, scope: Scope, findings: list[ModelError]) -> Node | None:
    kind = OPERATORS.get(raw.op_type) or VISITORS.get(raw.op_type)
    if kind is None and Function.known(raw.op_type):
        kind = Function
    if kind is None or raw.domain:
        name = f"{raw.domain}.{raw.op_type}" if raw.domain else raw.op_type
        hint = HINTS.get(name, "")
        if raw.domain:
            hint = "operators outside the ONNX domain are not supported"
        findings.append(UnsupportedOperatorError(name, node=raw.name, opset=scope.opset, hint=hint))
        return None
    try:
        if kind.traits.multiplies and kind.traits.layout is LayoutRule.CHANNELS_LAST:
            raw = explicit_kernel(raw, scope)
        raw = _with_inputs(explicit_pads(raw, scope), kind.traits.attribute_inputs, scope)
        attributes = Attributes(raw.name, raw.op_type, raw.attributes, scope.opset)
        op = kind.from_attributes(attributes)
    except ModelError as finding:
        findings.append(finding)
        return None
    if all(value in scope.constants for value in raw.inputs if value):
        findings.append(
            ModelError(
                f"{raw.op_type} depends on no input",
                node=raw.name,
                hint="let the application hold constants, or fold them before the export",
            )
        )
        return None
    for index in kind.traits.index_inputs:
        value = raw.inputs[index] if index < len(raw.inputs) else ""
        if value and value not in scope.constants:
            findings.append(
                ModelError(
                    f"input {index} of {raw.op_type} is computed at run time",
                    node=raw.name,
                    value=value,
                    hint="shapes, axes and bounds must be constants",
                )
            )
            return None
    return Node(raw.name, op, raw.inputs, raw.outputs)


def _with_inputs(
    raw: OnnxNode, attribute_inputs: Sequence[tuple[str, int]], scope: Scope
) -> OnnxNode:
    """The node with what older opsets write as attributes given as constant inputs."""
    inputs = list(raw.inputs)
    remaining = dict(raw.attributes)
    for name, index in attribute_inputs:
        attribute = remaining.pop(name, None)
        if attribute is None or (index < len(inputs) and inputs[index]):
            continue
        floating = attribute.kind in (AttributeKind.FLOAT, AttributeKind.FLOATS)
        array = np.asarray(attribute.value, dtype=np.float32 if floating else np.int64)
        inputs += [""] * (index + 1 - len(inputs))
        inputs[index] = scope.add_constant(f"{raw.name}/{name}", array)
    return raw.changed(inputs=tuple(inputs), attributes=remaining)


def _with_unique_names(graph: Graph) -> Graph:
    """The graph with a suffix on node names that occur more than once."""
    taken: set[str] = set()
    nodes: list[Node] = []
    for node in graph.nodes:
        name, count = node.name, 1
        while name in taken:
            count += 1
            name = f"{node.name}_{count}"
        taken.add(name)
        nodes.append(Node(name, node.op, node.inputs, node.outputs))
    unique = Graph(
        graph.name, tuple(nodes), graph.inputs, graph.outputs, graph.types, graph.constants
    )
    unique.validate()
    return unique
