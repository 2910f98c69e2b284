"""Attention (opset 23) as the operators that ESP-DL has.

Before::

    y = Attention(q, k, v)

After::

    s = Mul(MatMul(q, Transpose(k)), scale)
    y = MatMul(Softmax(Add(s, mask)), v)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.frontend.build import Steps
from espdl_hil.frontend.scope import OnnxNode, Scope
from espdl_hil.ops.add import Add
from espdl_hil.ops.matmul import MatMul
from espdl_hil.ops.mul import Mul
from espdl_hil.ops.softmax import Softmax

_MASK, _PAST_KEY = 3, 4


def attention(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """The nodes for one Attention without a cache; see the file's head."""
    read = node.typed(scope.opset)
    softcap = read.number("softcap", 0.0)
    if any(node.inputs[_PAST_KEY:]) or any(node.outputs[1:]) or softcap:
        raise ModelError(
            "Attention with a cache, its scores as results, or a soft cap",
            node=node.name,
            hint="write it as MatMul, Softmax and MatMul",
        )
    steps = Steps(node, scope)
    heads = [read.integer("q_num_heads", 0), *[read.integer("kv_num_heads", 0)] * 2]
    query, key, value = (
        _by_head(steps, name, count, label)
        for name, count, label in zip(
            node.inputs[:3], heads, ("query", "key", "value"), strict=True
        )
    )
    batch, count, length, size = steps.shape(query)
    for_each = count // steps.shape(key)[1]
    if for_each > 1:
        repeated = [index // for_each for index in range(count)]
        key = steps.gather("keys", key, 1, repeated)
        value = steps.gather("values", value, 1, repeated)
    turned = steps.transpose("turned", key, (0, 1, 3, 2))
    seen = steps.shape(turned)[3]
    scores = steps.do(MatMul.op_type, "products", (query, turned), (batch, count, length, seen))
    scale = steps.constant("scale", np.float32(read.number("scale", 1.0 / math.sqrt(size))))
    scores = steps.do(Mul.op_type, "scores", (scores, scale))
    mask = _mask(steps, length, seen, bool(read.integer("is_causal", 0)))
    if mask:
        scores = steps.do(Add.op_type, "masked", (scores, mask))
    weights = steps.do(Softmax.op_type, "weights", (scores,), axis=3)
    wide = (batch, count, length, steps.shape(value)[3])
    mixed = steps.do(MatMul.op_type, "mixed", (weights, value), wide)
    if len(steps.shape(node.inputs[0])) == 4:
        return steps.finish(mixed)
    return steps.finish(steps.transpose("joined", mixed, (0, 2, 1, 3)))


def _by_head(steps: Steps, value: str, heads: int, label: str) -> str:
    """``[batch, length, heads * size]`` as ``[batch, heads, length, size]``."""
    shape = steps.shape(value)
    if len(shape) == 4:
        return value
    apart = steps.reshape(f"{label}/apart", value, (*shape[:2], heads, shape[2] // heads))
    return steps.transpose(f"{label}/heads", apart, (0, 2, 1, 3))


def _mask(steps: Steps, length: int, seen: int, causal: bool) -> str:
    """What is added to the scores; empty for nothing. A pass bounds the lowest number."""
    lowest = np.finfo(np.float32).min
    given = steps.node.inputs[_MASK] if len(steps.node.inputs) > _MASK else ""
    total = np.zeros((length, seen), dtype=np.float32)
    if causal:
        total = np.where(np.tri(length, seen, dtype=bool), 0.0, lowest).astype(np.float32)
    if given and given not in steps.scope.constants:
        if (
            causal
            or steps.scope.types[given].dtype != steps.scope.types[steps.node.inputs[0]].dtype
        ):
            raise ModelError("a mask that is computed at run time", node=steps.node.name)
        return given
    if given:
        array = steps.scope.constants[given]
        if array.dtype == np.bool_:
            array = np.where(array, 0.0, lowest)
        total = np.maximum(array.astype(np.float64) + total, lowest).astype(np.float32)
    return steps.constant("mask", total) if total.any() else ""
