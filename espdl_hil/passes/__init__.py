"""Graph → Graph rewritings that keep every output; each result is validated."""

from __future__ import annotations

from collections.abc import Callable

from espdl_hil.ir.graph import Graph
from espdl_hil.passes.affine_to_depthwise import affine_to_depthwise
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

__all__ = [
    "PASSES",
    "affine_to_depthwise",
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
    "simplify",
]

PASSES: tuple[Callable[[Graph], Graph], ...] = (
    drop_identity,
    fuse_layer_normalization,
    fuse_rms_normalization,
    fuse_lp_normalization,
    mean_to_pool,
    fuse_function,
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
