"""Graph → Graph rewritings that keep every output; each result is validated."""

from __future__ import annotations

from collections.abc import Callable

from espdl_hil.ir.graph import Graph
from espdl_hil.passes.affine_to_depthwise import affine_to_depthwise
from espdl_hil.passes.canonical import canonical_gemm, expand_groups, matmul_to_gemm
from espdl_hil.passes.drop_identity import drop_identity
from espdl_hil.passes.fold_affine import fold_affine
from espdl_hil.passes.fuse_relu import fuse_relu
from espdl_hil.passes.fuse_swish import fuse_swish

__all__ = [
    "PASSES",
    "affine_to_depthwise",
    "canonical_gemm",
    "drop_identity",
    "expand_groups",
    "fold_affine",
    "fuse_relu",
    "fuse_swish",
    "matmul_to_gemm",
    "simplify",
]

PASSES: tuple[Callable[[Graph], Graph], ...] = (
    drop_identity,
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
