"""A lowered model to ``.espdl`` bytes (EDL2).

The law of this file: equal models give equal bytes, ``read(write(x)) == x``, and what the board
could not load is refused here with its name.

Raw data start at multiples of 16 from the payload's start, and the payload's length is a multiple
of 16, so a 16-byte-aligned file can run from flash without copies. Graph inputs and outputs share
their tables with ``value_info``, where the board looks every activation up.

Source: esp-dl 12c0616 fbs_loader/espdl.fbs, dl/model/src/dl_memory_manager_greedy.cpp.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from math import prod

from espdl_hil.errors import ModelError
from espdl_hil.espdl import container, schema
from espdl_hil.espdl.builder import Data, Part, Scalar, Table, Text, Vector, build
from espdl_hil.ir.attributes import Attribute, AttributeKind
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.types import DType

_INT64_RANGE = range(-(1 << 63), 1 << 63)
_INT32_RANGE = range(-(1 << 31), 1 << 31)


def write(model: LoweredModel, *, key: bytes | None = None) -> bytes:
    """The EDL2 file of a model, encrypted (AES-128-CTR) where ``key`` is given.

    The format fixes the counter: a key may serve one model only.

    Raises:
        ModelError: a value without value info, data that do not match their dimensions, an integer
            or string that the format cannot hold; with the node or value.
        ConfigError: ``key`` is not 16 bytes.
    """
    return container.wrap_payload(build(_model(model)), key)


def write_pack(models: Mapping[str, LoweredModel], *, version: str = "v1.0") -> bytes:
    """A PDL3 pack of models by file name (``"face.espdl"``), in the order of the mapping.

    Args:
        models: lowered models by name.
        version: the pack's version, at most 15 ASCII characters.

    Raises:
        ModelError: as ``write``.
        ConfigError: ``version`` does not fit.
    """
    return container.pack_files(
        [(name, write(model)) for name, model in models.items()], version=version
    )


def _model(model: LoweredModel) -> Table:
    producer_name, producer_version = model.producer
    if model.ir_version not in _INT32_RANGE:
        raise ModelError(f"ir_version {model.ir_version} does not fit 32 bits")
    fields: list[tuple[schema.Field, Part]] = [
        (schema.Model.IR_VERSION, Scalar("i", model.ir_version)),
        (schema.Model.OPSET_IMPORT, Vector(tuple(map(_opset, model.opset_imports)))),
        *_optional(schema.Model.PRODUCER_NAME, producer_name),
        *_optional(schema.Model.PRODUCER_VERSION, producer_version),
        *_optional(schema.Model.DOMAIN, model.domain),
        *_optional(schema.Model.DOC_STRING, model.doc),
        (schema.Model.GRAPH, _graph(model)),
    ]
    if model.model_version:
        fields.append((schema.Model.MODEL_VERSION, _int64(model.model_version, "model_version")))
    if model.metadata:
        entries = tuple(
            Table(
                (
                    (schema.StringStringEntry.KEY, _text(key)),
                    (schema.StringStringEntry.VALUE, _text(value)),
                )
            )
            for key, value in model.metadata.items()
        )
        fields.append((schema.Model.METADATA_PROPS, Vector(entries)))
    return Table(tuple(fields))


def _opset(entry: tuple[str, int]) -> Table:
    domain, version = entry
    return Table(
        (
            (schema.OperatorSetId.DOMAIN, _text(domain)),
            (schema.OperatorSetId.VERSION, _int64(version, "opset version")),
        )
    )


def _graph(model: LoweredModel) -> Table:
    _require_value_info(model)
    values = {}
    for name, value in model.values.items():
        _require_key(name, value.name)
        values[name] = _value_info(value)
    for name, tensor in model.parameters.items():
        _require_key(name, tensor.name)
    return Table(
        (
            (schema.Graph.NODE, Vector(tuple(map(_node, model.nodes)))),
            (schema.Graph.NAME, _text(model.name)),
            (schema.Graph.INITIALIZER, Vector(tuple(map(_tensor, model.parameters.values())))),
            *_optional(schema.Graph.DOC_STRING, model.graph_doc),
            (schema.Graph.INPUT, Vector(tuple(values[name] for name in model.inputs))),
            (schema.Graph.OUTPUT, Vector(tuple(values[name] for name in model.outputs))),
            (schema.Graph.VALUE_INFO, Vector(tuple(values.values()))),
            (schema.Graph.TEST_INPUTS_VALUE, Vector(tuple(map(_tensor, model.test_inputs)))),
            (schema.Graph.TEST_OUTPUTS_VALUE, Vector(tuple(map(_tensor, model.test_outputs)))),
        )
    )


def _require_value_info(model: LoweredModel) -> None:
    """Check that every activation is described: the board looks dtype and exponent up by name."""
    for name in (*model.inputs, *model.outputs):
        if name not in model.values:
            raise ModelError("a graph input or output has no value info", value=name)
    for node in model.nodes:
        for name in node.outputs:
            if name and name not in model.values:
                raise ModelError("the output has no value info", node=node.name, value=name)


def _require_key(key: str, name: str) -> None:
    if key != name:
        raise ModelError(f"is stored under the other name {key!r}", value=name)


def _node(node: LoweredNode) -> Table:
    attributes = tuple(
        _attribute(node, name, node.attributes[name]) for name in sorted(node.attributes)
    )
    return Table(
        (
            (schema.Node.INPUT, _texts(node.inputs)),
            (schema.Node.OUTPUT, _texts(node.outputs)),
            (schema.Node.NAME, _text(node.name)),
            (schema.Node.OP_TYPE, _text(node.op_type)),
            *_optional(schema.Node.DOMAIN, node.domain),
            (schema.Node.ATTRIBUTE, Vector(attributes)),
            *_optional(schema.Node.DOC_STRING, node.doc),
        )
    )


def _attribute(node: LoweredNode, name: str, attribute: Attribute) -> Table:
    try:
        field, part = _attribute_value(attribute)
    except (TypeError, struct.error, OverflowError) as cause:
        raise ModelError(
            f"attribute {name!r} is {attribute.kind.name}, its value {attribute.value!r} is not",
            node=node.name,
        ) from cause
    return Table(
        (
            (schema.Attribute.NAME, _text(name)),
            (schema.Attribute.ATTR_TYPE, Scalar("i", attribute.kind)),
            (field, part),
        )
    )


def _attribute_value(attribute: Attribute) -> tuple[schema.Field, Part]:
    """Field and value; an exception of ``struct`` or ``TypeError`` where the kind does not fit."""
    value = attribute.value
    match attribute.kind, value:
        case AttributeKind.FLOAT, int() | float():
            struct.pack("<f", value)
            return schema.Attribute.F, Scalar("f", value)
        case AttributeKind.INT, int():
            struct.pack("<q", value)
            return schema.Attribute.I, Scalar("q", value)
        case AttributeKind.STRING, str() | bytes():
            octets = value if isinstance(value, bytes) else _text(value).octets
            return schema.Attribute.S, Data(octets, len(octets), 1)
        case AttributeKind.TENSOR, Tensor():
            return schema.Attribute.T, _tensor(value)
        case AttributeKind.FLOATS, tuple():
            packed = struct.pack(f"<{len(value)}f", *value)
            return schema.Attribute.FLOATS, Data(packed, len(value), 4)
        case AttributeKind.INTS, tuple():
            packed = struct.pack(f"<{len(value)}q", *value)
            return schema.Attribute.INTS, Data(packed, len(value), 8)
        case AttributeKind.STRINGS, tuple() if all(isinstance(item, str) for item in value):
            return schema.Attribute.STRINGS, _texts([str(item) for item in value])
        case _:
            raise TypeError(attribute.kind.name)


def _value_info(value: ValueInfo) -> Table:
    fields: list[tuple[schema.Field, Part]] = [
        (schema.TensorType.ELEM_TYPE, Scalar("i", value.dtype))
    ]
    if value.shape is not None:
        dims = Vector(tuple(_dimension(value, n) for n in value.shape))
        fields.append((schema.TensorType.SHAPE, Table(((schema.Shape.DIM, dims),))))
    info = Table(
        (
            (schema.TypeInfo.TAG, Scalar("B", schema.TypeTag.TENSOR)),
            (schema.TypeInfo.VALUE, Table(tuple(fields))),
        )
    )
    return Table(
        (
            (schema.ValueInfo.NAME, _text(value.name)),
            (schema.ValueInfo.TYPE, info),
            *_optional(schema.ValueInfo.DOC_STRING, value.doc),
            (schema.ValueInfo.EXPONENTS, _int64s(value.exponents, value.name)),
        )
    )


def _dimension(value: ValueInfo, n: int | str) -> Table:
    fields: tuple[tuple[schema.Field, Part], ...]
    if isinstance(n, str):
        kind = schema.DimensionKind.PARAM if n else schema.DimensionKind.UNKNOWN
        fields = tuple(_optional(schema.DimensionValue.DIM_PARAM, n))
    else:
        if n < 0:
            raise ModelError(f"shape {value.shape} has a negative dimension", value=value.name)
        kind = schema.DimensionKind.VALUE
        fields = ((schema.DimensionValue.DIM_VALUE, _int64(n, value.name)),)
    inner = Table((*fields, (schema.DimensionValue.DIM_TYPE, Scalar("b", kind))))
    return Table(((schema.Dimension.VALUE, inner),))


def _tensor(tensor: Tensor) -> Table:
    if any(n < 0 for n in tensor.dims):
        raise ModelError(f"dimensions {tensor.dims} are negative", value=tensor.name)
    return Table(
        (
            (schema.Tensor.DIMS, _int64s(tensor.dims, tensor.name)),
            (schema.Tensor.DATA_TYPE, Scalar("i", tensor.dtype)),
            _tensor_data(tensor),
            (schema.Tensor.NAME, _text(tensor.name)),
            *_optional(schema.Tensor.DOC_STRING, tensor.doc),
            (schema.Tensor.EXPONENTS, _int64s(tensor.exponents, tensor.name)),
        )
    )


def _tensor_data(tensor: Tensor) -> tuple[schema.Field, Part]:
    count = prod(tensor.dims)
    if tensor.dtype is DType.STRING:
        if tensor.data or len(tensor.strings) != count:
            raise ModelError(
                f"{len(tensor.strings)} strings do not fill dimensions {tensor.dims}",
                value=tensor.name,
            )
        return schema.Tensor.STRING_DATA, _texts(tensor.strings)
    wanted = count * tensor.dtype.numpy.itemsize
    if tensor.strings or len(tensor.data) != wanted:
        raise ModelError(
            f"{len(tensor.data)} bytes do not fill dimensions {tensor.dims} of "
            f"{tensor.dtype.name} ({wanted} bytes)",
            value=tensor.name,
        )
    if not count:
        field, _ = schema.TYPED_DATA.get(tensor.dtype, (schema.Tensor.RAW_DATA, ""))
        return field, Data(b"", 0, schema.RAW_BLOCK_BYTES)
    block = schema.RAW_BLOCK_BYTES
    return schema.Tensor.RAW_DATA, Data(tensor.data, -(-wanted // block), block)


def _text(text: str) -> Text:
    try:
        return Text(text.encode())
    except UnicodeEncodeError as cause:
        raise ModelError(f"{text!r} has no UTF-8 form") from cause


def _texts(texts: Sequence[str]) -> Vector:
    return Vector(tuple(map(_text, texts)))


def _optional(field: schema.Field, text: str) -> Sequence[tuple[schema.Field, Part]]:
    """A text field, left out where it is empty."""
    return ((field, _text(text)),) if text else ()


def _int64(value: int, name: str) -> Scalar:
    if value not in _INT64_RANGE:
        raise ModelError(f"{value} does not fit 64 bits", value=name)
    return Scalar("q", value)


def _int64s(values: Sequence[int], name: str) -> Data:
    for value in values:
        _int64(value, name)
    return Data(struct.pack(f"<{len(values)}q", *values), len(values), 8)
