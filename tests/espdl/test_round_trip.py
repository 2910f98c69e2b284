"""What is written is read back equal, byte by byte reproducible, and laid out for the board."""

from __future__ import annotations

import dataclasses
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from espdl_hil.errors import ModelError
from espdl_hil.espdl import read, write
from espdl_hil.ir.attributes import Attribute, AttributeKind
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.types import DType
from tests.espdl.models import lowered_models, small_model

_SETTINGS = settings(
    max_examples=200,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@_SETTINGS
@given(model=lowered_models())
def test_any_model_is_read_as_it_was_written(model: LoweredModel) -> None:
    assert read(write(model)) == model


@_SETTINGS
@given(model=lowered_models())
def test_equal_models_give_equal_bytes(model: LoweredModel) -> None:
    data = write(model)
    assert write(read(data)) == data


def test_the_small_model_is_read_as_it_was_written() -> None:
    model = read(write(small_model()))
    assert model == small_model()
    assert model.parameters["filter"].array().tolist() == [
        [np.arange(-40, 40).reshape(5, 16).tolist()]
    ]
    assert list(model.parameters) == list(small_model().parameters)
    assert list(model.values) == list(small_model().values)


def test_raw_data_and_payload_are_aligned_to_16_bytes() -> None:
    data = write(small_model())
    magic, mode, length, reserved = struct.unpack_from("<4sIII", data)
    assert (magic, mode, length, reserved) == (b"EDL2", 0, len(data) - 16, 0)
    assert length % 16 == 0
    for tensor in small_model().parameters.values():
        if len(tensor.data) >= 16:
            assert data.index(tensor.data) % 16 == 0


def test_attribute_order_does_not_change_the_bytes() -> None:
    model = small_model()
    node = model.nodes[0]
    backwards = dict(reversed(node.attributes.items()))
    turned = dataclasses.replace(node, attributes=backwards)
    assert write(dataclasses.replace(model, nodes=(turned, *model.nodes[1:]))) == write(model)


def test_a_string_that_is_used_often_costs_its_bytes_once() -> None:
    words = Tensor("w", DType.STRING, (5000,), b"", strings=("word" * 25,) * 5000)
    model = dataclasses.replace(small_model(), parameters={"w": words})
    data = write(model)
    assert len(data) < 4 * 5000 + 4000
    assert read(data) == model


def test_a_double_attribute_is_rounded_to_float32() -> None:
    attributes = {"x": Attribute.of(0.1), "xs": Attribute.of((0.1, 0.2))}
    node = dataclasses.replace(small_model().nodes[0], attributes=attributes)
    model = dataclasses.replace(small_model(), nodes=(node,))
    found = read(write(model)).nodes[0].attributes
    assert found["x"].value == float(np.float32(0.1))
    assert found["xs"].value == (float(np.float32(0.1)), float(np.float32(0.2)))


def _with_node(**changes: object) -> LoweredModel:
    model = small_model()
    node = dataclasses.replace(model.nodes[0], **changes)
    return dataclasses.replace(model, nodes=(node, *model.nodes[1:]))


def _with_tensor(**changes: object) -> LoweredModel:
    model = small_model()
    tensor = dataclasses.replace(model.parameters["bias"], **changes)
    return dataclasses.replace(model, parameters={"bias": tensor})


def _with_value(value: ValueInfo) -> LoweredModel:
    model = small_model()
    return dataclasses.replace(model, values={**model.values, value.name: value})


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (_with_node(outputs=("nowhere",)), "node 'conv', value 'nowhere'.*no value info"),
        (dataclasses.replace(small_model(), inputs=("x",)), "value 'x'.*no value info"),
        (_with_tensor(data=b"1234"), r"value 'bias'.*4 bytes do not fill .*\(16,\).*64 bytes"),
        (_with_tensor(dims=(-4, -4)), "value 'bias'.*negative"),
        (_with_tensor(strings=("x",)), "value 'bias'.*do not fill"),
        (_with_tensor(name="other"), "value 'other'.*other name 'bias'"),
        (_with_tensor(exponents=(1 << 63,)), "value 'bias'.*64 bits"),
        (_with_tensor(dtype=DType.STRING), "value 'bias'.*0 strings"),
        (_with_value(ValueInfo("v", DType.INT8, (-1,))), "value 'v'.*negative"),
        (_with_value(ValueInfo("v", DType.INT8, (1 << 63,))), "value 'v'.*64 bits"),
        (_with_node(attributes={"a": Attribute(AttributeKind.INT, "1")}), "'a' is INT"),
        (_with_node(attributes={"a": Attribute(AttributeKind.INT, 1 << 63)}), "'a' is INT"),
        (_with_node(attributes={"a": Attribute(AttributeKind.FLOAT, 1e300)}), "'a' is FLOAT"),
        (_with_node(attributes={"a": Attribute(AttributeKind.INTS, (0.5,))}), "'a' is INTS"),
        (_with_node(attributes={"a": Attribute(AttributeKind.STRINGS, (1,))}), "'a' is STRINGS"),
        (_with_node(name="\ud800"), "UTF-8"),
        (dataclasses.replace(small_model(), ir_version=1 << 31), "ir_version"),
    ],
)
def test_what_the_board_could_not_load_is_refused(model: LoweredModel, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        write(model)


def test_a_value_whose_name_is_empty_stands_for_an_omitted_input() -> None:
    model = small_model()
    node = LoweredNode("n", "Resize", ("image", "", "none"), ("inner", ""), {})
    values = {**model.values, "": ValueInfo("", DType.FLOAT, None)}
    changed = dataclasses.replace(model, nodes=(node,), values=values)
    assert read(write(changed)) == changed
