"""The judge: the simulator's values against what a board computed, down to the first wrong node.

The law of this file: it decides from digests and arrays alone and touches no board. Integers are
equal or the verdict is "different"; the bits of float values are reported but judged only where
they are graph outputs, because libraries of host and chip round them differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from espdl_hil.errors import BoardError, ModelError
from espdl_hil.ir.lowered import LoweredModel
from espdl_hil.ir.types import Array
from espdl_hil.results.compare import Comparison, compare, digest_of
from espdl_hil.runs import NodeOutput, RunResult

_FLOATS = (np.float16, np.float32, np.float64)


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
        floating: the value is float, so the difference is information only.
        comparison: element by element, once the board's tensor has been fetched.
        hint: what such a difference usually comes from; empty where nothing is typical.
    """

    index: int
    node: str
    op_type: str
    value: str
    expected_digest: str
    got_digest: str
    floating: bool
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
class Verdict:
    """Whether one run on one input set is right, and where it first is not.

    Attributes:
        vector: which input set, for people: ``"file"``, ``"random-3"``, ``"sample-17"``.
        outputs: one comparison per graph output.
        nodes: node outputs whose digests were compared; 0 where the board sent none.
        differences: node outputs that differ, in execution order, floats included.
    """

    vector: str
    outputs: tuple[Comparison, ...]
    nodes: int
    differences: tuple[NodeDifference, ...]

    @property
    def equal(self) -> bool:
        """Every graph output and every integer node output is right."""
        return self.first is None and all(output.equal for output in self.outputs)

    @property
    def first(self) -> NodeDifference | None:
        """The first node, in execution order, with a wrong integer output."""
        return next((item for item in self.differences if not item.floating), None)

    @property
    def max_lsb(self) -> int:
        """The largest difference of a graph output in integer steps."""
        return max((output.max_lsb for output in self.outputs), default=0)

    def __str__(self) -> str:
        if self.equal:
            return f"vector {self.vector!r}: equal ({self.nodes} node outputs)"
        lines = [f"vector {self.vector!r} differs"]
        if self.first is not None:
            lines += ["  " + line for line in str(self.first).splitlines()]
            floats = [d for d in self.differences if d.floating and d.index < self.first.index]
            if floats:
                lines.append(
                    f"  before it, float value {floats[0].value!r} of node {floats[0].node!r} "
                    "differs in its last bits"
                )
        elif self.nodes:
            lines.append("  every integer node output is equal")
        lines += [f"  output {o.value!r}: {o}" for o in self.outputs if not o.equal]
        if self.nodes:
            wrong = sum(not item.floating for item in self.differences)
            lines.append(f"  {wrong} of {self.nodes} node outputs differ")
        return "\n".join(lines)


def judge(
    model: LoweredModel, expected: Mapping[str, Array], run: RunResult, *, vector: str = "inputs"
) -> Verdict:
    """Compare everything that a board reported of one run with the simulator's values.

    Args:
        model: what both executed.
        expected: every value by name, in stored layout, as the simulator returns them.
        run: what the board computed, on the same inputs.
        vector: name of the input set, for messages.

    Raises:
        BoardError: the board returned no such output, or reported another model's nodes.
        ModelError: the simulator computed no such value.
    """
    missing = [name for name in model.outputs if name not in run.outputs]
    if missing:
        raise BoardError(f"output {missing[0]!r} did not come back", board=run.board.mac)
    outputs = tuple(
        compare(name, _expected(expected, name), run.outputs[name]) for name in model.outputs
    )
    rows = {row.value: row for row in run.nodes}
    differences = _differences(model, expected, rows) if rows else ()
    return Verdict(vector, outputs, len(rows), differences)


def with_captured(
    verdict: Verdict, expected: Mapping[str, Array], captured: Mapping[str, Array]
) -> Verdict:
    """Add the elements of the first differing node, once the board has sent them.

    A fetched tensor that is right although its digest was wrong says that the fault comes and goes.
    """
    first = verdict.first
    if first is None or first.value not in captured:
        return verdict
    want, have = expected[first.value], captured[first.value]
    comparison = compare(first.value, want, have)
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


def _differences(
    model: LoweredModel, expected: Mapping[str, Array], rows: Mapping[str, NodeOutput]
) -> tuple[NodeDifference, ...]:
    found = []
    for index, node in enumerate(model.nodes):
        for value in filter(None, node.outputs):
            want = _expected(expected, value)
            row = rows.get(value)
            digest = digest_of(want)
            if row is not None and row.digest == digest:
                continue
            found.append(
                NodeDifference(
                    index=index,
                    node=node.name,
                    op_type=node.op_type,
                    value=value,
                    expected_digest=digest,
                    got_digest=row.digest if row is not None else "",
                    floating=want.dtype in _FLOATS,
                )
            )
    return tuple(found)


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
