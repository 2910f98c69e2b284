"""Graph → Graph rewritings that keep every output; each result is validated."""

from __future__ import annotations

from collections.abc import Callable

from espdl_hil.ir.graph import Graph
from espdl_hil.passes.affine_to_depthwise import affine_to_depthwise
from espdl_hil.passes.blend_where import blend_where
from espdl_hil.passes.bound_masks import bound_masks
from espdl_hil.passes.canonical import canonical_gemm, expand_groups, matmul_to_gemm
from espdl_hil.passes.drop_identity import drop_identity
from espdl_hil.passes.fold_affine import fold_affine
from espdl_hil.passes.fuse_function import fuse_function
from espdl_hil.passes.fuse_layer_normalization import fuse_layer_normalization
from espdl_hil.passes.fuse_lp_normalization import fuse_lp_normalization
from espdl_hil.passes.fuse_relu import fuse_relu
from espdl_hil.passes.fuse_rms_normalization import fuse_rms_normalization
from espdl_hil.passes.fuse_swish import fuse_swish
from espdl_hil.passes.mean_to_pool import mean_to_pool
from espdl_hil.passes.part_concat import part_concat
from espdl_hil.passes.repeat_by_gather import repeat_by_gather
from espdl_hil.passes.resize_to_product import resize_to_product
from espdl_hil.passes.spread_divisor import spread_divisor

__all__ = [
    "ADAPTATIONS",
    "PASSES",
    "adapt",
    "affine_to_depthwise",
    "blend_where",
    "bound_masks",
    "canonical_gemm",
    "drop_identity",
    "expand_groups",
    "fold_affine",
    "fuse_function",
    "fuse_layer_normalization",
    "fuse_lp_normalization",
    "fuse_relu",
    "fuse_rms_normalization",
    "fuse_swish",
    "matmul_to_gemm",
    "mean_to_pool",
    "part_concat",
    "repeat_by_gather",
    "resize_to_product",
    "simplify",
    "spread_divisor",
]

PASSES: tuple[Callable[[Graph], Graph], ...] = (
    drop_identity,
    part_concat,
    drop_identity,
    fuse_layer_normalization,
    fuse_rms_normalization,
    fuse_lp_normalization,
    mean_to_pool,
    fuse_function,
    repeat_by_gather,
    blend_where,
    bound_masks,
    matmul_to_gemm,
    canonical_gemm,
    fold_affine,
    affine_to_depthwise,
    expand_groups,
    fuse_swish,
    fuse_relu,
)
"""All passes in the order in which ``simplify`` runs them."""


def simplify(graph: Graph) -> Graph:
    """The graph after all passes."""
    for rewrite in PASSES:
        graph = rewrite(graph)
    return graph


ADAPTATIONS: tuple[Callable[[Graph, int], Graph], ...] = (resize_to_product, spread_divisor)
"""Passes for what ESP-DL has no kernel for in one width."""


def adapt(graph: Graph, bits: int) -> Graph:
    """A simplified graph in operators that have kernels of this width, where there is a way.

    Args:
        graph: simplified.
        bits: 8 or 16.
    """
    for rewrite in ADAPTATIONS:
        graph = rewrite(graph, bits)
    return graph
