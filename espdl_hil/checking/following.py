"""Judge a run on the inputs that each node had on the board.

The law of this file: where a node may differ in its last bit, or computes floats, the board's
tensor is fetched and the simulator computes everything behind it again, from that tensor. So a
difference that is allowed never excuses one that is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from espdl_hil.errors import BoardError
from espdl_hil.ir.freedom import Rule
from espdl_hil.ir.lowered import LoweredModel
from espdl_hil.ir.types import Array
from espdl_hil.results.judge import Verdict, judge, known_values
from espdl_hil.runs import RunResult
from espdl_hil.simulator import Simulator

Fetch = Callable[[tuple[str, ...]], Mapping[str, Array]]
"""The board's elements of some values, from a second run of the same inputs."""


class Follower:
    """A simulator that is judged against, one input set after the other."""

    def __init__(self, model: LoweredModel, simulator: Simulator) -> None:
        """Judge by what ``simulator`` computes of ``model``."""
        self._model = model
        self._simulator = simulator
        self._before = simulator.remembered()
        self._inputs: Mapping[str, Array] | None = None
        self.expected: Mapping[str, Array] = {}

    def simulate(self, inputs: Mapping[str, Array] | None) -> Mapping[str, Array]:
        """Every value of one input set; the state before it is kept for ``verdict``."""
        self._before = self._simulator.remembered()
        self._inputs = inputs
        self.expected = self._simulator.run(inputs, keep="all")
        return self.expected

    def verdict(
        self, run: RunResult, rules: Mapping[str, Rule], fetch: Fetch, *, vector: str
    ) -> Verdict:
        """Judge what a board computed of the input set that was simulated last.

        ``expected`` is then what each node should have given on the board's own inputs. Only the
        first tensor that differs is fetched, unless its difference is allowed: then all others that
        may differ too, at once.

        Raises:
            BoardError: an output did not come back.
        """
        ours = self.expected
        captured: dict[str, Array] = {}
        verdict, missing = self._judged(ours, run, rules, captured, vector)
        for share in (slice(1), slice(None)):
            if verdict.first is None or verdict.first.value not in missing:
                break
            try:
                captured |= fetch(missing[share])
            except BoardError:
                break  # judged as different, with the reason when it is looked at closely
            verdict, missing = self._judged(ours, run, rules, captured, vector)
        return verdict

    def _judged(
        self,
        ours: Mapping[str, Array],
        run: RunResult,
        rules: Mapping[str, Rule],
        captured: Mapping[str, Array],
        vector: str,
    ) -> tuple[Verdict, tuple[str, ...]]:
        """The verdict with the elements at hand, and the open values whose elements it lacks."""
        known = known_values(self._model, ours, run, rules, captured)
        self.expected = ours
        if known.differs:
            self._simulator.recall(self._before)
            self.expected = self._simulator.run(self._inputs, keep="all", follow=known.values)
        verdict = judge(
            self._model, self.expected, run, vector=vector, rules=rules, known=known.values
        )
        return verdict, known.missing
