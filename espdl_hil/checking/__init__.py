"""A suite's model on a board: prepare it, run every input set, judge, score, and keep a record."""

from __future__ import annotations

from espdl_hil.checking.cache import ModelCache
from espdl_hil.checking.check import Checker, finding
from espdl_hil.checking.prepare import PreparedModel

__all__ = ["Checker", "ModelCache", "PreparedModel", "finding"]
