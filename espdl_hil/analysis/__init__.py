"""What a model will do on a target, said before anything is flashed."""

from espdl_hil.analysis.board import board_findings
from espdl_hil.analysis.findings import Finding, Severity
from espdl_hil.analysis.headroom import LayerHeadroom, headroom
from espdl_hil.analysis.memory import MemoryEstimate, estimate_memory
from espdl_hil.analysis.precision import (
    LOW_SQNR_DB,
    constant_findings,
    low_quality,
    range_findings,
)
from espdl_hil.analysis.preflight import (
    cleared,
    findings_of,
    preflight,
    refuse_errors,
    worst_first,
)
from espdl_hil.analysis.relief import Relief, Relieved, relieve
from espdl_hil.analysis.unbiased import without_bias

__all__ = [
    "LOW_SQNR_DB",
    "Finding",
    "LayerHeadroom",
    "MemoryEstimate",
    "Relief",
    "Relieved",
    "Severity",
    "board_findings",
    "cleared",
    "constant_findings",
    "estimate_memory",
    "findings_of",
    "headroom",
    "low_quality",
    "preflight",
    "range_findings",
    "refuse_errors",
    "relieve",
    "without_bias",
    "worst_first",
]
