"""``.espdl`` bytes to a lowered model, for anybody's file.

The law of this file: whatever the bytes are, the answer is a model or a ``FormatError`` that names
byte offset and field.

What the lowered model has no place for is refused where it would change what the board computes
(sub-graphs, functions, types other than tensors, external data) and dropped where it is only a
remark (denotations, remarks on attributes, quantization annotations). FLOATS attributes are read as
the schema says, float32: esp-ppq stores float64 elements there, and the board, which trusts the
schema too, sees the same numbers as this reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from espdl_hil.errors import FormatError
from espdl_hil.espdl import container, schema
from espdl_hil.espdl.cursor import Cursor, Table
from espdl_hil.ir.attributes import Attribute, AttributeKind, AttributeValue
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.types import DType

_T = TypeVar("_T")

_NO_EXPONENTS = (0,)
_MAX_ELEMENTS = 1 << 40


def members(data: bytes) -> tuple[str, ...]:
    """The names of the models in ``data``; a single file holds one, called ``""``.

    Raises:
        FormatError: the container is malformed.
    """
    return tuple(member.name for member in container.list_members(data))


def read(data: bytes, *, member: str | int = 0, key: bytes | None = None) -> LoweredModel:
    """Read one model of an ``.espdl`` file or pack.

    Args:
        data: the whole file (EDL1, EDL2, or a PDL1 to PDL3 pack).
        member: which model of a pack, by name or index.
        key: 16 bytes, for an encrypted payload.

    Raises:
        FormatError: malformed bytes, an encrypted payload without ``key``, or no such member.
        ConfigError: ``key`` is not 16 bytes.
    """
    found = container.list_members(data)
    if isinstance(member, int):
        chosen = found[member] if 0 <= member < len(found) else None
    else:
        chosen = next((entry for entry in found if entry.name == member), None)
    if chosen is None:
        names = ", ".join(repr(entry.name) for entry in found) or "none"
        raise FormatError(f"no member {member!r}", offset=0, field="pack", hint=f"members: {names}")
    return _read_member(data, chosen, key)


def read_all(data: bytes, *, key: bytes | None = None) -> tuple[LoweredModel, ...]:
    """Read every model of a file or pack, in the order of ``members``.

    Raises:
        FormatError: as ``read``.
    """
    return tuple(_read_member(data, member, key) for member in container.list_members(data))


def read_file(path: str | Path, *, member: str | int = 0, key: bytes | None = None) -> LoweredModel:
    """Read one model of the file at ``path``, as ``read`` does.

    Raises:
        FormatError: as ``read``.
        OSError: the file cannot be read.
    """
    return read(Path(path).read_bytes(), member=member, key=key)


def _read_member(data: bytes, member: container.Member, key: bytes | None) -> LoweredModel:
    payload = container.open_member(data, member, key)
    hint = "the key may be wrong" if payload.encrypted else ""
    return _model(Cursor(payload.data, base=payload.offset, hint=hint).root())


def _model(root: Table) -> LoweredModel:
    if any(True for _ in root.tables(schema.Model.FUNCTIONS)):
        raise root.error("model functions are not supported", schema.Model.FUNCTIONS)
    graph = root.table(schema.Model.GRAPH)
    if graph is None:
        raise root.error("the model has no graph")
    values = _by_name(map(_value_info, graph.tables(schema.Graph.VALUE_INFO)), graph)
    inputs = _declared(graph, schema.Graph.INPUT, values)
    outputs = _declared(graph, schema.Graph.OUTPUT, values)
    parameters = _by_name(map(_tensor, graph.tables(schema.Graph.INITIALIZER)), graph)
    return LoweredModel(
        name=graph.text(schema.Graph.NAME) or "",
        nodes=tuple(map(_node, graph.tables(schema.Graph.NODE))),
        inputs=inputs,
        outputs=outputs,
        values=MappingProxyType(values),
        parameters=MappingProxyType(parameters),
        test_inputs=tuple(map(_tensor, graph.tables(schema.Graph.TEST_INPUTS_VALUE))),
        test_outputs=tuple(map(_tensor, graph.tables(schema.Graph.TEST_OUTPUTS_VALUE))),
        metadata=_metadata(root),
        ir_version=root.scalar(schema.Model.IR_VERSION, "i") or 0,
        model_version=root.scalar(schema.Model.MODEL_VERSION, "q") or 0,
        opset_imports=tuple(
            (
                entry.text(schema.OperatorSetId.DOMAIN) or "",
                entry.scalar(schema.OperatorSetId.VERSION, "q") or 0,
            )
            for entry in root.tables(schema.Model.OPSET_IMPORT)
        ),
        producer=(
            root.text(schema.Model.PRODUCER_NAME) or "",
            root.text(schema.Model.PRODUCER_VERSION) or "",
        ),
        domain=root.text(schema.Model.DOMAIN) or "",
        doc=root.text(schema.Model.DOC_STRING) or "",
        graph_doc=graph.text(schema.Graph.DOC_STRING) or "",
    )


def _metadata(root: Table) -> Mapping[str, str]:
    entries: dict[str, str] = {}
    for entry in root.tables(schema.Model.METADATA_PROPS):
        key = entry.text(schema.StringStringEntry.KEY) or ""
        if key in entries:
            raise entry.error(f"key {key!r} occurs twice", schema.StringStringEntry.KEY)
        entries[key] = entry.text(schema.StringStringEntry.VALUE) or ""
    return MappingProxyType(entries)


_Named = TypeVar("_Named", Tensor, ValueInfo)


def _by_name(items: Iterable[_Named], graph: Table) -> dict[str, _Named]:
    found: dict[str, _Named] = {}
    for item in items:
        if item.name in found:
            raise graph.error(f"{type(item).__name__} {item.name!r} occurs twice")
        found[item.name] = item
    return found


def _declared(graph: Table, field: schema.Field, values: dict[str, ValueInfo]) -> tuple[str, ...]:
    """Names of graph inputs or outputs; their own type serves where ``value_info`` lacks them.

    Where both exist, ``value_info`` counts, as it does on the board.
    """
    names = []
    for table in graph.tables(field):
        name = table.text(schema.ValueInfo.NAME) or ""
        if name not in values:
            values[name] = _value_info(table)
        names.append(name)
    return tuple(names)


def _node(table: Table) -> LoweredNode:
    attributes: dict[str, Attribute] = {}
    for entry in table.tables(schema.Node.ATTRIBUTE):
        name = entry.text(schema.Attribute.NAME) or ""
        if name in attributes:
            raise entry.error(f"attribute {name!r} occurs twice", schema.Attribute.NAME)
        attributes[name] = _attribute(entry)
    return LoweredNode(
        name=table.text(schema.Node.NAME) or "",
        op_type=table.text(schema.Node.OP_TYPE) or "",
        inputs=tuple(table.texts(schema.Node.INPUT)),
        outputs=tuple(table.texts(schema.Node.OUTPUT)),
        attributes=MappingProxyType(attributes),
        domain=table.text(schema.Node.DOMAIN) or "",
        doc=table.text(schema.Node.DOC_STRING) or "",
    )


def _attribute(table: Table) -> Attribute:
    if table.text(schema.Attribute.REF_ATTR_NAME):
        raise table.error(
            "a reference to a function's attribute is not supported", schema.Attribute.REF_ATTR_NAME
        )
    number = table.scalar(schema.Attribute.ATTR_TYPE, "i") or 0
    try:
        kind = AttributeKind(number)
    except ValueError:
        known = schema.AttributeType
        name = known(number).name if number in set(known) else str(number)
        raise table.error(
            f"attributes of kind {name} are not supported", schema.Attribute.ATTR_TYPE
        ) from None
    field, parse = _ATTRIBUTE_VALUE[kind]
    if field not in table:
        raise table.error(f"the {kind.name} attribute has no value", field)
    return Attribute(kind, parse(table))


def _present(value: _T | None) -> _T:
    assert value is not None  # ``_attribute`` has seen the field
    return value


def _string(table: Table) -> str | bytes:
    octets = bytes(_present(table.octets(schema.Attribute.S)))
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets


_ATTRIBUTE_VALUE: Mapping[AttributeKind, tuple[schema.Field, Callable[[Table], AttributeValue]]] = (
    MappingProxyType(
        {
            AttributeKind.FLOAT: (
                schema.Attribute.F,
                lambda table: _present(table.real(schema.Attribute.F)),
            ),
            AttributeKind.INT: (
                schema.Attribute.I,
                lambda table: _present(table.scalar(schema.Attribute.I, "q")),
            ),
            AttributeKind.STRING: (schema.Attribute.S, _string),
            AttributeKind.TENSOR: (
                schema.Attribute.T,
                lambda table: _tensor(_present(table.table(schema.Attribute.T))),
            ),
            AttributeKind.FLOATS: (
                schema.Attribute.FLOATS,
                lambda table: tuple(
                    _present(table.numbers(schema.Attribute.FLOATS, "<f4")).tolist()
                ),
            ),
            AttributeKind.INTS: (
                schema.Attribute.INTS,
                lambda table: tuple(_present(table.numbers(schema.Attribute.INTS, "<i8")).tolist()),
            ),
            AttributeKind.STRINGS: (
                schema.Attribute.STRINGS,
                lambda table: tuple(table.texts(schema.Attribute.STRINGS)),
            ),
        }
    )
)


def _exponents(table: Table, field: schema.Field) -> tuple[int, ...]:
    stored = table.numbers(field, "<i8")
    return _NO_EXPONENTS if stored is None else tuple(stored.tolist())


def _dtype(table: Table, field: schema.Field) -> DType:
    number = table.scalar(field, "i") or 0
    try:
        return DType(number)
    except ValueError:
        raise table.error(f"unknown element type {number}", field) from None


def _value_info(table: Table) -> ValueInfo:
    dtype, shape = DType.UNDEFINED, None
    info = table.table(schema.ValueInfo.TYPE)
    if info is not None:
        tag = info.scalar(schema.TypeInfo.TAG, "B") or 0
        if tag not in (schema.TypeTag.NONE, schema.TypeTag.TENSOR):
            name = schema.TypeTag(tag).name if tag in set(schema.TypeTag) else str(tag)
            raise info.error(f"values of type {name} are not supported", schema.TypeInfo.TAG)
        tensor = info.table(schema.TypeInfo.VALUE) if tag else None
        if tensor is not None:
            dtype = _dtype(tensor, schema.TensorType.ELEM_TYPE)
            shape = _shape(tensor.table(schema.TensorType.SHAPE))
    return ValueInfo(
        name=table.text(schema.ValueInfo.NAME) or "",
        dtype=dtype,
        shape=shape,
        exponents=_exponents(table, schema.ValueInfo.EXPONENTS),
        doc=table.text(schema.ValueInfo.DOC_STRING) or "",
    )


def _shape(table: Table | None) -> tuple[int | str, ...] | None:
    return None if table is None else tuple(map(_dimension, table.tables(schema.Shape.DIM)))


def _dimension(table: Table) -> int | str:
    """A number, a symbol, or ``""`` where the file says that nothing is known."""
    value = table.table(schema.Dimension.VALUE)
    if value is None:
        return ""
    kind = value.scalar(schema.DimensionValue.DIM_TYPE, "b") or 0
    if kind == schema.DimensionKind.UNKNOWN:
        return ""
    if kind == schema.DimensionKind.PARAM:
        return value.text(schema.DimensionValue.DIM_PARAM) or ""
    if kind != schema.DimensionKind.VALUE:
        raise value.error(f"unknown kind {kind} of dimension", schema.DimensionValue.DIM_TYPE)
    number = value.scalar(schema.DimensionValue.DIM_VALUE, "q") or 0
    if number < 0:
        raise value.error(f"the dimension is {number}", schema.DimensionValue.DIM_VALUE)
    return number


def _tensor(table: Table) -> Tensor:
    if table.scalar(schema.Tensor.DATA_LOCATION, "i") or schema.Tensor.EXTERNAL_DATA in table:
        raise table.error("data outside the file are not supported", schema.Tensor.DATA_LOCATION)
    dtype = _dtype(table, schema.Tensor.DATA_TYPE)
    if dtype is DType.UNDEFINED:
        raise table.error("a tensor needs an element type", schema.Tensor.DATA_TYPE)
    dims = _tensor_dims(table)
    count = 1
    for n in dims:
        count *= n
    strings: tuple[str, ...] = ()
    data = b""
    if dtype is DType.STRING:
        strings = tuple(table.texts(schema.Tensor.STRING_DATA))
        _expect_count(table, schema.Tensor.STRING_DATA, len(strings), count)
    elif schema.Tensor.RAW_DATA in table:
        data = _raw_data(table, dtype, count)
    else:
        data = _typed_data(table, dtype, count)
    return Tensor(
        name=table.text(schema.Tensor.NAME) or "",
        dtype=dtype,
        dims=dims,
        data=data,
        exponents=_exponents(table, schema.Tensor.EXPONENTS),
        strings=strings,
        doc=table.text(schema.Tensor.DOC_STRING) or "",
    )


def _tensor_dims(table: Table) -> tuple[int, ...]:
    stored = table.numbers(schema.Tensor.DIMS, "<i8")
    dims: tuple[int, ...] = () if stored is None else tuple(stored.tolist())
    elements = 1
    for n in dims:
        elements *= max(n, 1)
        if n < 0 or elements > _MAX_ELEMENTS:
            raise table.error("dimensions are negative or too large", schema.Tensor.DIMS)
    return dims


def _raw_data(table: Table, dtype: DType, count: int) -> bytes:
    blocks = table.octets(schema.Tensor.RAW_DATA, block=schema.RAW_BLOCK_BYTES)
    octets = b"" if blocks is None else blocks
    wanted = count * dtype.numpy.itemsize
    if len(octets) < wanted:
        raise table.error(
            f"{len(octets)} bytes cannot hold {count} elements of {dtype.name} ({wanted} bytes)",
            schema.Tensor.RAW_DATA,
        )
    return bytes(octets[:wanted])


def _typed_data(table: Table, dtype: DType, count: int) -> bytes:
    """Elements stored one by one in the field of their type, as raw bytes."""
    if dtype not in schema.TYPED_DATA:  # FLOAT16 exists as raw data only
        _expect_count(table, schema.Tensor.RAW_DATA, 0, count)
        return b""
    field, code = schema.TYPED_DATA[dtype]
    stored = table.numbers(field, code)
    elements = np.empty(0, code) if stored is None else stored
    _expect_count(table, field, len(elements), count)
    converted = elements.astype(dtype.numpy)
    # Same-width types keep their bits, so only narrowing can lose something.
    narrowed = converted.dtype.itemsize < elements.dtype.itemsize and dtype is not DType.BOOL
    if narrowed and not np.array_equal(converted.astype(code), elements):
        raise table.error(f"an element does not fit {dtype.name}", field)
    return converted.tobytes()


def _expect_count(table: Table, field: schema.Field, got: int, expected: int) -> None:
    if got != expected:
        raise table.error(f"{got} elements, the dimensions say {expected}", field)
