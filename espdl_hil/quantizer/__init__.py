"""Graph and ranges → ``QuantModel``: an exponent for every value, by the target's rules."""

from espdl_hil.quantizer.assign import assign, calibrated_values
from espdl_hil.quantizer.bias import channel_means, corrected, corrected_nodes
from espdl_hil.quantizer.config import QuantizeConfig
from espdl_hil.quantizer.document import quantization_document
from espdl_hil.quantizer.room import AccumulatorHeadroom, Room, Rooms
from espdl_hil.quantizer.weights import WeightRange

__all__ = [
    "AccumulatorHeadroom",
    "QuantizeConfig",
    "Room",
    "Rooms",
    "WeightRange",
    "assign",
    "calibrated_values",
    "channel_means",
    "corrected",
    "corrected_nodes",
    "quantization_document",
]
