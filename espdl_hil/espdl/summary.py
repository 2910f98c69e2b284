"""What is in a model and how many bytes each kind of content takes, as plain values.

The law of this file: kinds are told from names, places and types alone, so any producer's file can
be summed up, also one with operators that we do not know.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.types import DType
from espdl_hil.targets import TARGETS, Target

_LAYOUT_PREFIX = "layout ==> "
_NO_LAYOUT = "UNK"
_LOOKUP_TABLE = "lut"
_FEATURE_TYPES = (DType.INT8, DType.INT16)
_BIAS_TYPES = (DType.INT32, DType.INT64)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of a file by kind of content; they sum to the file's size.

    Attributes:
        weights: INT8 and INT16 parameters (filters, recurrent weights, quantized constants).
        bias: the INT32 or INT64 vector that follows a weight among a node's inputs.
        tables: lookup tables.
        constants: all other parameters (shapes, axes, float constants).
        test_vectors: test inputs and expected outputs.
        graph: everything else: nodes, names, shapes, headers, padding.
    """

    weights: int
    bias: int
    tables: int
    constants: int
    test_vectors: int
    graph: int


def measure_sizes(model: LoweredModel, file_bytes: int) -> Sizes:
    """Sum the stored elements of ``model`` by kind; ``file_bytes`` is the size of its file."""
    kinds = parameter_kinds(model)
    total = dict.fromkeys(("weights", "bias", "tables", "constants"), 0)
    for name, tensor in model.parameters.items():
        total[kinds[name]] += stored_bytes(tensor)
    vectors = sum(map(stored_bytes, (*model.test_inputs, *model.test_outputs)))
    rest = file_bytes - vectors - sum(total.values())
    return Sizes(**total, test_vectors=vectors, graph=rest)


def parameter_kinds(model: LoweredModel) -> Mapping[str, str]:
    """``"weights"``, ``"bias"``, ``"tables"`` or ``"constants"`` for each parameter."""
    kinds = {
        name: "weights" if tensor.dtype in _FEATURE_TYPES else "constants"
        for name, tensor in model.parameters.items()
    }
    for node in model.nodes:
        table = lookup_table(node)
        if table in kinds:
            kinds[table] = "tables"
        if len(node.inputs) > 2 and kinds.get(node.inputs[1]) == "weights":
            bias = model.parameters.get(node.inputs[2])
            if bias is not None and bias.dtype in _BIAS_TYPES and len(bias.dims) == 1:
                kinds[bias.name] = "bias"
    return kinds


def lookup_table(node: LoweredNode) -> str:
    """The name of the parameter that tabulates a node's function; ``""`` where none does."""
    found = node.attributes.get(_LOOKUP_TABLE)
    return found.value if found is not None and isinstance(found.value, str) else ""


def stored_bytes(tensor: Tensor) -> int:
    """Bytes of a tensor's elements, without padding."""
    return len(tensor.data) + sum(len(text.encode()) for text in tensor.strings)


def filter_layout(tensor: Tensor) -> str:
    """The packing that the file notes for a filter, ``""`` where it is stored plainly."""
    if not tensor.doc.startswith(_LAYOUT_PREFIX):
        return ""
    layout = tensor.doc.removeprefix(_LAYOUT_PREFIX)
    return "" if layout == _NO_LAYOUT else layout


def possible_targets(model: LoweredModel) -> tuple[Target, ...]:
    """The targets that the file's metadata names; none where it is silent or unknown to us."""
    name = model.metadata.get("target", "")
    return tuple(target for target in TARGETS if name in target.metadata_names)


def describe(model: LoweredModel, file_bytes: int) -> dict[str, Any]:
    """The model as JSON-ready data: everything but the elements of its tensors.

    Args:
        model: any lowered model.
        file_bytes: size of its file, for the sum of ``sizes_bytes``.
    """
    kinds = parameter_kinds(model)
    return {
        "name": model.name,
        "targets": [target.name for target in possible_targets(model)],
        "metadata": dict(model.metadata),
        "ir_version": model.ir_version,
        "model_version": model.model_version,
        "producer": list(model.producer),
        "doc": model.doc,
        "sizes_bytes": asdict(measure_sizes(model, file_bytes)),
        "inputs": list(model.inputs),
        "outputs": list(model.outputs),
        "nodes": [_describe_node(node) for node in model.nodes],
        "values": {name: _describe_value(value) for name, value in model.values.items()},
        "parameters": {
            name: {**_describe_tensor(tensor), "kind": kinds[name], "layout": filter_layout(tensor)}
            for name, tensor in model.parameters.items()
        },
        "test_inputs": {tensor.name: _describe_tensor(tensor) for tensor in model.test_inputs},
        "test_outputs": {tensor.name: _describe_tensor(tensor) for tensor in model.test_outputs},
    }


def _describe_node(node: LoweredNode) -> dict[str, Any]:
    return {
        "name": node.name,
        "op_type": node.op_type,
        "inputs": list(node.inputs),
        "outputs": list(node.outputs),
        "attributes": {name: _plain(item) for name, item in sorted(node.attributes.items())},
    }


def _plain(attribute: Attribute) -> Any:  # noqa: ANN401 - JSON is dynamic
    value = attribute.value
    if isinstance(value, Tensor):
        return _describe_tensor(value)
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, tuple):
        return [_finite(item) for item in value]
    return _finite(value)


def _finite(value: int | float | str) -> int | float | str:
    """A number as it is; NaN and infinity, which JSON lacks, by name."""
    return value if isinstance(value, (int, str)) or math.isfinite(value) else str(value)


def _describe_value(value: ValueInfo) -> dict[str, Any]:
    return {
        "dtype": value.dtype.name,
        "shape": None if value.shape is None else list(value.shape),
        "exponents": list(value.exponents),
    }


def _describe_tensor(tensor: Tensor) -> dict[str, Any]:
    return {
        "dtype": tensor.dtype.name,
        "shape": list(tensor.dims),
        "exponents": list(tensor.exponents),
        "size_bytes": stored_bytes(tensor),
    }
