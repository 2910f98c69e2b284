"""Axis orders: permutations between ONNX order and stored order.

The law of this file: a permutation ``perm`` means that stored axis ``i`` is ONNX axis ``perm[i]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Perm = tuple[int, ...]

_KEY = "axes."


def identity(rank: int) -> Perm:
    """The ONNX order."""
    return tuple(range(rank))


def channels_last(rank: int) -> Perm:
    """NWC for rank 3, NHWC for rank 4; the ONNX order below."""
    return (0, *range(2, rank), 1) if rank > 2 else identity(rank)


def transposition(have: Perm, want: Perm) -> Perm:
    """The ``perm`` of a Transpose that turns values stored as ``have`` into ``want``."""
    return tuple(have.index(axis) for axis in want)


def moves_nothing(perm: Perm, shape: Sequence[int]) -> bool:
    """Whether ``perm`` leaves a value of ONNX ``shape`` in its memory order."""
    real = [axis for axis in perm if shape[axis] > 1]
    return real == sorted(real)


def stored_shape(shape: Sequence[int], perm: Perm) -> tuple[int, ...]:
    """The shape that the board sees."""
    return tuple(shape[axis] for axis in perm)


def axes_metadata(perms: Mapping[str, Perm]) -> dict[str, str]:
    """Metadata entries for graph inputs and outputs that are not in ONNX order."""
    return {
        f"{_KEY}{name}": ",".join(map(str, perm))
        for name, perm in perms.items()
        if perm != identity(len(perm))
    }


def stored_axes(metadata: Mapping[str, str], name: str, rank: int) -> Perm:
    """The stored order of a graph input or output of a model that ``lower`` made."""
    text = metadata.get(f"{_KEY}{name}")
    return tuple(int(axis) for axis in text.split(",")) if text else identity(rank)
