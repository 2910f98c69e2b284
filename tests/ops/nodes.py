"""Run one operator on given integers: a lowered model of a single node, simulated."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.types import DType
from espdl_hil.simulator import Simulator
from espdl_hil.targets import target_named


def node_model(
    op_type: str,
    inputs: Mapping[str, tuple[np.ndarray, int]],
    outputs: Mapping[str, tuple[np.dtype | type, int]],
    parameters: tuple[Tensor, ...] = (),
    **attributes: object,
) -> LoweredModel:
    """A model of one node called ``node``.

    Args:
        op_type: its operator.
        inputs: (integers, exponent) by name.
        outputs: (type, exponent) by name; shapes are left out.
        parameters: constant inputs after ``inputs``, in order; one called ``table`` is no input,
            one without a name stands for an omitted input.
        **attributes: of the node.
    """
    values = {
        name: ValueInfo(name, DType.of(array.dtype), array.shape, (exponent,))
        for name, (array, exponent) in inputs.items()
    }
    for name, (dtype, exponent) in outputs.items():
        values[name] = ValueInfo(name, DType.of(dtype), None, (exponent,))
    node = LoweredNode(
        "node",
        op_type,
        (*inputs, *(tensor.name for tensor in parameters if tensor.name != "table")),
        tuple(outputs),
        {name: Attribute.of(value) for name, value in attributes.items()},
    )
    return LoweredModel(
        name="one node",
        nodes=(node,),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        values=values,
        parameters={tensor.name: tensor for tensor in parameters if tensor.name},
    )


def simulate_node(
    target: str,
    op_type: str,
    inputs: Mapping[str, tuple[np.ndarray, int]],
    output: tuple[np.dtype | type, int],
    parameters: tuple[Tensor, ...] = (),
    **attributes: object,
) -> np.ndarray:
    """The one output of a node on ``target``."""
    model = node_model(op_type, inputs, {"y": output}, parameters, **attributes)
    arrays = {name: array for name, (array, _) in inputs.items()}
    return Simulator(model, target_named(target)).run(arrays)["y"]
