"""What holds for every operator: listed once, and parsed the way it is written."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ops import OPERATORS

NEEDED: Mapping[str, Mapping[str, object]] = {
    "AveragePool": {"kernel_shape": (2, 2)},
    "Concat": {"axis": 1},
    "DepthToSpace": {"blocksize": 2},
    "GRU": {"hidden_size": 4, "linear_before_reset": 1},
    "LSTM": {"hidden_size": 4},
    "LUT": {"lut": "table"},
    "MaxPool": {"kernel_shape": (2, 2)},
    "SpaceToDepth": {"blocksize": 2},
    "StreamingCache": {"window_size": 3},
}
"""Attributes without which the operator means nothing."""


def parsed(op_type: str, items: Mapping[str, Attribute]) -> object:
    return OPERATORS[op_type].from_attributes(Attributes("node", op_type, items, 21))


@pytest.mark.parametrize("op_type", sorted(OPERATORS))
def test_an_operator_survives_writing_and_parsing(op_type: str) -> None:
    minimal = {name: Attribute.of(value) for name, value in NEEDED.get(op_type, {}).items()}
    operator = parsed(op_type, minimal)
    written = operator.to_attributes()  # type: ignore[attr-defined]
    again = parsed(op_type, written)
    assert again.to_attributes() == written  # type: ignore[attr-defined]
    assert hash(operator) == hash(parsed(op_type, minimal))


@pytest.mark.parametrize("op_type", sorted(OPERATORS))
def test_an_operator_is_listed_under_its_own_name(op_type: str) -> None:
    assert OPERATORS[op_type].op_type == op_type
    assert OPERATORS[op_type].__doc__


@pytest.mark.parametrize("op_type", sorted(NEEDED))
def test_a_missing_attribute_is_named(op_type: str) -> None:
    with pytest.raises(ModelError, match="node"):
        parsed(op_type, {})


@pytest.mark.parametrize(
    ("op_type", "attributes"),
    [
        ("Conv", {"auto_pad": "SAME_UPPER"}),
        ("Conv", {"activation": "LeakyRelu"}),
        ("GRU", {"hidden_size": 4}),
        ("LSTM", {"hidden_size": 4, "input_forget": 1}),
        ("LpNormalization", {"p": 3}),
        ("Pad", {"mode": "wrap"}),
        ("Resize", {"mode": "area"}),
        ("ScatterND", {"reduction": "mean"}),
        ("DepthToSpace", {"blocksize": 2, "mode": "RCD"}),
        ("ReverseSequence", {"batch_axis": 2, "time_axis": 0}),
    ],
)
def test_a_value_that_the_board_does_not_know_is_refused_by_name(
    op_type: str, attributes: Mapping[str, object]
) -> None:
    items = {name: Attribute.of(value) for name, value in attributes.items()}
    with pytest.raises(ModelError, match=r"node 'node'.*is not supported"):
        parsed(op_type, items)
