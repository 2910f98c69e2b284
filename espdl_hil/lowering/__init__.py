"""QuantModel → LoweredModel: the target's layouts, requantizations, tables and packed weights."""

from espdl_hil.lowering.axes import stored_axes
from espdl_hil.lowering.check import check
from espdl_hil.lowering.lower import lower
from espdl_hil.lowering.values import to_real, to_stored

__all__ = ["check", "lower", "stored_axes", "to_real", "to_stored"]
