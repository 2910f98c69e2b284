"""Einsum of one or two operands, as Transpose, Reshape, ReduceSum and MatMul.

Before::

    y = Einsum(a, b, equation="bhid,bhjd->bhij")

After::

    y = MatMul(a, Transpose(b, [0, 1, 3, 2]))
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.frontend.build import Steps
from espdl_hil.frontend.scope import OnnxNode, Scope
from espdl_hil.ops.matmul import MatMul
from espdl_hil.ops.mul import Mul
from espdl_hil.ops.reduce_sum import ReduceSum

_DOTS = "..."


def einsum(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """The nodes for one Einsum; see the file's head."""
    ranks = [len(scope.shape(node, value)) for value in node.inputs]
    equation = _spelled(node.typed(scope.opset).text("equation").replace(" ", ""), ranks)
    left, _, result = equation.partition("->")
    terms = left.split(",")
    letters = left.replace(",", "")
    if "->" not in equation:
        result = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    if (
        "." in equation
        or len(terms) != len(node.inputs)
        or len(terms) not in (1, 2)
        or any(len(set(term)) < len(term) for term in (*terms, result))
    ):
        raise ModelError(
            f"Einsum {equation!r}: a diagonal, or more than two operands",
            node=node.name,
            hint="write it as Transpose, Reshape and MatMul",
        )
    steps = Steps(node, scope)
    values = [
        _summed(steps, value, term, result + "".join(terms[:index] + terms[index + 1 :]), index)
        for index, (value, term) in enumerate(zip(node.inputs, terms, strict=True))
    ]
    if len(values) == 1:
        value, term = values[0]
        return steps.finish(
            steps.transpose("order", value, [term.index(letter) for letter in result])
        )
    (a, a_term), (b, b_term) = values
    both = [c for c in a_term if c in b_term and c in result]
    inner = [c for c in a_term if c in b_term and c not in result]
    rows = [c for c in a_term if c not in b_term]
    columns = [c for c in b_term if c not in a_term]
    size = dict(zip(a_term, steps.shape(a), strict=True))
    for letter, length_of in zip(b_term, steps.shape(b), strict=True):
        if size.setdefault(letter, length_of) != length_of:
            raise ModelError(
                f"Einsum {equation!r}: {size[letter]} and {length_of} elements along {letter!r}",
                node=node.name,
                hint="expand the operands to the same lengths first",
            )

    def length(letters: Sequence[str]) -> int:
        return int(np.prod([size[c] for c in letters], initial=1))

    def arranged(
        value: str, term: str, order: Sequence[str], shape: Sequence[int], name: str
    ) -> str:
        if value in scope.constants:
            array = scope.constants[value].transpose([term.index(c) for c in order])
            return steps.constant(name, array.reshape(shape))
        moved = steps.transpose(f"{name}/order", value, [term.index(c) for c in order])
        return steps.reshape(f"{name}/shape", moved, shape)

    if not inner:
        shape_a = [size[c] for c in both] + [size[c] for c in rows] + [1] * len(columns)
        shape_b = [size[c] for c in both] + [1] * len(rows) + [size[c] for c in columns]
        left_side = arranged(a, a_term, [*both, *rows], shape_a, "left")
        right_side = arranged(b, b_term, [*both, *columns], shape_b, "right")
        product = steps.do(Mul.op_type, "product", (left_side, right_side))
    else:
        batch = [length(both)] if both or b not in scope.constants else []
        left_side = arranged(
            a, a_term, [*both, *rows, *inner], (*batch, length(rows), length(inner)), "left"
        )
        right_side = arranged(
            b, b_term, [*both, *inner, *columns], (*batch, length(inner), length(columns)), "right"
        )
        shape = (*batch, length(rows), length(columns))
        product = steps.do(MatMul.op_type, "product", (left_side, right_side), shape)
    order = [*both, *rows, *columns]
    full = steps.reshape("axes", product, [size[c] for c in order])
    return steps.finish(steps.transpose("order", full, [order.index(c) for c in result]))


def _spelled(equation: str, ranks: Sequence[int]) -> str:
    """The equation with a letter for every axis that an ellipsis stands for."""
    left, arrow, result = equation.partition("->")
    spares = [letter for letter in "ZYXWVUTSRQPO" if letter not in equation]
    terms = left.split(",")
    counts = [
        rank - len(term) + len(_DOTS) if _DOTS in term else 0
        for term, rank in zip(terms, ranks, strict=False)
    ]
    # Ellipses are aligned at their ends.
    letters = ["".join(spares[:count])[::-1] for count in counts]
    longest = max(letters, key=len, default="")
    left = ",".join(term.replace(_DOTS, found) for term, found in zip(terms, letters, strict=False))
    if not arrow and longest:
        single = sorted(c for c in set(left) - {","} if left.count(c) == 1 and c not in longest)
        return f"{left}->{longest}{''.join(single)}"
    return f"{left}{arrow}{result.replace(_DOTS, longest)}"


def _summed(steps: Steps, value: str, term: str, needed: str, index: int) -> tuple[str, str]:
    """The operand without the axes that nothing else names: they are summed first."""
    gone = [place for place, letter in enumerate(term) if letter not in needed]
    if not gone:
        return value, term
    kept = "".join(letter for letter in term if letter in needed)
    shape = steps.shape(value)
    if value in steps.scope.constants:
        array = steps.scope.constants[value].sum(axis=tuple(gone))
        return steps.constant(f"operand_{index}", array.astype(np.float32)), kept
    axes = steps.constant(f"operand_{index}/axes", np.array(gone, dtype=np.int64))
    result = steps.do(
        ReduceSum.op_type,
        f"operand_{index}",
        (value, axes),
        [n for place, n in enumerate(shape) if place not in gone],
        keepdims=0,
    )
    return result, kept
