"""QuantModel → LoweredModel: the target's layouts, requantizations, tables and packed weights."""

from espdl_hil.lowering.axes import stored_axes
from espdl_hil.lowering.check import check
from espdl_hil.lowering.lower import lower

__all__ = ["check", "lower", "stored_axes"]
