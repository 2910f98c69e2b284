"""Lowered models for these tests: one small hand-made model, and any model by hypothesis."""

from __future__ import annotations

from math import prod

import numpy as np
from hypothesis import strategies as st

from espdl_hil.ir.attributes import Attribute, AttributeKind
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.types import DType

_INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_FLOAT32 = st.floats(width=32, allow_nan=False)
_SIZED = [dtype for dtype in DType if dtype not in (DType.UNDEFINED, DType.STRING)]


def small_model() -> LoweredModel:
    """A convolution with a filter, a bias, a lookup table, every kind of attribute, and vectors."""
    filter_data = np.arange(-40, 40, dtype=np.int8).reshape(1, 1, 5, 16)
    image = np.arange(45, dtype=np.int8).reshape(1, 3, 3, 5)
    node = LoweredNode(
        "conv",
        "Conv",
        ("image", "filter", "bias"),
        ("inner",),
        {
            "strides": Attribute.of((1, 1)),
            "quant_type": Attribute.of("S8"),
            "group": Attribute.of(1),
            "alpha": Attribute.of(0.5),
            "scales": Attribute.of((1.5, -2.25)),
            "modes": Attribute(AttributeKind.STRINGS, ("a", "ü")),
            "octets": Attribute(AttributeKind.STRING, b"\xff\x00"),
            "table": Attribute(AttributeKind.TENSOR, Tensor.of("t", np.arange(3.0))),
        },
    )
    activation = LoweredNode(
        "act", "Sigmoid", ("inner",), ("result",), {"lut": Attribute.of("table")}
    )
    values = (
        ValueInfo("image", DType.INT8, (1, 3, 3, 5), (-5,)),
        ValueInfo("inner", DType.INT8, (1, 3, 3, 16), (-4,)),
        ValueInfo("result", DType.INT8, (1, 3, "w", ""), (-7,), doc="probability"),
    )
    exponents = tuple(range(-16, 0))
    parameters = (
        Tensor.of("filter", filter_data, exponents=exponents, doc="layout ==> (N/16)HWC16"),
        Tensor.of("bias", np.arange(16, dtype=np.int32), exponents=exponents),
        Tensor.of("table", np.arange(256).astype(np.int8), exponents=(-7,)),
        Tensor.of("none", np.empty((0, 2), np.int64)),
        Tensor.of("half", np.array([0.5, 1.5], np.float16)),
        Tensor("words", DType.STRING, (2,), b"", strings=("eins", "zwei")),
    )
    return LoweredModel(
        name="small",
        nodes=(node, activation),
        inputs=("image",),
        outputs=("result",),
        values={value.name: value for value in values},
        parameters={tensor.name: tensor for tensor in parameters},
        test_inputs=(Tensor.of("image", image, exponents=(-5,)),),
        test_outputs=(Tensor.of("inner", np.zeros((1, 3, 3, 16), np.int8), exponents=(-4,)),),
        metadata={"target": "esp32p4"},
        model_version=3,
        opset_imports=(("", 18),),
        producer=("tests", "1"),
    )


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    """A tensor of any type and any small shape, empty and scalar ones included."""
    dims = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
    exponents = tuple(draw(st.lists(_INT64, max_size=3)))
    name, doc, count = draw(_TEXTS), draw(_TEXTS), prod(dims)
    if draw(st.booleans()):
        dtype = draw(st.sampled_from(_SIZED))
        size = count * dtype.numpy.itemsize
        return Tensor(name, dtype, dims, draw(st.randoms()).randbytes(size), exponents, (), doc)
    strings = tuple(draw(st.lists(_TEXTS, min_size=count, max_size=count)))
    return Tensor(name, DType.STRING, dims, b"", exponents, strings, doc)


@st.composite
def value_infos(draw: st.DrawFn) -> ValueInfo:
    """A value of any type, with known, symbolic, unknown or no dimensions."""
    dimension = st.integers(0, (1 << 63) - 1) | _TEXTS
    shape = draw(st.none() | st.lists(dimension, max_size=5).map(tuple))
    exponents = tuple(draw(st.lists(_INT64, max_size=3)))
    dtype = draw(st.sampled_from(DType))
    return ValueInfo(draw(_TEXTS), dtype, shape, exponents, draw(_TEXTS))


def _not_utf8(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return True
    return False


def attributes() -> st.SearchStrategy[Attribute]:
    """An attribute of any kind."""
    by_kind = {
        AttributeKind.FLOAT: _FLOAT32,
        AttributeKind.INT: _INT64,
        AttributeKind.STRING: _TEXTS | st.binary(min_size=1, max_size=9).filter(_not_utf8),
        AttributeKind.TENSOR: tensors(),
        AttributeKind.FLOATS: st.lists(_FLOAT32, max_size=4).map(tuple),
        AttributeKind.INTS: st.lists(_INT64, max_size=4).map(tuple),
        AttributeKind.STRINGS: st.lists(_TEXTS, max_size=4).map(tuple),
    }
    assert set(by_kind) == set(AttributeKind)
    return st.one_of(
        *(st.builds(Attribute, st.just(kind), values) for kind, values in by_kind.items())
    )


@st.composite
def lowered_models(draw: st.DrawFn) -> LoweredModel:
    """A model that holds together by name; its operators and attributes are arbitrary."""
    values = {value.name: value for value in draw(st.lists(value_infos(), min_size=1, max_size=5))}
    parameters = {tensor.name: tensor for tensor in draw(st.lists(tensors(), max_size=4))}
    names = st.sampled_from(sorted(values))
    name_lists = st.lists(names, max_size=3).map(tuple)
    nodes = st.builds(
        LoweredNode,
        _TEXTS,
        _TEXTS,
        st.lists(names | _TEXTS, max_size=4).map(tuple),
        name_lists,
        st.dictionaries(_TEXTS, attributes(), max_size=3),
        _TEXTS,
        _TEXTS,
    )
    return LoweredModel(
        name=draw(_TEXTS),
        nodes=tuple(draw(st.lists(nodes, max_size=4))),
        inputs=draw(name_lists),
        outputs=draw(name_lists),
        values=values,
        parameters=parameters,
        test_inputs=tuple(draw(st.lists(tensors(), max_size=2))),
        test_outputs=tuple(draw(st.lists(tensors(), max_size=2))),
        metadata=draw(st.dictionaries(_TEXTS, _TEXTS, max_size=3)),
        ir_version=draw(st.integers(-(1 << 31), (1 << 31) - 1)),
        model_version=draw(_INT64),
        opset_imports=tuple(draw(st.lists(st.tuples(_TEXTS, _INT64), max_size=2))),
        producer=(draw(_TEXTS), draw(_TEXTS)),
        domain=draw(_TEXTS),
        doc=draw(_TEXTS),
        graph_doc=draw(_TEXTS),
    )
