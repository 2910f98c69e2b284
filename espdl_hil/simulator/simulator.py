"""Run a lowered model on the host with the integers of its target.

The law of this file: it executes exactly the nodes, names, layouts and bytes of the file, in file
order, and knows no operator; what a node does is its operator's ``simulate``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from espdl_hil.errors import (
    ModelError,
    UnsupportedModelError,
    UnsupportedOperatorError,
)
from espdl_hil.ir.attributes import Attributes
from espdl_hil.ir.freedom import EXACT, Rule
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.operator import Declared, Execution, Operand, Operator
from espdl_hil.ir.types import Array, DType
from espdl_hil.ops import OPERATORS
from espdl_hil.runs import Engine
from espdl_hil.targets import Target

_NOTHING: Mapping[str, Array] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Step:
    """One node output in execution order, for reports."""

    node: str
    op_type: str
    value: str


@dataclass(frozen=True, slots=True)
class _Node:
    """A parsed node with the memory that lives as long as the simulator."""

    node: LoweredNode
    operator: Operator
    outputs: tuple[ValueInfo, ...]
    at: Execution


class Simulator:
    """A model made ready to run; unpacked filters and streaming state live in it.

    Attributes:
        model: what runs.
        target: whose integers come out.
        order: every node output in execution order.
    """

    def __init__(self, model: LoweredModel, target: Target) -> None:
        """Parse every node.

        Raises:
            UnsupportedModelError: all nodes whose operator or attributes we do not support.
            ModelError: a value that no node computes, or without its type.
        """
        self.model = model
        self.target = target
        self._nodes = _parsed(model, target)
        self.order = tuple(
            Step(item.node.name, item.node.op_type, value)
            for item in self._nodes
            for value in item.node.outputs
            if value
        )
        self._parameters = {
            name: Operand(tensor.array(), tensor.exponents, tensor)
            for name, tensor in model.parameters.items()
            if not tensor.strings
        }
        self._last_use = {
            value: index for index, item in enumerate(self._nodes) for value in item.node.inputs
        }

    def reset(self) -> None:
        """Forget what streaming nodes remember, as ``Model::reset`` does on the board."""
        for item in self._nodes:
            item.at.state.clear()

    def remembered(self) -> tuple[dict[str, Array], ...]:
        """What streaming nodes remember now, for ``recall``."""
        return tuple(dict(item.at.state) for item in self._nodes)

    def recall(self, memory: tuple[dict[str, Array], ...]) -> None:
        """Go back to what ``remembered`` gave, to run the same input set again."""
        for item, state in zip(self._nodes, memory, strict=True):
            item.at.state.clear()
            item.at.state.update(state)

    def rules(self, engine: Engine) -> dict[str, Rule]:
        """The values that may differ from ours on a board, by name; all others are equal or wrong.

        Derived from the traits of the operators and the toolchain of the target. Our own engine is
        compiled without these freedoms, so its integers have none; its floats depend on the C
        library that it is linked with.
        """
        found = {}
        for item in self._nodes:
            inputs = [self._described(name) for name in item.node.inputs]
            rules = item.operator.rules(
                inputs, item.outputs, self.target, integers=engine is Engine.ESPDL
            )
            for info, rule in zip(item.outputs, rules, strict=True):
                if info.name and rule != EXACT:
                    found[info.name] = rule
        return found

    def _described(self, name: str) -> Declared | None:
        if name in self.model.parameters:
            return self.model.parameters[name]
        return self.model.values.get(name)

    def run(
        self,
        inputs: Mapping[str, Array] | None = None,
        keep: Collection[str] | Literal["all"] | None = None,
        *,
        follow: Mapping[str, Array] = _NOTHING,
    ) -> dict[str, Array]:
        """Execute the model once.

        Args:
            inputs: integers (or floats, where the file says so) by input name, in the stored
                layout; ``None`` takes the test inputs of the file.
            keep: names of the values to return; ``"all"`` for every node output and ``None`` for
                the graph outputs.
            follow: node outputs as a board computed them. The nodes behind them read these, so that
                each node is computed from what the board's had; what is returned stays ours.

        Returns:
            The values asked for, in execution order (graph outputs in file order).

        Raises:
            ModelError: inputs that do not fit, a node that the board computes wrongly or not at
                all (with its name and the reason), an unknown name in ``keep``.
        """
        values = {
            name: Operand(array, self.model.values[name].exponents)
            for name, array in self._checked(inputs).items()
        }
        wanted = self._wanted(keep)
        kept: dict[str, Array] = {}
        for name, operand in values.items():
            if name in wanted:
                kept[name] = operand.array.copy()
        for index, item in enumerate(self._nodes):
            arrays = self._execute(item, values)
            for info, array in zip(item.outputs, arrays, strict=True):
                if not info.name:
                    continue
                if info.name in wanted:
                    kept[info.name] = np.array(array, order="C")
                values[info.name] = Operand(_followed(array, info, follow), info.exponents)
            for name in {*item.node.inputs, *item.node.outputs}:
                if self._last_use.get(name, -1) <= index:
                    values.pop(name, None)
        for name in wanted:
            if name not in kept:
                kept[name] = self._parameters[name].array.copy()
        if keep is None:
            return {name: kept[name] for name in self.model.outputs}
        return kept

    def _wanted(self, keep: Collection[str] | Literal["all"] | None) -> set[str]:
        if keep is None:
            return set(self.model.outputs)
        if isinstance(keep, str):
            return {step.value for step in self.order}
        known = {step.value for step in self.order} | set(self.model.inputs)
        for name in keep:
            if name not in known:
                raise ModelError("the model has no such value", value=name)
        return set(keep)

    def _checked(self, inputs: Mapping[str, Array] | None) -> dict[str, Array]:
        """Inputs that fit the file's declarations, by name."""
        if inputs is None:
            tests = {tensor.name: tensor for tensor in self.model.test_inputs}
            if any(name not in tests for name in self.model.inputs):
                raise ModelError(
                    "the file has no test inputs",
                    hint="give inputs, or export the model with test values",
                )
            inputs = {name: self._test_input(tests[name]) for name in self.model.inputs}
        expected = ", ".join(self.model.inputs)
        for name in inputs:
            if name not in self.model.inputs:
                raise ModelError(
                    "the model has no such input", value=name, hint=f"it has {expected}"
                )
        checked = {}
        for name in self.model.inputs:
            info = self.model.values[name]
            if name not in inputs:
                raise ModelError("input is missing", value=name, hint=f"inputs are {expected}")
            checked[name] = _checked_input(np.asarray(inputs[name]), info)
        return checked

    def _test_input(self, tensor: Tensor) -> Array:
        """A test input in the shape that the file declares (scalars are stored as one element)."""
        array = tensor.array()
        dims = self.model.values[tensor.name].dims
        return array.reshape(dims) if array.size == int(np.prod(dims)) else array

    def _execute(self, item: _Node, values: Mapping[str, Operand]) -> tuple[Array, ...]:
        node = item.node
        operands = [self._operand(name, values) for name in node.inputs]
        try:
            with np.errstate(all="ignore"):  # the board's floats do not trap
                arrays = item.operator.simulate(operands, item.outputs, item.at)
        except ModelError as error:
            if error.node:
                raise
            raise ModelError(
                f"{node.op_type}: {error.what}", node=node.name, value=error.value, hint=error.hint
            ) from error
        except (IndexError, ValueError, MemoryError) as error:
            # Arrays that do not fit each other, or no memory, in a file that no exporter wrote.
            raise ModelError(f"{node.op_type} cannot compute: {error}", node=node.name) from error
        if len(arrays) < len(item.outputs):
            raise ModelError(
                f"{node.op_type} gives {len(arrays)} outputs, the file names {len(item.outputs)}",
                node=node.name,
            )
        for info, array in zip(item.outputs, arrays, strict=False):
            if info.name and array.dtype != info.dtype.numpy:
                raise ModelError(
                    f"{node.op_type} gives {array.dtype}, the file says {info.dtype.name}",
                    node=node.name,
                    value=info.name,
                )
        return arrays[: len(item.outputs)]

    def _operand(self, name: str, values: Mapping[str, Operand]) -> Operand | None:
        if not name:
            return None
        found = values.get(name)
        return self._parameters[name] if found is None else found


def _followed(array: Array, info: ValueInfo, follow: Mapping[str, Array]) -> Array:
    """The board's elements, where they are given."""
    given = follow.get(info.name)
    if given is None:
        return array
    if given.shape != array.shape or given.dtype != array.dtype:
        raise ModelError(
            f"cannot follow {given.dtype} {list(given.shape)}, ours is {array.dtype} "
            f"{list(array.shape)}",
            value=info.name,
        )
    return given


def _checked_input(array: Array, info: ValueInfo) -> Array:
    if array.dtype.newbyteorder("<") != info.dtype.numpy:
        raise ModelError(
            f"input is {array.dtype}, the file says {info.dtype.numpy}",
            value=info.name,
            hint=f"give integers at exponent {info.exponents[0]}"
            if info.dtype.name.startswith("INT")
            else "",
        )
    if array.shape != info.dims:
        raise ModelError(
            f"input has shape {list(array.shape)}, the file says {list(info.dims)}",
            value=info.name,
            hint="give the stored layout (channels last where a convolution reads the input)",
        )
    fixed = np.array(array, dtype=info.dtype.numpy, order="C")
    fixed.flags.writeable = False
    return fixed


def _parsed(model: LoweredModel, target: Target) -> tuple[_Node, ...]:
    findings: list[ModelError] = []
    nodes: list[_Node] = []
    known = {"", *model.inputs, *model.parameters}
    for node in model.nodes:
        for name in node.inputs:
            if name not in known:
                raise ModelError("used before it is computed", node=node.name, value=name)
        known.update(node.outputs)
        kind = OPERATORS.get(node.op_type)
        if kind is None:
            findings.append(UnsupportedOperatorError(node.op_type, node=node.name))
            continue
        try:
            operator = kind.from_attributes(Attributes(node.name, node.op_type, node.attributes))
        except ModelError as error:
            findings.append(error)
            continue
        outputs = tuple(_declared(model, node, name) for name in node.outputs)
        nodes.append(_Node(node, operator, outputs, Execution(target, model.parameters, {}, {})))
    if findings:
        raise UnsupportedModelError(findings)
    for name in model.outputs:
        if name not in known:
            raise ModelError("no node computes this output", value=name)
    return tuple(nodes)


def _declared(model: LoweredModel, node: LoweredNode, name: str) -> ValueInfo:
    """What the file says of a node output; an omitted one has no name."""
    if name in model.values:
        return model.values[name]
    if not name:
        return ValueInfo("", DType.UNDEFINED, None)
    raise ModelError("the file declares no type for it", node=node.name, value=name)
