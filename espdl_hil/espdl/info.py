"""The ``.info`` text beside an ``.espdl`` file: the whole model for a reader's eyes.

The blocks and their wording are those that esp-ppq users know: properties, graph, initializers,
values, test vectors. Two things differ: the padding at the end of raw data is not printed, and a
tensor of more than ``limit`` elements shows its ends only. Elements are in stored order, flat,
because the dimensions of a packed filter are not the order of its bytes.

Source: esp-ppq 1.3.5 ``parser/espdl/helper.py`` (the format of its output).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from espdl_hil.ir.attributes import Attribute, AttributeKind
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.types import DType

_LINE_WIDTH = 100
_EDGE_ITEMS = 8
_TEXT_LIMIT = 64
DEFAULT_LIMIT = 1000


def info_text(
    model: LoweredModel, *, limit: int | None = DEFAULT_LIMIT, notes: Iterable[str] = ()
) -> str:
    """The model as text.

    Args:
        model: as read, or as it will be written.
        limit: tensors with more elements show their first and last few; ``None`` shows all
            (seconds for a model of megabytes).
        notes: lines about how the model was made, in a block of their own at the end.
    """
    blocks = [
        "\n".join(["model properties:", "metadata_props:", *_pairs(model)]),
        "\n".join(_graph(model)),
        _section("initializers value", (_values(t, limit) for t in model.parameters.values())),
        _section("values info", (f"  {_value(value)}" for value in model.values.values())),
        _section("test inputs value", (_values(t, limit) for t in model.test_inputs)),
        _section("test outputs value", (_values(t, limit) for t in model.test_outputs)),
    ]
    told = list(notes)
    if told:
        blocks.append(_section("notes", told))
    return "\n\n".join(blocks) + "\n"


def _pairs(model: LoweredModel) -> Iterable[str]:
    return (f"{key}: {value}" for key, value in model.metadata.items())


def _section(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"{title}:", *lines])


def _graph(model: LoweredModel) -> list[str]:
    lines = [f"graph {model.name} ("]
    lines += [f"  {_value(model.values[name])}" for name in model.inputs]
    parameters = [tensor for name, tensor in model.parameters.items() if name not in model.inputs]
    if parameters:
        lines.append(") initializers (")
        lines += [f"  %{tensor.name}{_type(tensor.dtype, tensor.dims)}" for tensor in parameters]
    lines.append(") {")
    lines += [f"  {_node(node)}" for node in model.nodes]
    return [*lines, f"  return {_names(model.outputs)}", "}"]


def _node(node: LoweredNode) -> str:
    attributes = ", ".join(
        f"{name} = {_attribute(node.attributes[name])}" for name in sorted(node.attributes)
    )
    options = f"[{attributes}]" if attributes else ""
    return f"{_names(node.outputs)} = {node.op_type}{options}({_names(node.inputs)})"


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"%{name}" for name in names)


def _attribute(attribute: Attribute) -> str:
    value = attribute.value
    if isinstance(value, Tensor):
        return f"<Tensor>{_type(value.dtype, value.dims)}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_number(item, attribute.kind) for item in value) + "]"
    return _number(value, attribute.kind)


def _number(value: int | float | str | bytes, kind: AttributeKind) -> str:
    if isinstance(value, (str, bytes)):
        shown = repr(value[:_TEXT_LIMIT])
        rest = len(value) - _TEXT_LIMIT
        return shown if rest <= 0 else f"{shown}...<+len={rest}>"
    return f"{value:.15g}" if kind in (AttributeKind.FLOAT, AttributeKind.FLOATS) else str(value)


def _value(value: ValueInfo) -> str:
    return f"%{value.name}{_type(value.dtype, value.shape)}, exponents: {list(value.exponents)}"


def _type(dtype: DType, shape: Sequence[int | str] | None) -> str:
    if shape is None:
        return f"[{dtype.name}]"
    dims = "x".join(str(n) or "?" for n in shape) if shape else "scalar"
    return f"[{dtype.name}, {dims}]"


def _values(tensor: Tensor, limit: int | None) -> str:
    doc = f", docString: {tensor.doc.encode()!r}" if tensor.doc else ""
    return (
        f"  %{tensor.name}, shape: {list(tensor.dims)}, "
        f"exponents: {list(tensor.exponents)}{doc},\nvalue: {_elements(tensor, limit)}"
    )


def _elements(tensor: Tensor, limit: int | None) -> str:
    if tensor.dtype is DType.STRING:
        return str(list(tensor.strings))
    flat = np.frombuffer(tensor.data, tensor.dtype.numpy)
    text = np.array2string(
        flat,
        max_line_width=_LINE_WIDTH,
        separator=", ",
        prefix="array(",
        suffix=",",
        threshold=flat.size if limit is None else limit,
        edgeitems=_EDGE_ITEMS,
    )
    more = f", elements={flat.size}" if limit is not None and flat.size > limit else ""
    return f"array({text}, dtype={tensor.dtype.numpy.name}{more})"
