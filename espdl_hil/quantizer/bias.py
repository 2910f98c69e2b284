"""Biases that take back what the rounding of weights adds on average.

The law of this file: a correction is known from weights, exponents and mean inputs alone, and
changes constants only; whether it helps the model as a whole is for its user to measure.

Rounded weights differ from the real ones by an error E; a layer whose inputs have the mean m then
gives E @ m too much, on every input: few layers later that is an offset that no rounding explains.
Source: Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction, 2019,
section 4.2, with means of calibration samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from espdl_hil.ir.graph import Graph, Node, QuantModel
from espdl_hil.ir.types import Array
from espdl_hil.ops.conv import Conv
from espdl_hil.ops.gemm import Gemm

Means = Mapping[str, npt.NDArray[np.float64]]
"""By value name, the mean of each channel: axis 1 for a convolution, the last one for a Gemm."""


def corrected_nodes(graph: Graph) -> tuple[Node, ...]:
    """The layers whose bias can be corrected: a convolution or Gemm that alone has a bias."""
    readers: dict[str, int] = {}
    for node in graph.nodes:
        for name in node.inputs:
            readers[name] = readers.get(name, 0) + 1
    return tuple(
        node
        for node in graph.nodes
        if isinstance(node.op, Conv | Gemm)
        and len(node.inputs) > 2
        and all(name in graph.constants for name in node.inputs[1:3])
        and readers[node.inputs[2]] == 1
    )


def channel_means(
    graph: Graph,
    evaluate: Callable[[Mapping[str, Array]], Mapping[str, Array]],
    samples: Iterable[Mapping[str, Array]],
) -> Means:
    """The mean inputs of all ``corrected_nodes``.

    Args:
        graph: float graph.
        evaluate: gives at least the first inputs of these nodes for a sample.
        samples: at least one.
    """
    spatial = {node.inputs[0]: isinstance(node.op, Conv) for node in corrected_nodes(graph)}
    sums: dict[str, npt.NDArray[np.float64]] = {}
    count = 0
    for sample in samples:
        computed = evaluate(sample)
        for name, channels_first in spatial.items():
            array = computed[name]
            axis = 1 if channels_first else array.ndim - 1
            others = tuple(n for n in range(array.ndim) if n != axis)
            mean = array.mean(axis=others, dtype=np.float64)
            sums[name] = sums[name] + mean if name in sums else mean
        count += 1
    return {name: total / count for name, total in sums.items()}


def corrected(quant: QuantModel, means: Means) -> Graph:
    """The graph of ``quant`` with corrected biases.

    Args:
        quant: all exponents.
        means: of ``channel_means``.
    """
    graph = quant.graph
    constants = dict(graph.constants)
    for node in corrected_nodes(graph):
        bias = constants[node.inputs[2]].astype(np.float32)
        shift = _mean_error(quant, node, means[node.inputs[0]])
        constants[node.inputs[2]] = (bias + shift.reshape(bias.shape)).astype(np.float32)
    return replace(graph, constants=constants)


def _mean_error(
    quant: QuantModel, node: Node, mean: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """What rounding takes from each output channel on average; padding counts as an input."""
    weights = quant.graph.constants[node.inputs[1]].astype(np.float64)
    params = quant.edges[node.name, 1]
    axis = node.op.weight_axis()
    rows = np.moveaxis(weights, axis, 0)
    exponents = np.array(params.exponents, dtype=np.float64)
    steps = np.exp2(exponents).reshape(-1, *[1] * (rows.ndim - 1))
    top = 2 ** (params.bits - 1)
    errors = rows - np.clip(np.rint(rows / steps), -top, top - 1) * steps
    taps = errors.reshape(*errors.shape[:2], -1).sum(axis=2)
    groups = mean.size // taps.shape[1]
    grouped = taps.reshape(groups, -1, taps.shape[1])
    return np.asarray((grouped * mean.reshape(groups, 1, -1)).sum(axis=2).reshape(-1))
