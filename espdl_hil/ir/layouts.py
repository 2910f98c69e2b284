"""Where each weight lies in a stored filter: ESP-DL's packings and their inverses.

The law of this file: packing moves elements and never changes one; ``unpack(pack(w)) == w``.

A packing depends on the target only through its *block* (``MacArithmetic.filter_block``). With a
block of ``A`` output channels, the first ``N // A * A`` channels are stored as groups of ``A``
(channel fastest), the remaining ones follow. A target without a vector unit has a block of 1 and
stores all channels the way others store the remaining ones.
Source: esp-ppq ``parser/espdl/export_patterns.py`` (the documented layouts), esp-dl 12c0616
``dl_base_conv2d.cpp``, ``dl_base_depthwise_conv2d.cpp``.
"""

from __future__ import annotations

from enum import Enum, auto

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.ir.types import Array


class FilterKind(Enum):
    """Which weights a filter holds, and in which ONNX order they come."""

    DENSE = auto()
    """Conv with group 1: ``[N, C, W]`` or ``[N, C, H, W]``."""
    DEPTHWISE = auto()
    """Conv with one group per channel: ``[N, 1, W]`` or ``[N, 1, H, W]``."""
    GEMM = auto()
    """Gemm after ``transB`` is resolved: ``[K, N]``; stored as a 1x1 convolution."""
    MATMUL = auto()
    """Constant right side of MatMul: ``[..., K, N]``; every ``[K, N]`` slice is packed alone."""


def blocked_channels(channels: int, block: int) -> int:
    """How many leading output channels are stored in whole blocks (none for a block of 1)."""
    return channels - channels % block if block > 1 else 0


def pack_taps(taps: Array, block: int) -> Array:
    """Pack dense weights ``[T, N]`` (taps in the order y, x, input channel) into a flat array.

    Blocks hold ``[T, block]``; each remaining channel is a row of ``T`` weights.
    """
    inner, channels = taps.shape
    blocked = blocked_channels(channels, block)
    head = taps[:, :blocked].reshape(inner, blocked // block, block).transpose(1, 0, 2)
    return np.concatenate([head.ravel(), taps[:, blocked:].T.ravel()])


def unpack_taps(packed: Array, inner: int, channels: int, block: int) -> Array:
    """Invert ``pack_taps``: the ``[inner, channels]`` weights of a flat packed array."""
    blocked = blocked_channels(channels, block)
    head = packed[: inner * blocked].reshape(blocked // block, inner, block).transpose(1, 0, 2)
    tail = packed[inner * blocked :].reshape(channels - blocked, inner).T
    return np.concatenate([head.reshape(inner, blocked), tail], axis=1)


def pack_depthwise_taps(taps: Array, block: int) -> Array:
    """Pack depthwise weights ``[T, N]`` (taps in the order y, x) into a flat array.

    Blocks hold ``[T, block]``; the remaining ``r`` channels are stored together as ``[T, r]``.
    """
    inner, channels = taps.shape
    blocked = blocked_channels(channels, block)
    head = taps[:, :blocked].reshape(inner, blocked // block, block).transpose(1, 0, 2)
    return np.concatenate([head.ravel(), taps[:, blocked:].ravel()])


def unpack_depthwise_taps(packed: Array, inner: int, channels: int, block: int) -> Array:
    """Invert ``pack_depthwise_taps``."""
    blocked = blocked_channels(channels, block)
    head = packed[: inner * blocked].reshape(blocked // block, inner, block).transpose(1, 0, 2)
    tail = packed[inner * blocked :].reshape(inner, channels - blocked)
    return np.concatenate([head.reshape(inner, blocked), tail], axis=1)


def filter_dims(shape: tuple[int, ...], kind: FilterKind) -> tuple[int, ...]:
    """The ``dims`` that the file declares for weights of ONNX ``shape``.

    They are not the order of the elements: ``[H, W, C, N]`` for a dense convolution,
    ``[H, W, N, 1]`` for a depthwise one (without H in one dimension), ``[1, 1, K, N]`` for Gemm,
    the ONNX shape for MatMul.
    """
    match kind:
        case FilterKind.DENSE:
            return (*shape[2:], shape[1], shape[0])
        case FilterKind.DEPTHWISE:
            return (*shape[2:], shape[0], shape[1])
        case FilterKind.GEMM:
            return (1, 1, *shape)
        case FilterKind.MATMUL:
            return shape


def filter_doc(shape: tuple[int, ...], kind: FilterKind, block: int) -> str:
    """The layout's name as esp-ppq writes it into ``doc_string``, such as ``(N/16)HWC16``."""
    spatial = "W" if kind in (FilterKind.DENSE, FilterKind.DEPTHWISE) and len(shape) == 3 else "HW"
    if block == 1:
        name = f"{spatial}CN" if kind is FilterKind.DEPTHWISE else f"N{spatial}C"
        return f"layout ==> {name}"
    channels = shape[0] if kind in (FilterKind.DENSE, FilterKind.DEPTHWISE) else shape[-1]
    unaligned = "_UNALIGNED" if channels % block else ""
    return f"layout ==> (N/{block}){spatial}C{block}{unaligned}"


def pack_filter(weights: Array, kind: FilterKind, block: int) -> Array:
    """Weights in ONNX order as the flat array that the board reads.

    Args:
        weights: shape as ``kind`` says.
        kind: which weights.
        block: output channels per block; 1 for plain storage.
    """
    match kind:
        case FilterKind.DENSE:
            taps = np.moveaxis(weights, (0, 1), (-1, -2))
            return pack_taps(taps.reshape(-1, weights.shape[0]), block)
        case FilterKind.DEPTHWISE:
            if weights.shape[1] != 1:
                raise ModelError(f"a depthwise filter has one input channel, not {weights.shape}")
            taps = np.moveaxis(weights[:, 0], 0, -1)
            return pack_depthwise_taps(taps.reshape(-1, weights.shape[0]), block)
        case FilterKind.GEMM | FilterKind.MATMUL:
            slices = weights.reshape(-1, *weights.shape[-2:])
            return np.concatenate([pack_taps(matrix, block) for matrix in slices])


def unpack_filter(packed: Array, dims: tuple[int, ...], kind: FilterKind, block: int) -> Array:
    """Invert ``pack_filter``: the weights in ONNX order.

    Args:
        packed: any shape; only the order of its elements counts.
        dims: as the file declares them, see ``filter_dims``.
        kind: which weights.
        block: output channels per block; 1 for plain storage.

    Raises:
        ModelError: ``dims`` do not fit ``kind`` or the number of elements.
    """
    flat = packed.ravel()
    ranks = {FilterKind.DENSE: (3, 4), FilterKind.DEPTHWISE: (3, 4), FilterKind.GEMM: (4,)}
    fitting = len(dims) in ranks.get(kind, range(2, 5)) and int(np.prod(dims)) == flat.size
    if kind is FilterKind.DEPTHWISE:
        fitting = fitting and dims[-1] == 1
    if kind is FilterKind.GEMM:
        fitting = fitting and dims[:2] == (1, 1)
    if not fitting:
        raise ModelError(f"a {kind.name.lower()} filter cannot have dims {list(dims)}")
    match kind:
        case FilterKind.DENSE:
            taps = unpack_taps(flat, int(np.prod(dims[:-1])), dims[-1], block)
            return np.moveaxis(taps.reshape(dims), (-1, -2), (0, 1))
        case FilterKind.DEPTHWISE:
            taps = unpack_depthwise_taps(flat, int(np.prod(dims[:-2])), dims[-2], block)
            return np.moveaxis(taps.reshape(dims[:-1]), -1, 0)[:, None]
        case FilterKind.GEMM:
            return unpack_taps(flat, dims[2], dims[3], block)
        case FilterKind.MATMUL:
            inner, channels = dims[-2:]
            slices = flat.reshape(-1, inner * channels)
            matrices = [unpack_taps(matrix, inner, channels, block) for matrix in slices]
            return np.stack(matrices).reshape(dims)
