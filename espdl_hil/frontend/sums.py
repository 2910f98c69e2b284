"""Sums and products that ESP-DL has no operator for, by those that it has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.frontend.build import Steps
from espdl_hil.frontend.scope import OnnxNode, Scope
from espdl_hil.ops.add import Add
from espdl_hil.ops.clip import Clip
from espdl_hil.ops.matmul import MatMul
from espdl_hil.ops.mul import Mul
from espdl_hil.ops.relu import Relu


def running_sum(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = CumSum(x)``; after: ``y = MatMul(x, triangle of ones)``: one rounding."""
    steps = Steps(node, scope)
    read = node.typed(scope.opset)
    rank = len(steps.shape(node.inputs[0]))
    axis = int(scope.constant(node, 1).ravel()[0]) % rank
    perm = [*(i for i in range(rank) if i != axis), axis]
    moved = steps.transpose("axis_last", node.inputs[0], perm)
    length = steps.shape(moved)[-1]
    # Column j sums the rows up to it.
    ones = np.triu(np.ones((length, length), dtype=np.float32), read.integer("exclusive", 0))
    if read.integer("reverse", 0):
        ones = ones.T.copy()
    triangle = steps.constant("triangle", ones)
    summed = steps.do(MatMul.op_type, "summed", (moved, triangle), steps.shape(moved))
    back = [perm.index(i) for i in range(rank)]
    return steps.finish(steps.transpose("axis_back", summed, back))


def mean(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = Mean(a, b)``; after: ``y = Mul(Add(a, b), 0.5)``."""
    steps = Steps(node, scope)
    total = node.inputs[0]
    for index, value in enumerate(node.inputs[1:], start=1):
        total = steps.do(Add.op_type, f"sum_{index}", (total, value))
    if len(node.inputs) == 1:
        return steps.finish(total)
    factor = steps.constant("factor", np.float32(1.0 / len(node.inputs)))
    return steps.end(Mul.op_type, (total, factor))


def triangle(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = Trilu(x)``; after: ``y = Mul(x, triangle of ones)``."""
    steps = Steps(node, scope)
    shape = steps.shape(node.inputs[0])[-2:]
    offset = 0
    if len(node.inputs) > 1 and node.inputs[1]:
        offset = int(scope.constant(node, 1).ravel()[0])
    keep = np.triu if node.typed(scope.opset).integer("upper", 1) else np.tril
    mask = steps.constant("mask", keep(np.ones(shape, dtype=np.float32), offset))
    return steps.end(Mul.op_type, (node.inputs[0], mask))


def gemm(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """What ESP-DL's Gemm does not take: a transposed left side, weights computed at run time.

    Before: ``y = Gemm(a, b, c, transA=1)``; after: ``y = Add(MatMul(Transpose(a), b), c)``.
    """
    read = node.typed(scope.opset)
    constant = node.inputs[1] in scope.constants
    flat = constant and (
        len(node.inputs) < 3 or node.inputs[2] in scope.constants or not node.inputs[2]
    )
    if flat and not read.integer("transA", 0):
        return (node,)
    steps = Steps(node, scope)
    sides = list(node.inputs[:2])
    for index, name in enumerate(("transA", "transB")):
        if not read.integer(name, 0):
            continue
        if sides[index] in scope.constants:
            sides[index] = steps.constant(f"side_{index}", scope.constants[sides[index]].T)
        else:
            sides[index] = steps.transpose(f"side_{index}", sides[index], (1, 0))
    shape = (steps.shape(sides[0])[0], steps.shape(sides[1])[1])
    value = steps.do(MatMul.op_type, "product", sides, shape)
    alpha, beta = read.number("alpha", 1.0), read.number("beta", 1.0)
    if alpha != 1.0:
        value = steps.do(Mul.op_type, "scaled", (value, steps.constant("alpha", np.float32(alpha))))
    if len(node.inputs) < 3 or not node.inputs[2]:
        return steps.finish(value)
    bias = node.inputs[2]
    if bias in scope.constants:
        bias = steps.constant("bias", scope.constants[bias].astype(np.float64) * beta)
    elif beta != 1.0:
        bias = steps.do(Mul.op_type, "bias", (bias, steps.constant("beta", np.float32(beta))))
    return steps.end(Add.op_type, (value, bias))


def parametric_relu(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Slopes that differ from place to place: ``y = Add(Relu(x), Mul(Clip(x, , 0), slopes))``."""
    steps = Steps(node, scope)
    x, slopes = node.inputs
    shape = steps.shape(x)
    given = steps.shape(slopes)
    channels = len(shape) == 4 and given == (shape[1], 1, 1)
    if slopes in scope.constants and (int(np.prod(given)) == 1 or channels):
        return (node,)
    if np.broadcast_shapes(shape, given) != shape:
        raise ModelError(f"slopes of shape {list(given)} for {list(shape)}", node=node.name)
    zero = steps.constant("zero", np.float32(0.0))
    negative = steps.do(Clip.op_type, "negative", (x, "", zero), shape)
    positive = steps.do(Relu.op_type, "positive", (x,), shape)
    return steps.end(
        Add.op_type, (positive, steps.do(Mul.op_type, "sloped", (negative, slopes), shape))
    )
