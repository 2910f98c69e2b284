"""The line's rate, delay and damage, with a clock of our own."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.errors import ConfigError
from espdl_hil.virtual.faults import AppFault, Damage, LineFault, parse_faults
from espdl_hil.virtual.line import Line


@given(
    st.lists(st.tuples(st.binary(max_size=500), st.floats(0, 2)), max_size=10),
    st.sampled_from([None, 300, 115200]),
    st.sampled_from([0.0, 0.25]),
)
def test_bytes_come_out_in_order_and_none_is_lost(pieces, baud, delay_s):
    line = Line(baud, delay_s)
    now_s = 10.0
    out = b""
    for data, pause_s in pieces:
        line.push(data, now_s)
        now_s += pause_s
        out += line.pop(now_s)
        assert line.due_s is None or line.due_s > now_s
    out += line.pop(now_s + 1e6)
    assert out == b"".join(data for data, _ in pieces)
    assert line.waiting_bytes == 0


def test_a_rate_lets_through_ten_bits_a_byte():
    line = Line(baud=115200)
    line.push(bytes(115200), 0.0)
    half = len(line.pop(5.0))
    assert 57600 - 116 <= half <= 57600
    assert len(line.pop(10.01)) == 115200 - half


def test_a_delay_moves_every_byte_by_the_same_time():
    line = Line(delay_s=0.5)
    line.push(b"a", 1.0)
    line.push(b"b", 1.2)
    assert line.pop(1.49) == b""
    assert line.pop(1.5) == b"a"
    assert line.due_s == pytest.approx(1.7)


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=5))
def test_damage_depends_on_the_seed_and_not_on_the_cut(data, cuts):
    faults = {LineFault.DROP: 0.1, LineFault.FLIP: 0.2}
    whole = Damage(faults, 7).apply(data)
    damage = Damage(faults, 7)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    parts = [damage.apply(data[a:b]) for a, b in itertools.pairwise(edges)]
    assert b"".join(parts) == whole


def test_flips_change_one_bit_each_at_the_asked_rate():
    data = bytes(100_000)
    bits = [byte.bit_count() for byte in Damage({LineFault.FLIP: 0.01}, 1).apply(data)]
    assert set(bits) == {0, 1}
    assert 800 < sum(bits) < 1200
    assert 800 < len(data) - len(Damage({LineFault.DROP: 0.01}, 1).apply(data)) < 1200


def test_faults_are_read_by_direction_and_the_rest_goes_to_the_firmware():
    faults = parse_faults(
        ["drop:0.5", "flip-up:0.1", "delay-down:20", "once:reset:3", "hang", "mute"]
    )
    assert faults.up == {LineFault.DROP: 0.5, LineFault.FLIP: 0.1}
    assert faults.down == {LineFault.DROP: 0.5, LineFault.DELAY: 20}
    assert faults.app == (
        AppFault("reset:3", True),
        AppFault("hang", False),
        AppFault("mute", False),
    )
    assert parse_faults(["cut:100"]).cuts
    assert not parse_faults(["silence:100"]).cuts


@pytest.mark.parametrize("text", ["drop", "drop:2", "flip:x", "delay:-1", "cut:", "drop:nan"])
def test_a_fault_without_a_sensible_number_is_refused(text):
    with pytest.raises(ConfigError, match="needs a number"):
        parse_faults([text])
