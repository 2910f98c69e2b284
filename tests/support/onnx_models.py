"""Small ONNX models for tests, written as ONNX text.

In the text, inputs whose name begins with ``x`` stay inputs; the other float inputs become
constants with seeded random values, so that a test shows the graph and not its numbers.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper, parser


def model_of(body: str, *, opset: int = 18, seed: int = 1, scale: float = 1.0) -> onnx.ModelProto:
    """The model of ``name (inputs) => (outputs) {nodes}``; weights fit a unit output variance."""
    header = f'<ir_version: 8, opset_import: ["" : {opset}]>\n'
    model = parser.parse_model(header + body)
    rng = np.random.default_rng(seed)
    kept = []
    for value in model.graph.input:
        if value.name.startswith("x"):
            kept.append(value)
            continue
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        fan = int(np.prod(shape[1:])) if len(shape) > 1 else 1
        data = rng.standard_normal(shape) * scale / np.sqrt(max(fan, 1))
        if value.name.startswith("v"):  # a variance: positive
            data = np.abs(data) + 0.5
        model.graph.initializer.append(numpy_helper.from_array(data.astype(np.float32), value.name))
    del model.graph.input[:]
    model.graph.input.extend(kept)
    return model


def inputs_of(model: onnx.ModelProto, count: int, seed: int = 2) -> dict[str, np.ndarray]:
    """``count`` standard normal samples for every input, samples first."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for value in model.graph.input:
        shape = [max(dim.dim_value, 1) for dim in value.type.tensor_type.shape.dim]
        arrays[value.name] = rng.standard_normal((count, *shape)).astype(np.float32)
    return arrays
