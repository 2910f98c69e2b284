"""Every node is judged on the inputs that it had on the board, with the rule of its trait."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from espdl_hil.checking.following import Follower
from espdl_hil.errors import BoardError
from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, ValueInfo
from espdl_hil.ir.types import DType
from espdl_hil.results.judge import Verdict
from espdl_hil.runs import Engine
from espdl_hil.simulator import Simulator
from espdl_hil.targets import target_named
from tests.support.results import run_result

SHAPE = (1, 6)


def node(name: str, op_type: str, source: tuple[str, ...], **attributes: object) -> LoweredNode:
    found = {key: Attribute.of(value) for key, value in attributes.items()}
    return LoweredNode(f"node_{name}", op_type, source, (name,), found)


def model() -> LoweredModel:
    """x -> Neg -> a -> LayerNormalization -> b -> Neg -> c -> StreamingCache -> d -> ReduceSum."""
    shapes = {"x": SHAPE, "a": SHAPE, "b": SHAPE, "c": SHAPE, "d": (2, 6), "e": (1,)}
    return LoweredModel(
        name="open",
        nodes=(
            node("a", "Neg", ("x",)),
            node("b", "LayerNormalization", ("a",)),
            node("c", "Neg", ("b",)),
            node("d", "StreamingCache", ("c",), window_size=2, frame_axis=0),
            node("e", "ReduceSum", ("d",), keepdims=0),
        ),
        inputs=("x",),
        outputs=("e",),
        values={
            name: ValueInfo(name, DType.INT8, shape, (0 if name == "e" else -5,))
            for name, shape in shapes.items()
        },
        parameters={},
    )


class Board:
    """The simulator with a fault in some values; everything behind them follows the fault."""

    def __init__(self, faults: dict[str, int]) -> None:
        self.simulator = Simulator(model(), target_named("esp32s3"))
        self.faults = faults
        self.values: dict[str, np.ndarray] = {}
        self.fetched: list[tuple[str, ...]] = []

    def run(self, x: np.ndarray):
        before = self.simulator.remembered()
        values = self.simulator.run({"x": x}, keep="all")
        wrong: dict[str, np.ndarray] = {}
        for name in values:  # in execution order: each fault moves those behind it
            if name in self.faults:
                moved = values[name].copy()
                moved.flat[0] += self.faults[name]
                wrong[name] = moved
                self.simulator.recall(before)
                values = self.simulator.run({"x": x}, keep="all", follow=wrong)
        self.values = values | wrong
        return run_result(model(), self.values)

    def fetch(self, names: tuple[str, ...]):
        self.fetched.append(names)
        return {name: self.values[name] for name in names}


def judged(
    faults: dict[str, int], engine: Engine = Engine.ESPDL, steps: int = 3
) -> tuple[list[Verdict], Board]:
    """Verdicts on the steps of a stream."""
    simulator = Simulator(model(), target_named("esp32s3"))
    follower, board = Follower(model(), simulator), Board(faults)
    rng = np.random.default_rng(3)
    found = []
    for number in range(steps):
        x = rng.integers(-100, 100, SHAPE).astype(np.int8)
        follower.simulate({"x": x})
        rules = simulator.rules(engine)
        found.append(follower.verdict(board.run(x), rules, board.fetch, vector=str(number)))
    return found, board


def test_an_equal_board_is_never_asked_for_elements():
    verdicts, board = judged({})
    assert all(verdict.equal and not verdict.allowances for verdict in verdicts)
    assert not board.fetched


def test_one_step_in_an_open_node_is_allowed_and_everything_behind_it_stays_exact():
    verdicts, board = judged({"b": 1})
    assert [str(verdict) for verdict in verdicts if not verdict.equal] == []
    assert [[item.node for item in v.allowances] for v in verdicts] == [["node_b"]] * 3
    assert board.fetched == [("b",)] * 3
    assert "-ffast-math" in verdicts[0].allowances[0].rule.why


@pytest.mark.parametrize(("faults", "first"), [({"b": 2}, "node_b"), ({"b": 1, "c": 1}, "node_c")])
def test_an_allowed_step_excuses_nothing_else(faults, first):
    verdicts, _ = judged(faults)
    for verdict in verdicts:
        assert verdict.first is not None
        assert verdict.first.node == first


@pytest.mark.parametrize("value", ["a", "c", "d"])
def test_a_node_without_the_trait_has_no_tolerance_and_nothing_behind_it_is_fetched(value):
    verdicts, board = judged({value: 1}, steps=1)
    assert verdicts[0].first is not None
    assert verdicts[0].first.value == value
    assert not board.fetched


def test_of_an_open_node_that_is_wrong_only_its_own_tensor_is_fetched():
    two = replace(
        model(),
        nodes=(
            node("a", "LayerNormalization", ("x",)),
            node("b", "LpNormalization", ("a",), axis=1),
            node("c", "Neg", ("b",)),
        ),
        outputs=("c",),
    )
    simulator = Simulator(two, target_named("esp32s3"))
    rules = simulator.rules(Engine.ESPDL)
    x = np.arange(6, dtype=np.int8).reshape(SHAPE)
    for step, asked in ((1, [("a",), ("b",)]), (2, [("a",)])):
        follower = Follower(two, simulator)
        values = dict(follower.simulate({"x": x}))
        board = {name: array + np.int8(step) for name, array in values.items()}
        fetched: list[tuple[str, ...]] = []

        def fetch(names, board=board, fetched=fetched):
            fetched.append(names)
            return {name: board[name] for name in names}

        follower.verdict(run_result(two, board), rules, fetch, vector="v")
        assert fetched == asked


def test_our_own_engine_has_no_such_freedom():
    verdicts, _ = judged({"b": 1}, Engine.REFERENCE)
    assert verdicts[0].first is not None
    assert verdicts[0].first.node == "node_b"


def test_elements_that_cannot_be_fetched_make_a_difference():
    simulator = Simulator(model(), target_named("esp32s3"))
    follower, board = Follower(model(), simulator), Board({"b": 1})
    x = np.arange(6, dtype=np.int8).reshape(SHAPE)
    follower.simulate({"x": x})

    def gone(names: tuple[str, ...]):
        raise BoardError("the port went away")

    verdict = follower.verdict(board.run(x), simulator.rules(Engine.ESPDL), gone, vector="v")
    assert verdict.first is not None
    assert verdict.first.node == "node_b"


def test_an_open_value_that_looks_right_only_by_chance_is_followed_too():
    """Its digest equals our first answer, but on the board's inputs we would give another."""
    two = replace(
        model(),
        nodes=(
            node("a", "LayerNormalization", ("x",)),
            node("b", "LpNormalization", ("a",), axis=1),
        ),
        outputs=("b",),
    )
    simulator = Simulator(two, target_named("esp32s3"))
    rules = simulator.rules(Engine.ESPDL)
    follower = Follower(two, simulator)
    rng = np.random.default_rng(1)
    moved = 0
    for _ in range(50):
        x = rng.integers(-100, 100, SHAPE).astype(np.int8)
        ours = dict(follower.simulate({"x": x}))
        board = ours | {"a": ours["a"].copy()}
        board["a"][0, 0] += 1
        verdict = follower.verdict(
            run_result(two, board), rules, lambda _, have=board: have, vector="v"
        )
        moved += not np.array_equal(follower.expected["b"], board["b"])
        distance = np.abs(follower.expected["b"].astype(int) - board["b"]).max()
        assert verdict.equal is bool(distance <= 1), str(verdict)
    assert moved, "no input tells the two apart"
