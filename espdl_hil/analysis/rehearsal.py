"""A run of every node that does not stop at the first refusal.

The law of this file: what a kernel computes wrongly is known to its operator alone, and said by its
``simulate``. A rehearsal asks every node: one that refuses is noted, and zeros of the declared type
stand for what it would have given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from espdl_hil.errors import ModelError, UnsupportedOperatorError
from espdl_hil.ir.attributes import Attributes
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, ValueInfo
from espdl_hil.ir.operator import Execution, Operand, Operator
from espdl_hil.ir.types import Array, DType
from espdl_hil.ops import OPERATORS
from espdl_hil.targets import Target


@dataclass(frozen=True, slots=True)
class Act:
    """One node of the rehearsal.

    Attributes:
        node: as the file has it.
        operator: parsed; ``None`` where we do not know it or refuse its attributes.
        at: where it ran; holds unpacked layers in ``memo``.
        infos: what the file declares of its outputs.
        inputs: what it was given last; ``None`` for an omitted or unknown one.
        refusals: why it does not run, in the words of its operator; at most one per run.
    """

    node: LoweredNode
    operator: Operator | None
    at: Execution
    infos: tuple[ValueInfo, ...]
    inputs: list[Operand | None]
    refusals: list[ModelError]


class Rehearsal:
    """A model whose nodes are run one by one, as far as they run.

    Attributes:
        model: what is rehearsed.
        target: whose kernels.
        acts: one per node, in file order.
    """

    def __init__(self, model: LoweredModel, target: Target) -> None:
        """Parse every node; what cannot be parsed is a refusal."""
        self.model = model
        self.target = target
        self.acts = tuple(self._act(node) for node in model.nodes)

    def _act(self, node: LoweredNode) -> Act:
        at = Execution(self.target, self.model.parameters, {}, {})
        infos = tuple(
            self.model.values.get(name, ValueInfo(name, DType.UNDEFINED, None))
            for name in node.outputs
        )
        kind = OPERATORS.get(node.op_type)
        if kind is None:
            return Act(node, None, at, infos, [], [UnsupportedOperatorError(node.op_type)])
        try:
            operator = kind.from_attributes(Attributes(node.name, node.op_type, node.attributes))
        except ModelError as error:
            return Act(node, None, at, infos, [], [error])
        return Act(node, operator, at, infos, [], [])

    def run(self, inputs: Mapping[str, Array] | None = None) -> None:
        """Run all nodes once; ``None`` gives zeros to every graph input."""
        values: dict[str, Operand] = {
            name: Operand(tensor.array(), tensor.exponents, tensor)
            for name, tensor in self.model.parameters.items()
            if not tensor.strings
        }
        for name in self.model.inputs:
            info = self.model.values[name]
            array = _zeros(info) if inputs is None else inputs[name]
            if array is not None:
                values[name] = Operand(array, info.exponents)
        for act in self.acts:
            act.inputs[:] = [values.get(name) for name in act.node.inputs]
            for info, array in zip(act.infos, self._perform(act), strict=True):
                if info.name and array is not None:
                    values[info.name] = Operand(array, info.exponents)

    def reset(self) -> None:
        """Forget what streaming nodes remember."""
        for act in self.acts:
            act.at.state.clear()

    def _perform(self, act: Act) -> list[Array | None]:
        """The outputs of one node, or what stands for them."""
        infos = act.infos
        missing = any(
            name and operand is None
            for name, operand in zip(act.node.inputs, act.inputs, strict=True)
        )
        if act.operator is not None and not missing:
            try:
                with np.errstate(all="ignore"):
                    arrays = act.operator.simulate(act.inputs, infos, act.at)
                return [*arrays[: len(infos)], *[None] * (len(infos) - len(arrays))]
            except ModelError as error:
                act.refusals.append(error)
            except MemoryError as error:
                act.refusals.append(ModelError(f"{act.node.op_type} cannot compute: {error}"))
        return [_zeros(info) for info in infos]


def _zeros(info: ValueInfo) -> Array | None:
    """What stands for a value that is not known; ``None`` where its shape is not known either."""
    try:
        return np.zeros(info.dims, dtype=info.dtype.numpy)
    except ModelError:
        return None
