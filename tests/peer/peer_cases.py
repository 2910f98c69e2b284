"""The graphs that both quantizers export: one per operator family, many branches in each.

Branches are separate inputs and outputs of one graph: the peer needs most of a second per file.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.quantizer.cases import EXACT, PRODUCTS

CHANNELS = (1, 7, 8, 15, 16, 17, 33)

_SHARED = (
    "relu clip clip_no_low leaky_relu sigmoid tanh hard_sigmoid hard_swish swish elu prelu_single"
    " add add_channels sub sub_constant mul mul_gate mul_constant max_pool max_pool_padded"
    " max_pool_1d average_pool average_pool_padded global_average_pool global_max_pool"
    " reduce_mean_spatial reduce_mean_channels concat flatten flatten_after_global reshape squeeze"
    " unsqueeze transpose transpose_behind transpose_between pad slice split softmax"
)
_PRODUCTS = (
    "conv_relu conv_unaligned conv_dilated conv_1d conv_depthwise_1d gemm matmul matmul_3d residual"
    " conv_flatten_gemm squeeze_excite"
)


def _branches(name: str, inputs: Iterable[str], nodes: Iterable[str], outputs: int) -> str:
    results = ", ".join(f"float y{i}" for i in range(outputs))
    return f"{name} ({', '.join(inputs)}) => ({results}) {{ {' '.join(nodes)} }}"


def _each(name: str, inputs: str, node: str) -> str:
    """One branch per number of channels: ``@`` is the branch, ``%`` the channels."""
    pairs = list(enumerate(CHANNELS))
    fill = [(str(i), str(c)) for i, c in pairs]
    return _branches(
        name,
        [inputs.replace("@", i).replace("%", c) for i, c in fill],
        [node.replace("@", i).replace("%", c) for i, c in fill],
        len(pairs),
    )


GRAPHS: dict[str, str] = {
    "conv_outputs": _each(
        "g",
        "float[1,5,7,6] x@, float[%,5,3,2] w@, float[%] b@",
        "y@ = Conv<kernel_shape = [3,2], strides = [2,1], pads = [1,0,0,1]>(x@, w@, b@)",
    ),
    "conv_inputs": _each(
        "g",
        "float[1,%,6,6] x@, float[18,%,1,1] w@, float[18] b@",
        "y@ = Conv<kernel_shape = [1,1]>(x@, w@, b@)",
    ),
    "conv_depthwise": _each(
        "g",
        "float[1,%,9,9] x@, float[%,1,3,3] w@, float[%] b@",
        "y@ = Conv<group = %, kernel_shape = [3,3], pads = [2,2,2,2], dilations = [2,2]>"
        "(x@, w@, b@)",
    ),
    "gemm_trans_b": _each(
        "g",
        "float[1,20] x@, float[%,20] w@, float[%] b@",
        "y@ = Gemm<transB = 1>(x@, w@, b@)",
    ),
    **{name: EXACT[name] for name in _SHARED.split()},
    **{name: PRODUCTS[name] for name in _PRODUCTS.split()},
}
