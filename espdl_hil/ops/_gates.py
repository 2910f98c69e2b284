"""How GRU and LSTM are lowered: int16 gates at one exponent, shifts that the kernels have.

Source: esp-ppq ``core/common.py`` (gate exponent), esp-dl 12c0616 dl_module_gru.hpp,
dl_module_lstm.hpp (which inputs and outputs share an exponent).
"""

from __future__ import annotations

from dataclasses import replace

from espdl_hil.errors import ModelError
from espdl_hil.ir.operator import LoweredOperator, LoweringSite
from espdl_hil.ir.types import QuantParams
from espdl_hil.ops._recurrent import Recurrent

GATES = QuantParams((-9,), 16)
"""Of gates, bias and cell: +-64 in steps of 1/512."""

_LARGEST_SHIFT = 31


def refuse_gates(site: LoweringSite) -> None:
    """Refuse weights or a bias that are computed at run time, and more than one sample."""
    x = site.inputs[0]
    assert x is not None
    for index, given in enumerate(site.inputs[1:4], start=1):
        if given is None or given.constant is None:
            raise ModelError(
                f"input {index} is missing or computed at run time",
                hint="weights and bias must be constants",
            )
    if x.shape[1] != 1:
        raise ModelError(f"{x.shape[1]} samples", hint="export the model with batch 1")


def lowered_gates(layer: Recurrent, site: LoweringSite) -> LoweredOperator:
    """The layer with its gate exponent; weights stay in ONNX order.

    Raises:
        ModelError: the gates would be shifted by more bits than the kernels can.
    """
    x, weights, recurrence = site.inputs[:3]
    state = site.outputs[1].quant
    assert x is not None
    assert weights is not None
    assert recurrence is not None
    for given, by in ((x.quant, weights.quant), (state, recurrence.quant)):
        assert given is not None
        assert by is not None
        shift = GATES.exponent - given.exponent - by.exponent
        if shift > _LARGEST_SHIFT:
            raise ModelError(
                f"gates shifted by {shift} bits: the kernels shift by up to {_LARGEST_SHIFT}",
                hint="the weights or inputs are very small: scale the inputs up",
            )
    return replace(layer, gate_exponent=GATES.exponent).unchanged()
