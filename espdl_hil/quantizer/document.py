"""The quantization file (``.json`` beside the ``.espdl``): every exponent, by node and value.

The law of this file: equal models give equal documents; no clock, no hash of memory.

The outline is esp-ppq's (``configs``, ``dispatchings``, ``values``), so its readers find what they
look for; instead of opaque hashes, values are keyed by name, and exponents stand beside scales.
"""

from __future__ import annotations

from typing import Any

from espdl_hil.ir.lowered import LoweredModel, LoweredNode
from espdl_hil.ir.types import DType
from espdl_hil.ops import OPERATORS
from espdl_hil.quantizer.config import QuantizeConfig
from espdl_hil.targets import Target

_WIDTHS = {DType.INT8: 8, DType.INT16: 16, DType.INT32: 32, DType.INT64: 64}
_KERNELS = {"c": "C_", "s3": "S3_", "p4": ""}


def quantization_document(
    model: LoweredModel, config: QuantizeConfig, calibration: str
) -> dict[str, Any]:
    """The document of a lowered model: JSON-ready, nodes in execution order.

    Args:
        model: as lowered, inserted nodes included.
        config: what was asked for.
        calibration: a description of the samples.
    """
    configs = {node.name: _node(model, node, config.target, config.bits) for node in model.nodes}
    values = {
        name: {key: entry[key] for key in ("bit_width", "exponents", "scale", "zero_point")}
        for entries in configs.values()
        for name, entry in entries.items()
    }
    return {
        "target": config.target.name,
        "bits": config.bits,
        "observer": config.observer.value,
        "weights": config.weights.value,
        "bias_correction": "bias_correction" in model.metadata,
        "calibration": calibration,
        "configs": configs,
        "dispatchings": {node.name: _platform(node, config.target) for node in model.nodes},
        "values": values,
    }


def _platform(node: LoweredNode, target: Target) -> str:
    """esp-ppq's name of where and how wide a node computes."""
    quant_type = node.attributes["quant_type"].value
    width = {"S8": "INT8", "S16": "INT16"}.get(str(quant_type))
    return "FP32" if width is None else f"ESPDL_{_KERNELS[target.kernels]}{width}"


def _node(model: LoweredModel, node: LoweredNode, target: Target, bits: int) -> dict[str, Any]:
    traits = OPERATORS[node.op_type].traits
    entries: dict[str, Any] = {}
    for index, name in enumerate((*node.inputs, *node.outputs)):
        if not name or (index < len(node.inputs) and index in traits.index_inputs):
            continue
        found = model.values.get(name) or model.parameters[name]
        width = _WIDTHS.get(found.dtype)
        if width is None:
            continue
        # A bias has fewer bits than its element type on some targets.
        bias = traits.multiplies and index == 2 and index < len(node.inputs)
        limit = 2 ** ((target.mac[bits].bias_bits if bias else width) - 1)
        entries[name] = {
            "bit_width": width,
            "policy": {
                "PER_TENSOR": len(found.exponents) == 1,
                "PER_CHANNEL": len(found.exponents) > 1,
                "LINEAR": True,
                "SYMMETRICAL": True,
                "POWER_OF_2": True,
            },
            "state": "PASSIVE" if bias else "ACTIVATED",
            "quant_min": -limit,
            "quant_max": limit - 1,
            "exponents": list(found.exponents),
            "scale": [2.0**exponent for exponent in found.exponents],
            "zero_point": 0,
        }
    return entries
