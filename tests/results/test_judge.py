"""The judge: the first wrong node is named, in execution order, with the elements that differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from espdl_hil.errors import BoardError
from espdl_hil.ir.freedom import FLOAT_TOLERANCE, Rule
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, ValueInfo
from espdl_hil.ir.types import DType
from espdl_hil.results.compare import digest_of
from espdl_hil.results.judge import judge, known_values, with_captured, without_capture
from tests.support.results import run_result

CHAIN = ("a", "b", "c", "d")


def chain(dtypes: dict[str, DType] | None = None) -> LoweredModel:
    """x -> A -> a -> B -> b -> C -> c -> D -> d."""
    dtypes = dtypes or {}
    return LoweredModel(
        name="chain",
        nodes=tuple(
            LoweredNode(f"node_{out}", out.upper(), (source,), (out,), {})
            for source, out in zip(("x", *CHAIN), CHAIN, strict=False)
        ),
        inputs=("x",),
        outputs=("d",),
        values={
            name: ValueInfo(name, dtypes.get(name, DType.INT8), (2, 4)) for name in ("x", *CHAIN)
        },
        parameters={},
    )


def values(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.integers(-100, 100, (2, 4)).astype(np.int8) for name in CHAIN}


def test_equal_values_are_equal():
    expected = values()
    verdict = judge(chain(), expected, run_result(chain(), expected))
    assert verdict.equal
    assert verdict.nodes == len(CHAIN)
    assert verdict.first is None


@pytest.mark.parametrize("wrong", range(len(CHAIN)))
def test_the_first_wrong_node_is_named_whatever_follows_it(wrong):
    expected = values()
    got = dict(expected)
    for name in CHAIN[wrong:]:
        got[name] = expected[name] ^ np.int8(1)
    verdict = judge(chain(), expected, run_result(chain(), got))
    assert not verdict.equal
    assert verdict.first is not None
    assert verdict.first.node == f"node_{CHAIN[wrong]}"
    assert verdict.first.op_type == CHAIN[wrong].upper()
    assert verdict.first.index == wrong
    assert len(verdict.differences) == len(CHAIN) - wrong


def test_an_inner_difference_counts_although_the_output_is_right():
    expected = values()
    got = expected | {"b": expected["b"] + np.int8(1)}
    verdict = judge(chain(), expected, run_result(chain(), got))
    assert not verdict.equal
    assert verdict.outputs[0].equal


def test_the_order_of_rows_on_the_line_does_not_matter():
    expected = values()
    got = expected | {name: expected[name] + np.int8(1) for name in ("b", "c")}
    run = run_result(chain(), got)
    verdict = judge(chain(), expected, replace(run, nodes=run.nodes[::-1]))
    assert verdict.first is not None
    assert verdict.first.node == "node_b"


def test_a_missing_row_is_a_difference():
    expected = values()
    run = run_result(chain(), expected)
    verdict = judge(chain(), expected, replace(run, nodes=run.nodes[1:]))
    assert verdict.first is not None
    assert verdict.first.node == "node_a"
    assert "no such value" in str(verdict)


def test_without_digests_only_outputs_are_judged():
    expected = values()
    run = replace(run_result(chain(), expected), nodes=())
    assert judge(chain(), expected, run).equal
    wrong = replace(run, outputs={"d": expected["d"] + np.int8(1)})
    assert not judge(chain(), expected, wrong).equal


def test_a_missing_output_is_a_bench_error():
    expected = values()
    run = replace(run_result(chain(), expected), outputs={})
    with pytest.raises(BoardError, match="'d' did not come back"):
        judge(chain(), expected, run)


def test_a_float_is_judged_by_its_rule_once_its_elements_are_known():
    model = chain({"b": DType.FLOAT})
    expected = values() | {"b": np.ones((2, 4), np.float32)}
    got = expected | {"b": np.nextafter(expected["b"], np.float32(2))}
    run = run_result(model, got)
    rules = {"b": Rule(relative=FLOAT_TOLERANCE, why="expf")}
    assert known_values(model, expected, run, rules).missing == ("b",)
    known = known_values(model, expected, run, rules, {"b": got["b"]})
    verdict = judge(model, expected, run, rules=rules, known=known.values)
    assert verdict.equal
    assert [item.node for item in verdict.allowances] == ["node_b"]
    assert "8 of 8 elements differ by up to 1.19e-07, as allowed; expf" in str(verdict)
    strict = judge(model, expected, run, known=known.values)
    assert strict.first is not None
    assert strict.first.node == "node_b"
    far = got | {"b": got["b"] * 2}
    run = run_result(model, far)
    known = known_values(model, expected, run, rules, {"b": far["b"]})
    assert not judge(model, expected, run, rules=rules, known=known.values).equal


@pytest.mark.parametrize(("steps", "equal"), [(1, True), (2, False)])
def test_an_open_node_may_differ_by_its_step_and_no_more(steps, equal):
    expected = values()
    got = expected | {"b": expected["b"] + np.int8(steps)}
    run = run_result(chain(), got)
    rules = {"b": Rule(steps=1, why="a quotient")}
    known = known_values(chain(), expected, run, rules, {"b": got["b"]})
    assert known.differs
    verdict = judge(chain(), expected, run, rules=rules, known=known.values)
    assert verdict.equal is equal
    assert bool(verdict.allowances) is equal


def test_a_fetched_tensor_of_another_run_is_not_believed():
    expected = values()
    got = expected | {"b": expected["b"] + np.int8(5)}
    run = run_result(chain(), got)
    rules = {"b": Rule(steps=1)}
    known = known_values(chain(), expected, run, rules, {"b": expected["b"] + np.int8(1)})
    assert "b" not in known.values
    assert not judge(chain(), expected, run, rules=rules, known=known.values).equal


def test_other_bits_of_a_nan_are_no_difference():
    model = chain({"b": DType.FLOAT})
    one, other = (np.array([bits], np.uint32).view(np.float32) for bits in (0x7FC00000, 0xFFC00001))
    expected = values() | {"b": one}
    run = run_result(model, expected | {"b": other})
    known = known_values(model, expected, run, {}, {"b": other})
    verdict = judge(model, expected, run, known=known.values)
    assert verdict.equal
    assert not verdict.allowances


def test_a_fetched_tensor_gives_elements_and_the_usual_cause():
    expected = values()
    got = expected["a"].copy()
    got[:, 2] += 5
    wrong = expected | {"a": got}
    verdict = judge(chain(), expected, run_result(chain(), wrong), vector="random-1")
    assert verdict.first is not None
    detailed = with_captured(verdict, expected, {"a": got})
    assert detailed.first is not None
    assert detailed.first.comparison is not None
    assert detailed.first.comparison.mismatches == 2
    text = str(detailed)
    assert "'random-1'" in text
    assert "'node_a' (A)" in text
    assert "2 of 8 elements differ, max 5 LSB" in text
    assert "[0, 2]" in text
    assert "channel 2" in text


@pytest.mark.parametrize(("step", "direction"), [(1, "upwards"), (-1, "downwards")])
def test_single_steps_in_one_direction_suggest_another_rounding(step, direction):
    expected = values()
    got = expected["a"].copy()
    got[0, 0] += step
    got[1, 3] += step
    verdict = judge(chain(), expected, run_result(chain(), expected | {"a": got}))
    text = str(with_captured(verdict, expected, {"a": got}))
    assert f"1 LSB, always {direction}: another rounding" in text


def test_a_fault_that_does_not_come_back_is_said_to_come_and_go():
    expected = values()
    verdict = judge(chain(), expected, run_result(chain(), expected | {"a": expected["a"] ^ 1}))
    text = str(with_captured(verdict, expected, {"a": expected["a"]}))
    assert "comes and goes" in text


def test_an_unfetched_tensor_says_why():
    expected = values()
    verdict = judge(chain(), expected, run_result(chain(), expected | {"a": expected["a"] ^ 1}))
    text = str(without_capture(verdict, "the port went away"))
    assert "the port went away" in text
    assert digest_of(expected["a"]) in text


def test_an_output_of_another_shape_is_a_mismatch_not_a_crash():
    expected = values()
    run = replace(run_result(chain(), expected), outputs={"d": np.zeros((4, 2), np.int8)})
    verdict = judge(chain(), expected, run)
    assert not verdict.equal
    assert "every node output is right" in str(verdict)
