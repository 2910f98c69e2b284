"""Seeded faults that change numbers: caught, and named down to the node."""

from __future__ import annotations

from dataclasses import replace

import pytest

from espdl_hil.checking import finding
from espdl_hil.errors import BoardError, ConfigError, EngineError
from espdl_hil.results.compare import digest_of
from espdl_hil.runs import RunRequest
from espdl_hil.simulator import Simulator
from espdl_hil.targets import Rounding

DEADLINE_S = 60.0


def test_a_healthy_board_is_equal_in_every_integer(bench):
    prepared = bench.digits()
    with bench.open() as session:
        record = bench.checker.check(prepared, session.board, session)
    assert not session.flashed, "the copied flash has the firmware already"
    assert record.passed, finding(record)
    assert record.vectors == record.vectors_equal == 1 + 8 + 360
    assert record.nodes == sum(len(node.outputs) for node in prepared.model.nodes)
    assert record.virtual


def weights(model):
    """Nodes with a filter and the name of that filter."""
    return [
        (node, node.inputs[1])
        for node in model.nodes
        if len(node.inputs) > 1 and node.inputs[1] in model.parameters
    ]


@pytest.mark.parametrize("layer", [0, 1, -1])
def test_one_flipped_weight_bit_is_caught_and_its_node_named(bench, layer):
    prepared = bench.digits()
    node, parameter = [
        pair for pair in weights(prepared.model) if pair[0].op_type in ("Conv", "Gemm")
    ][layer]
    with bench.open(f"flip-weight:{parameter}:6") as session:
        record = bench.checker.check(prepared, session.board, session)
    assert record.difference is not None
    assert (record.difference.node, record.difference.op_type) == (node.name, node.op_type)
    assert 0 < record.difference.mismatches < record.difference.size
    assert record.difference.coordinates
    assert "a damaged weight or bias of that channel" in record.difference.text
    assert node.name in finding(record)


def test_a_wrong_rounding_mode_is_caught_and_its_first_node_named(bench):
    prepared = bench.digits()
    other = replace(prepared.target, rounding=Rounding.HALF_EVEN)
    right, wrong = (Simulator(prepared.model, target) for target in (prepared.target, other))
    vector = prepared.vectors[-1]
    expected, mistaken = (one.run(vector.inputs, keep="all") for one in (right, wrong))
    first = next(
        step
        for step in right.order
        if digest_of(expected[step.value]) != digest_of(mistaken[step.value])
    )
    only = replace(prepared, vectors=(vector,), evaluation=None)
    with bench.open("rounding:half-even") as session:
        record = bench.checker.check(only, session.board, session)
    assert record.difference is not None
    assert (record.difference.node, record.difference.value) == (first.node, first.value)
    assert record.difference.max_lsb == 1
    assert "another rounding looks like this" in record.difference.text


def test_a_stale_model_is_a_bench_error_by_name(bench):
    with bench.open("stale-model") as session:
        bench.checker.check(replace(bench.sine(), evaluation=None), session.board, session)
        with pytest.raises(BoardError, match=r"(?i)stale|another model|other model"):
            bench.checker.check(bench.digits(), session.board, session)


def test_a_truncated_upload_never_runs(bench):
    with bench.open("truncate-upload") as session, pytest.raises(BoardError) as caught:
        session.run(RunRequest(bench.digits().data), deadline_s=DEADLINE_S)
    assert "upload" in str(caught.value) or "HASH" in str(caught.value)


def test_a_file_for_another_target_is_refused_on_the_host_and_on_the_board(bench, tmp_path):
    wrong = bench.digits("esp32p4")
    path = tmp_path / "p4.espdl"
    path.write_bytes(wrong.data)
    with pytest.raises(ConfigError, match=r"esp32p4.*esp32s3"):
        bench.checker.take(path, bench.digits().target)
    with bench.open() as session, pytest.raises(EngineError, match=r"esp32p4.*esp32s3") as caught:
        session.run(RunRequest(wrong.data), deadline_s=DEADLINE_S)
    assert "TARGET" in caught.value.status
