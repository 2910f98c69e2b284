"""How the board itself brings a run-time matrix into the layout of a filter.

The law of this file: after the moves, the bytes are what ``pack_taps`` makes of each ``[K, N]``
slice, and the shape is still ``[..., K, N]``.
Source: esp-ppq ``parser/espdl/export_patterns.py`` (preparation of MatMul's input 1).
"""

from __future__ import annotations

import numpy as np

from espdl_hil.ir.layouts import blocked_channels
from espdl_hil.ir.lowered import Tensor
from espdl_hil.ir.operator import Move
from espdl_hil.ops.concat import Concat
from espdl_hil.ops.reshape import Reshape
from espdl_hil.ops.slice import Slice
from espdl_hil.ops.transpose import Transpose

_RESHAPE = Reshape(allowzero=False)


def packing_moves(shape: tuple[int, ...], block: int) -> tuple[Move, ...]:
    """The nodes that pack ``[..., K, N]`` for a target with this filter block.

    Leading axes are counted as one, so that no node has more than four.
    """
    inner, channels = shape[-2:]
    count = int(np.prod(shape[:-2], dtype=np.int64))
    blocked = blocked_channels(channels, block)
    if inner == 1 or channels == 1:
        return ()  # one row or one column: every layout has the same bytes
    if blocked == channels:
        groups = (count, inner, channels // block, block)
        return (
            _reshaped(groups, 0),
            _transposed(groups, (0, 2, 1, 3), 1),
            _reshaped(shape, 2),
        )
    rows = (count, channels, inner)
    if not blocked:
        start = () if len(shape) == 3 else (_reshaped((count, inner, channels), 0),)
        turned = _transposed((count, inner, channels), (0, 2, 1), len(start))
        return (*start, turned, _reshaped(shape, len(start) + 1))
    groups = (count, blocked // block, block, inner)
    return (
        _reshaped((count, inner, channels), 0),
        _transposed((count, inner, channels), (0, 2, 1), 1),
        _rows(rows, 0, blocked, 2),
        _reshaped(groups, 3),
        _transposed(groups, (0, 1, 3, 2), 4),
        _reshaped((count, blocked, inner), 5),
        _rows(rows, blocked, channels, 2),
        Move(Concat(axis=1), rows, (6, 7)),
        _reshaped(shape, 8),
    )


def _reshaped(shape: tuple[int, ...], source: int) -> Move:
    tensor = Tensor.of("shape", np.array(shape, dtype=np.int64))
    return Move(_RESHAPE, shape, (source,), (tensor,))


def _transposed(shape: tuple[int, ...], perm: tuple[int, ...], source: int) -> Move:
    return Move(Transpose(perm), tuple(shape[axis] for axis in perm), (source,))


def _rows(shape: tuple[int, ...], start: int, end: int, source: int) -> Move:
    """The rows ``start`` to ``end`` of axis 1."""
    numbers = {"starts": start, "ends": end, "axes": 1, "steps": 1}
    tensors = tuple(
        Tensor.of(name, np.array([number], dtype=np.int64)) for name, number in numbers.items()
    )
    return Move(Slice(), (shape[0], end - start, shape[2]), (source,), tensors)
