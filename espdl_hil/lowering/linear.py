"""Nodes that change the quantization of a value: Quantize-, Dequantize- and RequantizeLinear.

The board reads neither scale nor zero point; it converts by the exponents of input and output. They
are written for other readers, with ONNX's meaning.
Source: esp-dl 12c0616 dl_module_requantize_linear.hpp (``output->assign(input)``).
"""

from __future__ import annotations

import numpy as np

from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.lowered import LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.types import DType, QuantParams
from espdl_hil.ops.dequantize_linear import DequantizeLinear
from espdl_hil.ops.quantize_linear import QuantizeLinear
from espdl_hil.ops.requantize_linear import RequantizeLinear


def linear_node(
    result: str, given: ValueInfo, have: QuantParams | None, want: QuantParams | None
) -> tuple[LoweredNode, tuple[Tensor, Tensor]]:
    """The node that gives ``result`` from ``given``, and its scale and zero point.

    Exponents are compared exactly: any difference makes a node.
    """
    if want is None:
        assert have is not None
        kind, scale, width = DequantizeLinear.op_type, 2.0**have.exponent, have.dtype
    elif have is None:
        kind, scale, width = QuantizeLinear.op_type, 2.0**want.exponent, want.dtype
    else:
        kind, scale = RequantizeLinear.op_type, 2.0 ** (want.exponent - have.exponent)
        width = want.dtype
    parameters = (
        Tensor.of(f"{result}/scale", np.array(scale, dtype=np.float32)),
        Tensor.of(f"{result}/zero", np.zeros((), dtype=width.numpy)),
    )
    quant_type = "F32" if want is None else {DType.INT8: "S8", DType.INT16: "S16"}[width]
    node = LoweredNode(
        result,
        kind,
        (given.name, *(tensor.name for tensor in parameters)),
        (result,),
        {"quant_type": Attribute.of(quant_type)},
    )
    return node, parameters
