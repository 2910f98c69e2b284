"""The judge: the simulator's values against what a board computed, down to the first wrong node.

The law of this file: it decides from digests and arrays alone and touches no board. A node is
judged on the inputs that the board had, so that one difference is told once; a value is equal, or
as near as the rule of its node allows (``espdl_hil.ir.freedom``), or the verdict is "different".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from espdl_hil.errors import BoardError, ModelError
from espdl_hil.ir.freedom import EXACT, Rule
from espdl_hil.ir.lowered import LoweredModel
from espdl_hil.ir.types import Array
from espdl_hil.results.compare import Comparison, compare, digest_of
from espdl_hil.runs import NodeOutput, RunResult

_FLOATS = (np.float16, np.float32, np.float64)
_NO_RULES: Mapping[str, Rule] = MappingProxyType({})
_NOTHING: Mapping[str, Array] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class NodeDifference:
    """A node whose output on the board is not what the simulator computed.

    Attributes:
        index: position in execution order, from 0.
        node: node name.
        op_type: its operator.
        value: name of the output value.
        expected_digest: of the simulator's bytes.
        got_digest: of the board's bytes; empty where the board reported no such value.
        comparison: element by element, once the board's tensor has been fetched.
        hint: what such a difference usually comes from; empty where nothing is typical.
    """

    index: int
    node: str
    op_type: str
    value: str
    expected_digest: str
    got_digest: str
    comparison: Comparison | None = None
    hint: str = ""

    def __str__(self) -> str:
        lines = [
            f"first differing node: {self.node!r} ({self.op_type}), number {self.index} in "
            f"execution order, value {self.value!r}"
        ]
        if self.comparison is not None:
            lines.append(f"  {self.comparison}")
        elif not self.got_digest:
            lines.append("  the board reported no such value")
        else:
            lines.append(f"  digest expected {self.expected_digest}, got {self.got_digest}")
        if self.hint:
            lines.append(f"  {self.hint}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Allowance:
    """A node output that differs no more than its rule allows.

    Attributes:
        index: position in execution order, from 0.
        node: node name.
        op_type: its operator.
        rule: what allows it, and why.
        comparison: element by element.
    """

    index: int
    node: str
    op_type: str
    rule: Rule
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Known:
    """What a board's open values are: those that a rule covers, and floats.

    Attributes:
        values: elements by name, as far as the run tells them.
        missing: names of the values that differ and whose elements the run does not tell.
        differs: whether any of ``values`` differs from the simulator's.
    """

    values: Mapping[str, Array]
    missing: tuple[str, ...]
    differs: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one run on one input set is right, and where it first is not.

    Attributes:
        vector: which input set, for people: ``"file"``, ``"random-3"``, ``"sample-17"``.
        outputs: one comparison per graph output.
        nodes: node outputs whose digests were compared; 0 where the board sent none.
        differences: node outputs that differ by more than is allowed, in execution order.
        allowances: node outputs that differ as allowed, in execution order.
    """

    vector: str
    outputs: tuple[Comparison, ...]
    nodes: int
    differences: tuple[NodeDifference, ...]
    allowances: tuple[Allowance, ...] = ()

    @property
    def equal(self) -> bool:
        """Every graph output and every node output is right."""
        return self.first is None and all(output.equal for output in self.outputs)

    @property
    def first(self) -> NodeDifference | None:
        """The first node, in execution order, with a wrong output."""
        return self.differences[0] if self.differences else None

    @property
    def max_lsb(self) -> int:
        """The largest difference of a graph output in integer steps."""
        return max((output.max_lsb for output in self.outputs), default=0)

    def __str__(self) -> str:
        allowed = [
            f"  node {item.node!r} ({item.op_type}): {item.comparison}; {item.rule.why}"
            for item in self.allowances
        ]
        if self.equal:
            head = f"vector {self.vector!r}: equal ({self.nodes} node outputs)"
            return "\n".join([head, *allowed])
        lines = [f"vector {self.vector!r} differs"]
        if self.first is not None:
            lines += ["  " + line for line in str(self.first).splitlines()]
        elif self.nodes:
            lines.append("  every node output is right")
        lines += [f"  output {o.value!r}: {o}" for o in self.outputs if not o.equal]
        if self.nodes:
            lines.append(f"  {len(self.differences)} of {self.nodes} node outputs differ")
        return "\n".join(lines + allowed)


def known_values(
    model: LoweredModel,
    expected: Mapping[str, Array],
    run: RunResult,
    rules: Mapping[str, Rule],
    captured: Mapping[str, Array] = _NOTHING,
) -> Known:
    """What the board's open values are, for the simulator to follow.

    Equal digests say that a value is the simulator's; another value must be among the outputs or
    have been captured, with the digest that this run reported.
    """
    rows = {row.value: row for row in run.nodes}
    fetched = {**captured, **run.outputs}
    values: dict[str, Array] = {}
    missing: list[str] = []
    differs = False
    for value in (v for node in model.nodes for v in node.outputs if v in rows):
        want = _expected(expected, value)
        if value not in rules and want.dtype not in _FLOATS:
            continue
        if rows[value].digest == digest_of(want):
            values[value] = want
            continue
        have = fetched.get(value)
        if have is None:
            missing.append(value)
        elif (
            rows[value].digest == digest_of(have)
            and have.shape == want.shape
            and have.dtype == want.dtype
        ):
            values[value] = have
            differs = True
    return Known(values, tuple(missing), differs)


def judge(
    model: LoweredModel,
    expected: Mapping[str, Array],
    run: RunResult,
    *,
    vector: str = "inputs",
    rules: Mapping[str, Rule] = _NO_RULES,
    known: Mapping[str, Array] = _NOTHING,
) -> Verdict:
    """Compare everything that a board reported of one run with the simulator's values.

    Args:
        model: what both executed.
        expected: every value by name, in stored layout, as the simulator returns them; where
            ``known`` differs from its first answer, after it has followed ``known``.
        run: what the board computed, on the same inputs.
        vector: name of the input set, for messages.
        rules: of the values that may differ; all others are equal or wrong.
        known: the board's open values, see ``known_values``.

    Raises:
        BoardError: the board returned no such output, or reported another model's nodes.
        ModelError: the simulator computed no such value.
    """
    missing = [name for name in model.outputs if name not in run.outputs]
    if missing:
        raise BoardError(f"output {missing[0]!r} did not come back", board=run.board.mac)
    outputs = tuple(
        compare(name, _expected(expected, name), run.outputs[name], rules.get(name, EXACT))
        for name in model.outputs
    )
    rows = {row.value: row for row in run.nodes}
    if not rows:
        return Verdict(vector, outputs, 0, ())
    differences, allowances = _compared(model, expected, rows, rules, known)
    return Verdict(vector, outputs, len(rows), differences, allowances)


def with_captured(
    verdict: Verdict,
    expected: Mapping[str, Array],
    captured: Mapping[str, Array],
    rules: Mapping[str, Rule] = _NO_RULES,
) -> Verdict:
    """Add the elements of the first differing node, once the board has sent them.

    A fetched tensor that is right although its digest was wrong says that the fault comes and goes.
    """
    first = verdict.first
    if first is None or first.value not in captured:
        return verdict
    want, have = expected[first.value], captured[first.value]
    comparison = compare(first.value, want, have, rules.get(first.value, EXACT))
    if comparison.equal:
        hint = "a second run of the same inputs was right: the fault comes and goes"
        detailed = replace(first, hint=hint)
    else:
        detailed = replace(first, comparison=comparison, hint=_usual_cause(want, have))
    differences = tuple(detailed if item is first else item for item in verdict.differences)
    return replace(verdict, differences=differences)


def without_capture(verdict: Verdict, reason: str) -> Verdict:
    """Say why the elements of the first differing node could not be fetched."""
    first = verdict.first
    if first is None:
        return verdict
    detailed = replace(first, hint=f"its elements could not be fetched: {reason}")
    differences = tuple(detailed if item is first else item for item in verdict.differences)
    return replace(verdict, differences=differences)


def _compared(
    model: LoweredModel,
    expected: Mapping[str, Array],
    rows: Mapping[str, NodeOutput],
    rules: Mapping[str, Rule],
    known: Mapping[str, Array],
) -> tuple[tuple[NodeDifference, ...], tuple[Allowance, ...]]:
    wrong: list[NodeDifference] = []
    allowed: list[Allowance] = []
    for index, node in enumerate(model.nodes):
        for value in filter(None, node.outputs):
            want = _expected(expected, value)
            row = rows.get(value)
            digest = digest_of(want)
            if row is not None and row.digest == digest:
                continue
            comparison, hint = None, ""
            if row is not None and value in known:
                rule = rules.get(value, EXACT)
                comparison = compare(value, want, known[value], rule)
                if comparison.allowed and comparison.equal:
                    allowed.append(Allowance(index, node.name, node.op_type, rule, comparison))
                if comparison.equal:  # perhaps other bits of NaN, or the sign of a zero
                    continue
                hint = _usual_cause(want, known[value])
            wrong.append(
                NodeDifference(
                    index=index,
                    node=node.name,
                    op_type=node.op_type,
                    value=value,
                    expected_digest=digest,
                    got_digest=row.digest if row is not None else "",
                    comparison=comparison,
                    hint=hint,
                )
            )
    return tuple(wrong), tuple(allowed)


def _expected(expected: Mapping[str, Array], name: str) -> Array:
    try:
        return expected[name]
    except KeyError:
        raise ModelError("the simulator computed no such value", value=name) from None


def _usual_cause(want: Array, have: Array) -> str:
    """What a difference of this pattern usually is; inputs of the node were right on the board."""
    if want.shape != have.shape or want.dtype != have.dtype or want.dtype in _FLOATS:
        return ""
    error = have.astype(np.int64) - want.astype(np.int64)
    wrong = np.argwhere(error)
    channels = {int(index[-1]) for index in wrong} if want.ndim else set()
    single_steps = np.abs(error).max() == 1
    if len(channels) == 1 and want.shape[-1] > 1 and not (single_steps and len(wrong) == 1):
        return (
            f"all differences lie in channel {channels.pop()} of the last axis: a damaged weight "
            "or bias of that channel looks like this"
        )
    if single_steps:
        signs = set(np.sign(error[error != 0]).tolist())
        direction = {1: "upwards", -1: "downwards"}.get(signs.pop()) if len(signs) == 1 else None
        where = f", always {direction}" if direction else ""
        return f"every difference is 1 LSB{where}: another rounding looks like this"
    return ""
