"""Messages to frames and back: round trips, golden vectors, malformed bodies."""

from __future__ import annotations

import dataclasses
import types
from typing import get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.errors import LocalProtocolError, RemoteProtocolError
from espdl_hil.wire import messages as m
from espdl_hil.wire.codec import ANSWER_BIT, answer_kind, decode, encode, type_number
from espdl_hil.wire.framing import Frame
from tests.wire.vectors import VECTORS

KINDS = [kind for group in (m.Request, m.Answer, m.Unasked) for kind in get_args(group)]
SIZES = {"sha256": 32, "firmware_sha256": 32, "model_sha256": 32, "mac": 6, "digest": 8}
WIDTHS = {
    "seq": 16, "lowest": 8, "highest": 8, "coding": 8, "engine": 8, "slot": 8, "index": 16,
    "warmup": 16, "repeat": 16, "cores": 8, "flags": 8, "version": 8, "window": 8,
    "chunk_size": 16, "state": 8, "dtype": 8, "id": 8, "status": 8, "request_type": 8,
    "level": 8, "run": 16, "runs_done": 16, "cycles": 64,
}  # fmt: skip
NARROWER = {(m.Latencies, "first"): 16, (m.ReadOutput, "size"): 16, (m.ReadCapture, "size"): 16}


def values_of(kind: type, name: str, hint: object) -> st.SearchStrategy:
    """Any value that the protocol can say for one field."""
    if hint is int:
        if name in ("exponent", "temperature"):
            return st.integers(-(2**15), 2**15 - 1)
        bits = NARROWER.get((kind, name), WIDTHS.get(name, 32))
        return st.integers(0, 2**bits - 1)
    if hint is str:
        return st.text(max_size=12)
    if hint is bytes:
        size = SIZES.get(name)
        return st.binary(max_size=60) if size is None else st.binary(min_size=size, max_size=size)
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        name = "sha256" if name == "cached_models" else "element"
        return st.lists(values_of(kind, name, item), max_size=3).map(tuple)
    return message_of(hint)


def message_of(kind: type) -> st.SearchStrategy:
    hints = get_type_hints(kind)
    fields = {
        field.name: values_of(kind, field.name, hints[field.name])
        for field in dataclasses.fields(kind)
    }
    return st.builds(kind, **fields)


MESSAGES = st.one_of([message_of(kind) for kind in KINDS])


@given(MESSAGES, st.integers(0, 0xFFFF))
def test_every_message_survives_the_way_there_and_back(message, seq):
    frame = encode(message, seq)
    assert frame.seq == seq
    assert decode(frame) == message


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if v["message"]], ids=lambda v: f"{v['message']}-{v['seq']}"
)
def test_golden_messages_have_their_fields(vector):
    kind = getattr(m, vector["message"])
    message = plain(decode(Frame(vector["type"], vector["seq"], bytes.fromhex(vector["body"]))))
    assert message == vector["fields"]
    assert type_number(kind) == vector["type"]


def plain(value: object) -> object:
    """A message as the vectors write it."""
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def test_the_golden_vectors_know_every_message():
    assert {v["message"] for v in VECTORS if v["message"]} == {kind.__name__ for kind in KINDS}


@given(MESSAGES, st.data())
def test_a_body_that_ends_too_early_or_too_late_is_told(message, data):
    """Cut bodies either mean another message of the same kind or are refused."""
    frame = encode(message, 1)
    size = data.draw(st.integers(0, len(frame.body)))
    for body in (frame.body[:size], frame.body + b"\xff"):
        try:
            again = decode(Frame(frame.type, 1, body))
        except RemoteProtocolError:
            continue
        damaged_text = "\ufffd" in repr(again)
        assert damaged_text or encode(again, 1).body == body


@given(st.integers(0, 255), st.binary(max_size=400))
def test_any_body_decodes_or_is_refused_with_a_type(kind, body):
    try:
        message = decode(Frame(kind, 1, body))
    except RemoteProtocolError:
        return
    assert type_number(type(message)) == kind


def test_a_count_far_beyond_the_body_is_refused_at_once():
    with pytest.raises(RemoteProtocolError, match="Loaded"):
        decode(Frame(type_number(m.Loaded), 1, b"\x01\0\0\0\xff\xff"))


@pytest.mark.parametrize(
    "message",
    [
        m.ModelBegin(bytes(31), 1, 1, 0),
        m.ModelBegin(bytes(32), -1, 1, 0),
        m.ModelBegin(bytes(32), 2**32, 1, 0),
        m.Run(1, 65536, 1, 1, 0),
        m.Capture(0, "x" * 65536),
        m.ModelData(0, bytes(4200)),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_that_cannot_be_said_is_our_mistake(message):
    with pytest.raises(LocalProtocolError, match=type(message).__name__):
        encode(message, 1)


def test_damaged_text_is_shown_and_not_refused():
    assert decode(Frame(0x70, 0, b"\x01caf\xc3")) == m.Log(1, "caf\ufffd")


def test_each_request_has_its_answer():
    for kind in get_args(m.Request):
        number = type_number(kind)
        assert number < ANSWER_BIT
        fields = dataclasses.fields(kind)
        message = kind(*[0 for _ in fields]) if kind is not m.Capture else kind(0, "")
        assert type_number(answer_kind(message)) == number | ANSWER_BIT


def test_the_unions_name_every_message_class():
    parts = {m.TensorDescription, m.Region, m.EngineEntry, m.Fact, m.NodeRow}
    classes = {
        value for value in vars(m).values()
        if isinstance(value, type) and dataclasses.is_dataclass(value)
    }  # fmt: skip
    assert classes - parts == set(KINDS)
    assert isinstance(m.Request, types.UnionType)
