"""Field numbers of the ``.espdl`` flatbuffer schema; this file is the only place that holds them.

A field's number is its position in the table declaration: vtable slot ``4 + 2 * number``. Source:
esp-dl 12c0616 fbs_loader/espdl.fbs.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

from espdl_hil.ir.types import DType


class Field(NamedTuple):
    """One field of a flatbuffer table: its number and its name in the schema."""

    number: int
    name: str


class DimensionKind(IntEnum):
    """What a dimension of a value holds."""

    UNKNOWN = 0
    VALUE = 1
    PARAM = 2


class AttributeType(IntEnum):
    """Every attribute type of the schema; ``ir.attributes.AttributeKind`` holds those we model."""

    UNDEFINED = 0
    FLOAT = 1
    INT = 2
    STRING = 3
    TENSOR = 4
    GRAPH = 5
    FLOATS = 6
    INTS = 7
    STRINGS = 8
    TENSORS = 9
    GRAPHS = 10
    TYPE_PROTO = 11
    TYPE_PROTOS = 12


class TypeTag(IntEnum):
    """Tag of the union that describes the type of a value."""

    NONE = 0
    TENSOR = 1
    SEQUENCE = 2
    MAP = 3
    OPTIONAL = 4


DATA_LOCATION_DEFAULT = 0
RAW_BLOCK_BYTES = 16
"""Raw tensor data is a vector of blocks of this size, aligned to it from the payload's start."""


class Model:
    """Root table."""

    IR_VERSION = Field(0, "ir_version")
    OPSET_IMPORT = Field(1, "opset_import")
    PRODUCER_NAME = Field(2, "producer_name")
    PRODUCER_VERSION = Field(3, "producer_version")
    DOMAIN = Field(4, "domain")
    MODEL_VERSION = Field(5, "model_version")
    DOC_STRING = Field(6, "doc_string")
    GRAPH = Field(7, "graph")
    METADATA_PROPS = Field(8, "metadata_props")
    FUNCTIONS = Field(9, "functions")


class Graph:
    """Nodes, parameters, values and test vectors."""

    NODE = Field(0, "node")
    NAME = Field(1, "name")
    INITIALIZER = Field(2, "initializer")
    DOC_STRING = Field(3, "doc_string")
    INPUT = Field(4, "input")
    OUTPUT = Field(5, "output")
    VALUE_INFO = Field(6, "value_info")
    TEST_INPUTS_VALUE = Field(8, "test_inputs_value")
    TEST_OUTPUTS_VALUE = Field(9, "test_outputs_value")


class Node:
    """One operator call."""

    INPUT = Field(0, "input")
    OUTPUT = Field(1, "output")
    NAME = Field(2, "name")
    OP_TYPE = Field(3, "op_type")
    DOMAIN = Field(4, "domain")
    ATTRIBUTE = Field(5, "attribute")
    DOC_STRING = Field(6, "doc_string")


class Attribute:
    """One attribute of a node."""

    NAME = Field(0, "name")
    REF_ATTR_NAME = Field(1, "ref_attr_name")
    ATTR_TYPE = Field(3, "attr_type")
    F = Field(4, "f")
    I = Field(5, "i")  # noqa: E741 - the schema's name
    S = Field(6, "s")
    T = Field(7, "t")
    FLOATS = Field(10, "floats")
    INTS = Field(11, "ints")
    STRINGS = Field(12, "strings")


class Tensor:
    """A stored tensor."""

    DIMS = Field(0, "dims")
    DATA_TYPE = Field(1, "data_type")
    FLOAT_DATA = Field(2, "float_data")
    INT32_DATA = Field(3, "int32_data")
    STRING_DATA = Field(4, "string_data")
    INT64_DATA = Field(5, "int64_data")
    NAME = Field(6, "name")
    DOC_STRING = Field(7, "doc_string")
    RAW_DATA = Field(8, "raw_data")
    EXTERNAL_DATA = Field(9, "external_data")
    DATA_LOCATION = Field(10, "data_location")
    DOUBLE_DATA = Field(11, "double_data")
    UINT64_DATA = Field(12, "uint64_data")
    EXPONENTS = Field(13, "exponents")


class ValueInfo:
    """Type and exponent of one activation."""

    NAME = Field(0, "name")
    TYPE = Field(1, "value_info_type")
    DOC_STRING = Field(2, "doc_string")
    EXPONENTS = Field(3, "exponents")


class TypeInfo:
    """A tagged type; the union takes two numbers."""

    TAG = Field(0, "value_type")
    VALUE = Field(1, "value")


class TensorType:
    """Element type and shape."""

    ELEM_TYPE = Field(0, "elem_type")
    SHAPE = Field(1, "shape")


class Shape:
    """The dimensions of a type."""

    DIM = Field(0, "dim")


class Dimension:
    """One dimension."""

    VALUE = Field(0, "value")


class DimensionValue:
    """Number or name of a dimension."""

    DIM_TYPE = Field(0, "dim_type")
    DIM_VALUE = Field(1, "dim_value")
    DIM_PARAM = Field(2, "dim_param")


class StringStringEntry:
    """A key with its value."""

    KEY = Field(0, "key")
    VALUE = Field(1, "value")


class OperatorSetId:
    """An operator set that the model was written against."""

    DOMAIN = Field(0, "domain")
    VERSION = Field(1, "version")


TYPED_DATA: Mapping[DType, tuple[Field, str]] = MappingProxyType(
    {
        DType.FLOAT: (Tensor.FLOAT_DATA, "<f4"),
        DType.UINT8: (Tensor.INT32_DATA, "<i4"),
        DType.INT8: (Tensor.INT32_DATA, "<i4"),
        DType.UINT16: (Tensor.INT32_DATA, "<i4"),
        DType.INT16: (Tensor.INT32_DATA, "<i4"),
        DType.INT32: (Tensor.INT32_DATA, "<i4"),
        DType.BOOL: (Tensor.INT32_DATA, "<i4"),
        DType.INT64: (Tensor.INT64_DATA, "<i8"),
        DType.DOUBLE: (Tensor.DOUBLE_DATA, "<f8"),
        DType.UINT32: (Tensor.UINT64_DATA, "<u8"),
        DType.UINT64: (Tensor.UINT64_DATA, "<u8"),
    }
)
"""Where elements lie that are not raw data, and as which numpy type. FLOAT16 exists raw only."""
