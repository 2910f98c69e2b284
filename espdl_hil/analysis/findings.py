"""One thing that a look at a model found, and how much it matters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How much a finding matters."""

    ERROR = "error"
    """The target computes something else than the model means, or stops."""
    WARNING = "warning"
    """Right for some inputs, wrong or impossible for others."""
    NOTE = "note"
    """Right, but slower or larger than it need be."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Attributes:
        severity: how much it matters.
        what: the fact, in one line.
        node: name of the node; empty where the whole model is meant.
        op_type: the node's operator; empty without a node.
        hint: what to do about it; may be empty.
    """

    severity: Severity
    what: str
    node: str = ""
    op_type: str = ""
    hint: str = ""
