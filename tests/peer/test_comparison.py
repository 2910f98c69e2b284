"""The comparison sees everything that two files say, and entries explain no more than they name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from espdl_hil import pipeline
from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.types import DType
from espdl_hil.quantizer import QuantizeConfig
from espdl_hil.targets import target_named
from tests.peer.agreement import Met
from tests.peer.cases import cases
from tests.peer.compare import Difference, differences
from tests.peer.exports import BITS, TARGETS
from tests.peer.judged import Entry, Judgement, verdict
from tests.peer.page import PAGE, render
from tests.peer.table import JUDGEMENTS
from tests.support.onnx_models import inputs_of, model_of

BODY = (
    "g (float[1,3,8,8] x, float[8,3,3,3] w, float[8] b) => (float y)"
    " { t = Conv(x, w, b) s = Sigmoid(t) f = Flatten(s) y = Relu(f) }"
)
"""With a packed filter, a bias, a table, and two nodes that the lowering inserts."""


@pytest.fixture(scope="module")
def model() -> LoweredModel:
    floats = model_of(BODY)
    config = QuantizeConfig(target=target_named("esp32s3"), bits=8)
    data = inputs_of(floats, 2)
    return pipeline.quantize(floats.SerializeToString(), config, data).model


def parameter(model: LoweredModel, op_type: str, index: int) -> Tensor:
    node = next(node for node in model.nodes if node.op_type == op_type)
    return model.parameters[node.inputs[index]]


def with_parameter(model: LoweredModel, tensor: Tensor, **changes: object) -> LoweredModel:
    changed = replace(tensor, **changes)  # type: ignore[arg-type]
    return replace(model, parameters={**model.parameters, tensor.name: changed})


def with_value(model: LoweredModel, name: str, **changes: object) -> LoweredModel:
    changed: ValueInfo = replace(model.values[name], **changes)  # type: ignore[arg-type]
    return replace(model, values={**model.values, name: changed})


def with_node(
    model: LoweredModel, op_type: str, change: Callable[[LoweredNode], LoweredNode]
) -> LoweredModel:
    return replace(
        model, nodes=tuple(change(n) if n.op_type == op_type else n for n in model.nodes)
    )


def without_attribute(node: LoweredNode, name: str) -> LoweredNode:
    return replace(node, attributes={k: v for k, v in node.attributes.items() if k != name})


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1, *data[1:]])


def named(fields: list[Difference]) -> set[tuple[str, str]]:
    return {(item.operator, item.field) for item in fields}


def renamed(model: LoweredModel) -> LoweredModel:
    """Other names for everything that no ONNX model names."""
    kept = {*model.inputs, *model.outputs, "t", "s", "f"}
    names = {n: n if n in kept else f"q{i}" for i, n in enumerate(model.values)}
    names |= {n: f"p{i}" for i, n in enumerate(model.parameters)}
    names[""] = ""

    def called(node: LoweredNode) -> LoweredNode:
        attributes = {
            key: Attribute.of(names[str(value.value)]) if key == "lut" else value
            for key, value in node.attributes.items()
        }
        return LoweredNode(
            f"other {node.name}",
            node.op_type,
            tuple(names[name] for name in node.inputs),
            tuple(names[name] for name in node.outputs),
            attributes,
        )

    return replace(
        model,
        nodes=tuple(called(node) for node in model.nodes),
        values={names[n]: replace(info, name=names[n]) for n, info in model.values.items()},
        parameters={names[n]: replace(t, name=names[n]) for n, t in model.parameters.items()},
    )


def test_a_file_does_not_differ_from_itself_whatever_made_up_names_it_has(model):
    assert differences(model, model) == []
    assert differences(model, renamed(model)) == []


SAID: dict[str, tuple[Callable[[LoweredModel], LoweredModel], tuple[str, str]]] = {
    "a weight": (
        lambda m: with_parameter(m, t := parameter(m, "Conv", 1), data=flipped(t.data)),
        ("Conv", "input 1 bytes"),
    ),
    "a bias": (
        lambda m: with_parameter(m, t := parameter(m, "Conv", 2), data=flipped(t.data)),
        ("Conv", "input 2 bytes"),
    ),
    "a weight's exponent": (
        lambda m: with_parameter(m, parameter(m, "Conv", 1), exponents=(-3,)),
        ("Conv", "input 1 exponents"),
    ),
    "a filter's dims": (
        lambda m: with_parameter(m, parameter(m, "Conv", 1), dims=(9, 1, 3, 8)),
        ("Conv", "input 1 dims"),
    ),
    "a filter's layout": (
        lambda m: with_parameter(m, parameter(m, "Conv", 1), doc="layout ==> NHWC"),
        ("Conv", "input 1 layout"),
    ),
    "a table": (
        lambda m: with_parameter(m, t := m.parameters["Sigmoid_lut"], data=flipped(t.data)),
        ("Sigmoid", "lut bytes"),
    ),
    "an attribute": (
        lambda m: with_node(
            m,
            "Conv",
            lambda n: replace(n, attributes={**n.attributes, "group": Attribute.of(3)}),
        ),
        ("Conv", "attribute group"),
    ),
    "an absent attribute": (
        lambda m: with_node(m, "Conv", lambda n: without_attribute(n, "activation")),
        ("Conv", "attribute activation"),
    ),
    "a value's exponent": (
        lambda m: with_value(m, "t", exponents=(3,)),
        ("Conv", "value exponents"),
    ),
    "a value's width": (
        lambda m: with_value(m, "t", dtype=DType.INT16),
        ("Conv", "value dtype"),
    ),
    "a value's shape": (lambda m: with_value(m, "t", shape=(1, 8, 6, 6)), ("Conv", "value shape")),
    "the shape of an inserted node's result": (
        lambda m: with_value(m, inserted(m).outputs[0], shape=(1, 6, 6, 8)),
        ("Transpose", "value shape"),
    ),
    "an inserted node's attribute": (
        lambda m: with_node(
            m,
            "Transpose",
            lambda n: replace(n, attributes={**n.attributes, "perm": Attribute.of((0, 1, 2, 3))}),
        ),
        ("Transpose", "attribute perm"),
    ),
    "a node's type": (
        lambda m: with_node(m, "Sigmoid", lambda n: replace(n, op_type="Tanh")),
        ("Sigmoid", "operator"),
    ),
    "a node left out": (
        lambda m: with_node(
            replace(m, nodes=tuple(n for n in m.nodes if n.op_type != "Transpose")),
            "Flatten",
            lambda n: replace(n, inputs=("s", *n.inputs[1:])),
        ),
        ("Flatten", "input 0"),
    ),
    "an omitted input": (
        lambda m: with_node(m, "Conv", lambda n: replace(n, inputs=n.inputs[:2])),
        ("Conv", "input 2"),
    ),
    "a node that leads nowhere": (
        lambda m: replace(
            m,
            nodes=(*m.nodes, LoweredNode("idle", "Relu", ("t",), ("idle",), {})),
            values={**m.values, "idle": replace(m.values["t"], name="idle")},
        ),
        ("graph", "nodes without a twin"),
    ),
    "a parameter that nobody reads": (
        lambda m: replace(
            m, parameters={**m.parameters, "idle": Tensor.of("idle", np.zeros(2, np.int8))}
        ),
        ("graph", "parameters without a twin"),
    ),
    "a lost output": (lambda m: replace(m, outputs=()), ("graph", "outputs")),
    "metadata": (
        lambda m: replace(m, metadata={**m.metadata, "target": "esp32"}),
        ("graph", "metadata target"),
    ),
    "a test input": (
        lambda m: replace(
            m, test_inputs=tuple(replace(t, data=flipped(t.data)) for t in m.test_inputs)
        ),
        ("graph", "test input bytes"),
    ),
}


def inserted(model: LoweredModel) -> LoweredNode:
    return next(node for node in model.nodes if node.op_type == "Transpose")


@pytest.mark.parametrize("what", SAID)
def test_whatever_is_said_otherwise_is_reported_from_either_side(model, what):
    change, field = SAID[what]
    other = renamed(change(model))
    assert field in named(differences(model, other))
    back = named(differences(other, model))
    assert field[1] in {name for _, name in back}


def test_what_is_behind_a_node_of_another_type_is_still_compared(model):
    other = with_node(model, "Flatten", lambda n: replace(n, op_type="Squeeze"))
    other = with_parameter(other, t := parameter(model, "Conv", 1), data=flipped(t.data))
    found = named(differences(model, other))
    assert {("Flatten", "operator"), ("Conv", "input 1 bytes")} <= found


# --- Entries --------------------------------------------------------------------------------------


MET = Met("pad", "c", 8, Difference("Pad", "attribute mode", "STRING constant", "absent", "y"))
ENTRY = Entry("Pad", "attribute mode", "STRING constant", "absent", "pad", ("c",), (8,))


def judged(entry: Entry, *met: Met, ran: tuple[str, ...] = ("pad", "relu")) -> tuple[int, int, int]:
    result = verdict(met, [Judgement("t", "r", "s", (entry,))], ran)
    return result.judged, len(result.unjudged), len(result.stale)


@pytest.mark.parametrize(
    "other",
    [
        replace(MET, case="relu"),
        replace(MET, target="esp32p4"),
        replace(MET, bits=16),
        *(
            replace(MET, difference=replace(MET.difference, **{name: "other"}))
            for name in ("operator", "field", "ours", "peer")
        ),
    ],
)
def test_an_entry_explains_what_it_names_and_nothing_beside_it(other):
    assert judged(ENTRY, MET) == (1, 0, 0)
    assert judged(ENTRY, MET, other) == (1, 1, 0)


def test_an_entry_that_is_not_met_is_stale_wherever_it_says_that_it_is():
    assert judged(ENTRY) == (0, 0, 1)
    assert judged(replace(ENTRY, cases="pad relu"), MET) == (1, 0, 1)
    assert judged(replace(ENTRY, targets=("c", "esp32p4")), MET) == (1, 0, 1)
    assert judged(replace(ENTRY, bits=(8, 16)), MET) == (1, 0, 1)
    assert judged(replace(ENTRY, operators="Pad Relu"), MET) == (1, 0, 1)


def test_an_entry_of_a_model_that_did_not_run_is_not_stale():
    assert judged(replace(ENTRY, cases="bench/absent")) == (0, 0, 0)


def test_an_entry_with_a_limit_explains_no_more_than_that():
    limited = replace(ENTRY, steps=2.0)
    within = replace(MET, difference=replace(MET.difference, apart=2.0))
    beyond = replace(MET, difference=replace(MET.difference, apart=3.0))
    assert judged(limited, within, beyond, MET) == (1, 2, 0)


def test_the_table_names_models_targets_and_widths_that_there_are():
    known = {case.name for case in cases(PAGE.parent)}
    for judgement in JUDGEMENTS:
        assert judgement.reason
        assert judgement.source
        for entry in judgement.entries:
            names = [name for name in entry.cases.split() if not name.startswith("bench/")]
            assert set(names) <= known, entry
            assert set(entry.targets) <= set(TARGETS), entry
            assert set(entry.bits) <= set(BITS), entry


def test_no_entry_of_the_table_takes_anything_for_anything():
    for judgement in JUDGEMENTS:
        for entry in judgement.entries:
            open_ended = entry.ours == "*" and entry.peer == "*"
            limited = entry.steps is not None or entry.share is not None
            assert not open_ended or (limited and entry.cases), entry


def test_the_page_is_what_the_table_gives():
    assert PAGE.read_text(encoding="utf-8") == render(), "run `make peer-page`"
