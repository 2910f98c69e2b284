"""Malformed bytes give a ``FormatError`` with offset and field: nothing else, and in bounds."""

from __future__ import annotations

import random
import struct
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espdl_hil.errors import FormatError
from espdl_hil.espdl import container, read, schema, write
from espdl_hil.espdl.builder import Data, Part, Scalar, Table, Text, Vector, build
from espdl_hil.ir.types import DType
from tests.espdl.models import small_model
from tests.support import golden

_HEADER = 16
_MUTATIONS = 6000
_WILD = (0, 1, 4, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)


def _refusal(data: bytes) -> FormatError | None:
    """The error that reading ``data`` gives; every other exception escapes."""
    try:
        read(data)
    except FormatError as error:
        return error
    return None


def _read_or_refuse(data: bytes) -> bool:
    """Whether ``data`` is a model; a refusal must say where and what."""
    error = _refusal(data)
    if error is None:
        return True
    assert 0 <= error.offset <= len(data)
    assert error.field
    assert f"offset {error.offset} ({error.field})" in str(error)
    return False


def test_every_cut_of_a_file_is_refused() -> None:
    data = write(small_model())
    for size in range(len(data)):
        assert not _read_or_refuse(data[:size])


def test_every_cut_of_a_payload_is_a_model_or_refused() -> None:
    payload = write(small_model())[_HEADER:]
    accepted = [
        size
        for size in range(len(payload))
        if _read_or_refuse(container.wrap_payload(payload[:size]))
    ]
    # Only zeros that pad the end can be missed.
    assert all(not any(payload[size:]) for size in accepted)


def test_every_flipped_bit_is_a_model_or_refused() -> None:
    data = bytearray(write(small_model()))
    refused = 0
    for position in range(len(data)):
        for bit in (0, 3, 7):
            data[position] ^= 1 << bit
            refused += not _read_or_refuse(bytes(data))
            data[position] ^= 1 << bit
    assert refused > len(data) // 4


def test_every_word_replaced_by_a_wild_one_is_a_model_or_refused() -> None:
    data = bytearray(write(small_model()))
    for position in range(0, len(data) - 3, 4):
        kept = data[position : position + 4]
        for wild in (*_WILD, len(data), len(data) - position):
            struct.pack_into("<I", data, position, wild)
            _read_or_refuse(bytes(data))
        data[position : position + 4] = kept


def _mutate(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(changed))
        match rng.randrange(5):
            case 0:
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                changed[at] = rng.randrange(256)
            case 2:
                at = min(at & ~3, len(changed) - 4)
                struct.pack_into("<I", changed, at, rng.choice((*_WILD, len(changed), at)))
            case 3:
                size, source = rng.randrange(1, 33), rng.randrange(len(changed))
                changed[at : at + size] = changed[source : source + size]
            case _:
                size = rng.randrange(1, 33)
                changed[at : at + size] = bytes(len(changed[at : at + size]))
    return bytes(changed)


def test_seeded_mutations_of_our_file_are_models_or_refused() -> None:
    data, rng = write(small_model()), random.Random(1)
    accepted = sum(_read_or_refuse(_mutate(data, rng)) for _ in range(_MUTATIONS))
    assert 0 < accepted < _MUTATIONS


def test_seeded_mutations_of_golden_files_are_models_or_refused() -> None:
    rng = random.Random(2)
    files = [case.path.read_bytes() for suite in golden.SUITES[:6] for case in golden.cases(suite)]
    small = [data for data in rng.sample(files, 200) if len(data) < 6000][:60]
    for data in small:
        for _ in range(_MUTATIONS // 60):
            _read_or_refuse(_mutate(data, rng))


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(payload=st.binary(max_size=200), magic=st.sampled_from([b"EDL1", b"EDL2"]))
def test_arbitrary_payloads_are_refused(payload: bytes, magic: bytes) -> None:
    header = struct.pack("<4sII", magic, 0, len(payload)) + bytes(4 if magic == b"EDL2" else 0)
    assert not _read_or_refuse(header + payload)


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(data=st.binary(max_size=200), magic=st.sampled_from([b"PDL1", b"PDL2", b"PDL3", b""]))
def test_arbitrary_packs_are_refused(data: bytes, magic: bytes) -> None:
    assert not _read_or_refuse(magic + data)


# What a flatbuffer can say that no honest file says, made with the builder.


def _file(graph: dict[schema.Field, Part], **model: Part) -> bytes:
    fields = {schema.Model.GRAPH: Table(tuple(graph.items()))}
    fields |= {getattr(schema.Model, name): part for name, part in model.items()}
    return container.wrap_payload(build(Table(tuple(fields.items()))))


def _text(text: str) -> Text:
    return Text(text.encode())


def _int64s(*values: int) -> Data:
    return Data(struct.pack(f"<{len(values)}q", *values), len(values), 8)


def _raw(octets: bytes) -> Data:
    return Data(octets, -(-len(octets) // 16), 16)


def _tensor(*changes: tuple[schema.Field, Part | None], name: str = "t") -> Table:
    fields: dict[schema.Field, Part | None] = {
        schema.Tensor.NAME: _text(name),
        schema.Tensor.DIMS: _int64s(20),
        schema.Tensor.DATA_TYPE: Scalar("i", DType.INT8),
        schema.Tensor.RAW_DATA: _raw(bytes(20)),
        **dict(changes),
    }
    return Table(tuple((field, part) for field, part in fields.items() if part is not None))


def _tensor_file(*changes: tuple[schema.Field, Part | None]) -> bytes:
    return _file({schema.Graph.INITIALIZER: Vector((_tensor(*changes),))})


def _attribute_file(*fields: tuple[schema.Field, Part]) -> bytes:
    attribute = Table(((schema.Attribute.NAME, _text("a")), *fields))
    node = Table(((schema.Node.ATTRIBUTE, Vector((attribute,))),))
    return _file({schema.Graph.NODE: Vector((node,))})


def _value_file(*fields: tuple[schema.Field, Part], dim: Table | None = None) -> bytes:
    if dim is not None:
        dims = Vector((Table(((schema.Dimension.VALUE, dim),)),))
        shape = Table(((schema.Shape.DIM, dims),))
        fields = (
            (schema.TypeInfo.TAG, Scalar("B", 1)),
            (schema.TypeInfo.VALUE, Table(((schema.TensorType.SHAPE, shape),))),
        )
    value = Table(((schema.ValueInfo.TYPE, Table(fields)),))
    return _file({schema.Graph.VALUE_INFO: Vector((value,))})


_KIND = schema.Attribute.ATTR_TYPE
_STRAY = Table(())


@pytest.mark.parametrize(
    ("data", "field", "message"),
    [
        (_tensor_file((schema.Tensor.DIMS, _int64s(33))), "raw_data", "32 bytes cannot hold 33"),
        (_tensor_file((schema.Tensor.DIMS, _int64s(-1))), "dims", "negative"),
        (_tensor_file((schema.Tensor.DIMS, _int64s(1 << 40, 2))), "dims", "too large"),
        (_tensor_file((schema.Tensor.DIMS, _int64s(0, 1 << 62))), "dims", "too large"),
        (_tensor_file((schema.Tensor.DATA_TYPE, Scalar("i", 14))), "data_type", "type 14"),
        (_tensor_file((schema.Tensor.DATA_TYPE, Scalar("i", -1))), "data_type", "type -1"),
        (_tensor_file((schema.Tensor.DATA_TYPE, None)), "data_type", "needs an element type"),
        (_tensor_file((schema.Tensor.RAW_DATA, None)), "int32_data", "0 elements.* 20"),
        (
            _tensor_file((schema.Tensor.RAW_DATA, Data(bytes(32), 2, 4))),
            "raw_data",
            "not aligned to 16",
        ),
        (_tensor_file((schema.Tensor.DATA_LOCATION, Scalar("i", 1))), "data_location", "outside"),
        (_tensor_file((schema.Tensor.EXTERNAL_DATA, Vector(()))), "data_location", "outside"),
        (_tensor_file((schema.Tensor.NAME, Text(b"\xff"))), "name", "UTF-8"),
        (
            _tensor_file(
                (schema.Tensor.RAW_DATA, None),
                (schema.Tensor.DIMS, _int64s(1)),
                (schema.Tensor.INT32_DATA, Data(struct.pack("<i", 128), 1, 4)),
            ),
            "int32_data",
            "does not fit INT8",
        ),
        (_attribute_file((_KIND, Scalar("i", 5))), "attr_type", "GRAPH are not supported"),
        (_attribute_file((_KIND, Scalar("i", 99))), "attr_type", "99 are not supported"),
        (_attribute_file((_KIND, Scalar("i", 2))), "i", "INT attribute has no value"),
        (
            _attribute_file((schema.Attribute.REF_ATTR_NAME, _text("x"))),
            "ref_attr_name",
            "function's attribute",
        ),
        (_value_file((schema.TypeInfo.TAG, Scalar("B", 2))), "value_type", "SEQUENCE"),
        (_value_file((schema.TypeInfo.TAG, Scalar("B", 77))), "value_type", "77"),
        (
            _value_file(dim=Table(((schema.DimensionValue.DIM_TYPE, Scalar("b", 3)),))),
            "dim_type",
            "kind 3",
        ),
        (
            _value_file(
                dim=Table(
                    (
                        (schema.DimensionValue.DIM_TYPE, Scalar("b", 1)),
                        (schema.DimensionValue.DIM_VALUE, Scalar("q", -5)),
                    )
                )
            ),
            "dim_value",
            "-5",
        ),
        (_file({}, FUNCTIONS=Vector((_STRAY,))), "functions", "not supported"),
        (
            _file({schema.Graph.INITIALIZER: Vector((_tensor(), _tensor()))}),
            "graph",
            "Tensor 't' occurs twice",
        ),
        (container.wrap_payload(build(_STRAY)), "model", "no graph"),
    ],
)
def test_what_no_board_could_run_is_named(data: bytes, field: str, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        read(data)
    assert caught.value.field.split(".")[-1] == field
    assert _HEADER <= caught.value.offset < len(data)


def test_typed_elements_are_read_where_raw_ones_are_missing() -> None:
    octets = struct.pack("<3i", -128, 127, 5)
    tensor = _tensor(
        (schema.Tensor.RAW_DATA, None),
        (schema.Tensor.DIMS, _int64s(3)),
        (schema.Tensor.INT32_DATA, Data(octets, 3, 4)),
    )
    model = read(_file({schema.Graph.INITIALIZER: Vector((tensor,))}))
    assert model.parameters["t"].array().tolist() == [-128, 127, 5]


def test_a_graph_input_that_value_info_lacks_is_described_by_its_own_type() -> None:
    value = Table(((schema.ValueInfo.NAME, _text("x")),))
    model = read(_file({schema.Graph.INPUT: Vector((value,))}))
    assert model.inputs == ("x",)
    assert model.values["x"].dtype is DType.UNDEFINED


def _many_tensors() -> bytes:
    """Thousands of parameters that all point to one block of data."""
    shared = _raw(bytes(200_000))
    changes = ((schema.Tensor.DIMS, _int64s(200_000)), (schema.Tensor.RAW_DATA, shared))
    vector = Vector(tuple(_tensor(*changes, name=f"t{index}") for index in range(2000)))
    return _file({schema.Graph.INITIALIZER: vector})


def _many_nodes() -> bytes:
    """One node, tens of thousands of times."""
    node = Table(((schema.Node.NAME, _text("n")),))
    return _file({schema.Graph.NODE: Vector((node,) * 50_000)})


def _many_long_vectors() -> bytes:
    """One node with one long list of inputs, hundreds of times."""
    inputs = Vector((_text("input"),) * 50_000)
    node = Table(((schema.Node.INPUT, inputs),))
    return _file({schema.Graph.NODE: Vector((node,) * 1000)})


def _many_long_lists() -> bytes:
    """One attribute with a long list of integers, in hundreds of nodes."""
    fields = (
        (schema.Attribute.NAME, _text("a")),
        (_KIND, Scalar("i", 7)),
        (schema.Attribute.INTS, Data(bytes(400_000), 50_000, 8)),
    )
    node = Table(((schema.Node.ATTRIBUTE, Vector((Table(fields),))),))
    return _file({schema.Graph.NODE: Vector((node,) * 1000)})


@pytest.mark.parametrize(
    "attack",
    [_many_tensors, _many_nodes, _many_long_vectors, _many_long_lists],
    ids=lambda attack: attack.__name__.strip("_"),
)
def test_bytes_that_are_referred_to_again_and_again_are_refused(
    attack: Callable[[], bytes],
) -> None:
    data = attack()
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="too often"):
            read(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * len(data)


def test_value_info_counts_where_a_graph_input_contradicts_it() -> None:
    told, used = (
        Table(
            (
                (schema.ValueInfo.NAME, _text("x")),
                (schema.ValueInfo.EXPONENTS, _int64s(exponent)),
            )
        )
        for exponent in (3, -4)
    )
    model = read(
        _file({schema.Graph.INPUT: Vector((told,)), schema.Graph.VALUE_INFO: Vector((used,))})
    )
    assert model.values["x"].exponents == (-4,)
