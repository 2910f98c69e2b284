"""Everything that stands between a model and a target, said at once, before anything is flashed.

The law of this file: it asks and sorts; what there is to say stands in ``rules``, and with the
operators themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from espdl_hil.analysis.chips import CHIP_MEMORY
from espdl_hil.analysis.findings import Finding, Severity
from espdl_hil.analysis.memory import MemoryEstimate, estimate_memory, size_text
from espdl_hil.analysis.precision import constant_findings
from espdl_hil.analysis.rehearsal import Rehearsal
from espdl_hil.analysis.rules import RULES, saturation
from espdl_hil.errors import ModelError, UnsupportedModelError, UnsupportedOperatorError
from espdl_hil.ir.graph import Graph
from espdl_hil.ir.lowered import LoweredModel
from espdl_hil.lowering import check
from espdl_hil.targets import Target


def preflight(
    model: LoweredModel | Graph, target: Target, bits: int = 8, *, overflow: bool = True
) -> tuple[Finding, ...]:
    """All findings on a model, the worst first.

    Args:
        model: lowered (any ``.espdl`` file); or a float graph that is to be quantized.
        target: whose kernels, layouts and memory.
        bits: 8 or 16, of a graph's quantization; a lowered model has its own.
        overflow: whether to warn of accumulators that some input may overflow; no, where somebody
            has seen to it.
    """
    if isinstance(model, Graph):
        found = [*findings_of(check(model, target, bits)), *constant_findings(model, bits)]
    else:
        rehearsal = Rehearsal(model, target)
        rehearsal.run()
        rules = [rule for rule in RULES if overflow or rule is not saturation]
        found = [finding for rule in rules for finding in rule(rehearsal)]
    found += _memory(estimate_memory(model, bits), target)
    return worst_first(found)


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings by severity, otherwise in the order given."""
    order = list(Severity)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))


def refuse_errors(findings: Iterable[Finding]) -> None:
    """Stop where something stops the model.

    Raises:
        UnsupportedModelError: the errors among ``findings``, all at once.
    """
    errors = [
        ModelError(
            f"{finding.op_type}: {finding.what}" if finding.op_type else finding.what,
            node=finding.node,
            hint=finding.hint,
        )
        for finding in findings
        if finding.severity is Severity.ERROR
    ]
    if errors:
        raise UnsupportedModelError(errors)


def cleared(model: LoweredModel, target: Target) -> tuple[Finding, ...]:
    """The warnings on a file that nothing keeps from running on a target.

    That an accumulator overflows for some input is no warning here: the integers are exact all the
    same, and ``check`` tells it.

    Raises:
        UnsupportedModelError: what does keep it, all at once.
    """
    findings = preflight(model, target, overflow=False)
    refuse_errors(findings)
    return tuple(finding for finding in findings if finding.severity is Severity.WARNING)


def findings_of(errors: Iterable[ModelError]) -> tuple[Finding, ...]:
    """What an import, a check or a lowering refuses, as findings; groups are taken apart."""
    found: list[Finding] = []
    for error in errors:
        if isinstance(error, UnsupportedModelError):
            found += findings_of(error.findings)
            continue
        kind = error.op_type if isinstance(error, UnsupportedOperatorError) else ""
        what = f"value {error.value!r}: {error.what}" if error.value else error.what
        found.append(Finding(Severity.ERROR, what, error.node, kind, error.hint))
    return tuple(found)


def _memory(needs: MemoryEstimate, target: Target) -> Iterator[Finding]:
    """What does not fit the usual module."""
    chip = CHIP_MEMORY.get(target.name)
    if chip is None:
        return
    ram = chip.psram_bytes or chip.internal_bytes
    where = "PSRAM" if chip.psram_bytes else "internal RAM"
    if needs.activations > ram:
        yield Finding(
            Severity.WARNING,
            f"activations need {size_text(needs.activations)} at node {needs.peak_node!r}; "
            f"{target.name} usually has {size_text(ram)} of {where}",
            hint="use smaller inputs, or fewer channels in the first layers",
        )
    elif needs.activations > chip.internal_bytes:
        yield Finding(
            Severity.NOTE,
            f"activations need {size_text(needs.activations)}, more than the internal RAM "
            f"({size_text(chip.internal_bytes)}): they lie in PSRAM, which is slower",
        )
    if needs.parameters > chip.flash_bytes:
        yield Finding(
            Severity.WARNING,
            f"parameters need {size_text(needs.parameters)}; {target.name} modules usually leave "
            f"{size_text(chip.flash_bytes)} of flash",
            hint="load the model from an SD card, or use a module with more flash",
        )
