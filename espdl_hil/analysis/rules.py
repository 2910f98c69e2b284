"""What to say of a lowered model, rule by rule.

The law of this file: a rule looks at a rehearsed model and yields findings. What a kernel refuses
is its operator's to say; the other rules know what no single node can: the exponents of neighbours,
the layout of filters, the target that the file names, the way through an accumulator, the speed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from espdl_hil.analysis.findings import Finding, Severity
from espdl_hil.analysis.headroom import LayerHeadroom, headroom_of, macs_of, passing_macs_of
from espdl_hil.analysis.rehearsal import Act, Rehearsal
from espdl_hil.errors import ConfigError, ModelError
from espdl_hil.ir.layouts import blocked_channels
from espdl_hil.ir.lowered import Tensor, ValueInfo
from espdl_hil.ir.operator import ExponentRule, Operand, Operator
from espdl_hil.ir.types import DType
from espdl_hil.ops._elementwise import merged
from espdl_hil.ops._table import Tabulated
from espdl_hil.targets import Overflow, target_named

_WIDTHS = {DType.INT8: 8, DType.INT16: 16}
_LARGEST_EXPONENT = 30  # the runtime forms 1 << exponent in 32 bits
_LARGEST_EXPONENTIAL = 88.0  # expf gives infinity beyond
_LAYOUT = re.compile(r"layout ==> (?:\(N/(?P<block>\d+)\)|N?HWC|NWC|HWCN|WCN)")

Rule = Callable[[Rehearsal], Iterator[Finding]]


def _at(act: Act, severity: Severity, what: str, hint: str = "") -> Finding:
    return Finding(severity, what, act.node.name, act.node.op_type, hint)


def _refusals(rehearsal: Rehearsal) -> Iterator[Finding]:
    """What the operators themselves refuse."""
    for act in rehearsal.acts:
        for error in act.refusals[:1]:
            yield _at(act, Severity.ERROR, error.what, error.hint)


def _target(rehearsal: Rehearsal) -> Iterator[Finding]:
    """The target that the file names."""
    named, target = rehearsal.model.metadata.get("target"), rehearsal.target
    if named is None:
        yield Finding(
            Severity.NOTE,
            "the file does not say which target it is for",
            hint="the runtime cannot notice a file of another chip: keep them apart by name",
        )
        return
    try:
        declared = target_named(named)
    except ConfigError as error:
        yield Finding(Severity.WARNING, f"the file names the {error.what}", hint=error.hint)
        return
    if declared.kernels != target.kernels:
        yield Finding(
            Severity.ERROR,
            f"the file is for {named}: {target.name} loads it and computes something else",
            hint=f"export the model for {target.name}",
        )
    elif named not in target.metadata_names:
        yield Finding(Severity.NOTE, f"the file names {named}, which computes as {target.name}")


def _packing(rehearsal: Rehearsal) -> Iterator[Finding]:
    """Filters in a layout that the target's kernels do not read."""
    wrong: list[tuple[Act, str]] = []
    for act, weights in _filters(rehearsal):
        noted = _LAYOUT.match(weights.doc)
        wanted = rehearsal.target.mac[_WIDTHS[weights.dtype]].filter_block
        if noted is not None and int(noted["block"] or 1) != wanted:
            wrong.append((act, weights.doc.removeprefix("layout ==> ")))
    if wrong:
        act, layout = wrong[0]
        yield _at(
            act,
            Severity.ERROR,
            f"{len(wrong)} filter(s) are stored as {layout}; {rehearsal.target.name} reads another "
            "order and computes garbage",
            f"export the model for {rehearsal.target.name}",
        )


def _filters(rehearsal: Rehearsal) -> Iterator[tuple[Act, Tensor]]:
    """Nodes with constant weights, and these."""
    for act in rehearsal.acts:
        if act.operator is None or not act.operator.traits.multiplies or len(act.inputs) < 2:
            continue
        weights = act.inputs[1].tensor if act.inputs[1] is not None else None
        if weights is not None and weights.dtype in _WIDTHS:
            yield act, weights


def _exponents(rehearsal: Rehearsal) -> Iterator[Finding]:
    """Exponents beyond what the runtime can shift by."""
    model = rehearsal.model
    quantized: tuple[ValueInfo | Tensor, ...] = (
        *(info for info in model.values.values() if info.dtype in _WIDTHS),
        *(tensor for tensor in model.parameters.values() if tensor.dtype in _WIDTHS),
    )
    for item in quantized:
        extreme = max(map(abs, item.exponents), default=0)
        if extreme > _LARGEST_EXPONENT:
            yield Finding(
                Severity.ERROR,
                f"value {item.name!r}: an exponent of magnitude {extreme}; the runtime computes "
                f"1 << exponent in 32 bits, right up to {_LARGEST_EXPONENT}",
                hint="scale the model, or clip the range of this value",
            )


def _neighbours(rehearsal: Rehearsal) -> Iterator[Finding]:
    """Operators on raw integers whose operands do not share an exponent."""
    for act in rehearsal.acts:
        together = _sharing(act, rehearsal)
        if len(set(together)) > 1:
            shown = ", ".join(str(exponents[0]) for exponents in together)
            yield _at(
                act,
                Severity.ERROR,
                f"works on raw integers, but its values have different exponents ({shown})",
                "give them one exponent, or put a RequantizeLinear before it",
            )


def _sharing(act: Act, rehearsal: Rehearsal) -> list[tuple[int, ...]]:
    """Exponents that must be equal for a node to compute what it means."""
    if act.operator is None or not act.node.outputs:
        return []
    traits = act.operator.traits
    data = [
        operand
        for index, operand in enumerate(act.inputs)
        if operand is not None
        and index not in traits.index_inputs
        and operand.array.dtype.name in ("int8", "int16")
    ]
    given = [operand.exponents for operand in data]
    info = rehearsal.model.values.get(act.node.outputs[0])
    result = [info.exponents] if info is not None and info.dtype in _WIDTHS else []
    match traits.exponents:
        case ExponentRule.ALIGNED if traits.products:
            # Slopes: positive values are copied, unless a table or the kernel rescales them.
            tabulated = "lut" in act.node.attributes
            bits = 8 * data[0].array.dtype.itemsize if data else 8
            rescales = rehearsal.target.prelu[bits].rescales or (tabulated and bits == 8)
            return [] if rescales else given[:1] + result
        case ExponentRule.ALIGNED if len(data) > 1:
            return given + result
        case ExponentRule.COMPARED:
            return given
        case ExponentRule.PASSIVE:
            return given[:1] + result
    return []


def _biases(rehearsal: Rehearsal) -> Iterator[Finding]:
    """Biases that the accumulator cuts, or that are in other units than the products."""
    for act, weights in _filters(rehearsal):
        x = act.inputs[0]
        bias = act.inputs[2] if len(act.inputs) > 2 else None
        if x is None or bias is None or bias.array.dtype.kind != "i":
            continue
        products = tuple(x.exponents[0] + exponent for exponent in weights.exponents)
        if set(bias.exponents) != set(products):
            yield _at(
                act,
                Severity.ERROR,
                f"the bias has exponent {bias.exponents[0]}, the products have {products[0]}: the "
                "kernel adds it as it is",
                "export the model again",
            )
        cut = _cut_channels(bias, act, rehearsal.target.mac[_WIDTHS[weights.dtype]].lane.bits)
        if cut:
            yield _at(
                act,
                Severity.ERROR,
                f"the bias of {len(cut)} channel(s), first {cut[0]}, does not fit the accumulator "
                f"of {rehearsal.target.name}, which cuts off its high bits",
                f"quantize for {rehearsal.target.name}",
            )


def _cut_channels(bias: Operand, act: Act, bits: int) -> list[int]:
    """Channels that a lane sums whose bias needs more than ``bits``."""
    values = bias.array.ravel().astype(np.int64)
    for mac in macs_of(act):  # none where the layer is refused: then all channels count
        values = values[mac.accumulators[0][0]]
    if bits >= 64:
        return []
    limit = 1 << (bits - 1)
    return [int(n) for n in np.flatnonzero((values >= limit) | (values < -limit))]


def _shifts(rehearsal: Rehearsal) -> Iterator[Finding]:
    """Lanes whose shift does not fit the register: the kernel shifts by something else."""
    for act, weights in _filters(rehearsal):
        x, info = act.inputs[0], rehearsal.model.values.get(act.node.outputs[0])
        lanes = [mac.accumulators[0][0].stop for mac in macs_of(act)]
        if x is None or info is None or not any(lanes):
            continue
        arithmetic = rehearsal.target.mac[_WIDTHS[weights.dtype]]
        shifts = [info.exponents[0] - x.exponents[0] - exponent for exponent in weights.exponents]
        if max(shifts) > arithmetic.largest_shift:
            yield _at(
                act,
                Severity.ERROR,
                f"a shift by {max(shifts)} bits does not fit the shift register of "
                f"{rehearsal.target.name} ({arithmetic.largest_shift}): the kernel shifts by "
                f"{arithmetic.taken_shift(max(shifts))}",
                "the weights of this layer or channel are nearly zero: raise their exponent",
            )


def _latches(rehearsal: Rehearsal) -> Iterator[Finding]:
    """Operands that the runtime reads once, although they may change."""
    for act in rehearsal.acts:
        for index in act.operator.traits.latches if act.operator is not None else ():
            operand = act.inputs[index] if index < len(act.inputs) else None
            if operand is None or operand.tensor is not None:
                continue
            if operand.array.dtype == np.int8 and operand.array.size == 1:
                yield _at(
                    act,
                    Severity.WARNING,
                    f"input {index} is a single int8 value computed at run time: the runtime makes "
                    "a table of it in its first run and keeps that",
                    "expand it to the shape of the other operand, or use int16",
                )


def _exponentials(rehearsal: Rehearsal) -> Iterator[Finding]:
    """Softmax of int8 sums exponentials without subtracting the largest input."""
    for act in rehearsal.acts:
        x = act.inputs[0] if act.inputs else None
        if act.operator is None or x is None or x.array.dtype != np.int8:
            continue
        if act.operator.traits.exponents is not ExponentRule.FLOAT:
            continue
        largest = 127 * 2.0 ** x.exponents[0]
        if largest > _LARGEST_EXPONENTIAL:
            yield _at(
                act,
                Severity.WARNING,
                f"inputs reach {largest:g}, and the int8 kernel takes exp() of them as they are: "
                f"infinite above {_LARGEST_EXPONENTIAL:g}",
                "compute this node in int16, or scale its input down",
            )


def saturation(rehearsal: Rehearsal) -> Iterator[Finding]:
    """Layers whose partial sums may leave their accumulator."""
    for row in headroom_of(rehearsal):
        if row.at_risk:
            yield Finding(Severity.WARNING, _risk(row), row.node, row.op_type, _RISK_HINT)


_RISK_HINT = (
    "look at what calibration samples reach (check --calib), or quantize with "
    "--accumulator-headroom any-input"
)


def _risk(row: LayerHeadroom) -> str:
    does = "saturates" if row.accumulator.overflow is Overflow.SATURATE else "wraps"
    kind = "scalar accumulator" if row.tail else "accumulator"
    return (
        f"{len(row.at_risk)} of {row.channels} channels can reach {row.bound}: the "
        f"{row.accumulator.bits}-bit {kind} {does} there"
    )


def _speed(rehearsal: Rehearsal) -> Iterator[Finding]:
    """Nodes that take a slower kernel than they could."""
    target = rehearsal.target
    work = {act.node.name: _products(act) for act in rehearsal.acts}
    total = max(sum(work.values()), 1)
    slow = 0
    for act in rehearsal.acts:
        if act.operator is None or not act.inputs or act.inputs[0] is None:
            continue
        x, traits = act.inputs[0], act.operator.traits
        bits = 8 * x.array.dtype.itemsize
        if x.array.dtype.name not in ("int8", "int16"):
            continue
        if bits == 16 and _carries_dead_table(act.operator):
            yield _at(
                act,
                Severity.NOTE,
                "carries an int16 table that the runtime does not read: it computes in float",
                "export without int16 tables",
            )
        if not target.vector:
            continue
        block = target.mac[bits].filter_block
        if traits.multiplies:
            share = work[act.node.name] / total
            for finding in _unaligned(act, block, x.array.shape[-1], share):
                slow += work[act.node.name]
                yield finding
        elif traits.products and len(act.inputs) > 1 and act.inputs[1] is not None:
            inner = _inner(x.array.shape, act.inputs[1].array.shape)
            if inner < block:
                yield _at(
                    act,
                    Severity.NOTE,
                    f"the innermost loop has {inner} elements: below {block} the plain C kernel "
                    "computes",
                )
    if slow:
        yield Finding(
            Severity.NOTE,
            f"{slow / total:.0%} of the model's multiply-accumulates are in unaligned layers",
        )


def _products(act: Act) -> int:
    """Multiply-accumulates of one run of a node."""
    macs = macs_of(act) or passing_macs_of(act)
    if not macs or not act.infos:
        return 0
    try:
        results = math.prod(act.infos[0].dims)
    except ModelError:  # a file that declares no shape
        return 0
    return int(macs[0].parameters.taps.shape[0]) * results


def _carries_dead_table(operator: Operator) -> bool:
    """Whether an int16 node has a table that only its int8 form would look up."""
    if not isinstance(operator, Tabulated) or not operator.lut:
        return False
    return type(operator).simulate is Tabulated.simulate


def _inner(left: tuple[int, ...], right: tuple[int, ...]) -> int:
    try:
        return merged(left, right).inner
    except ModelError:
        return max(left[-1:], default=1)


def _unaligned(act: Act, block: int, channels: int, share: float) -> Iterator[Finding]:
    macs = macs_of(act)
    outputs = macs[0].parameters.taps.shape[1] if macs else channels
    if channels % block == 0 and outputs % block == 0:
        return
    rest = outputs - blocked_channels(outputs, block)
    yield _at(
        act,
        Severity.NOTE,
        f"{channels} → {outputs} channels are no multiples of {block}: the slower unaligned kernel"
        + (f" computes, the last {rest} output channel(s) one by one" if rest else " computes")
        + f" ({share:.0%} of the model's multiply-accumulates)",
        f"use multiples of {block} where the design allows",
    )


RULES: Sequence[Rule] = (
    _refusals,
    _target,
    _packing,
    _exponents,
    _neighbours,
    _biases,
    _shifts,
    _latches,
    _exponentials,
    saturation,
    _speed,
)
"""Every rule, in the order in which findings of one severity are told."""
