"""Float evaluation of a ``Graph`` by ONNX Runtime: the reference that quantization is held to.

The law of this file: only it imports onnxruntime.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime

from espdl_hil.errors import ModelError
from espdl_hil.frontend.onnx_export import export_onnx
from espdl_hil.ir.graph import Graph
from espdl_hil.ir.types import Array

_ERRORS_ONLY = 3


class FloatModel:
    """A float graph, ready to run; gives the values that were asked for at the start."""

    def __init__(
        self, graph: Graph, outputs: Sequence[str] | None = None, threads: int = 0
    ) -> None:
        """Prepare ``graph``.

        Args:
            graph: float graph.
            outputs: values to give, inner ones too; the graph's outputs by default.
            threads: of ONNX Runtime; 0 for one per core.

        Raises:
            ModelError: ONNX Runtime refuses the model.
        """
        wanted = graph.outputs if outputs is None else tuple(outputs)
        # Graph inputs are known without running; ONNX forbids a value to be input and output.
        self._given = tuple(name for name in wanted if name in graph.inputs)
        self._computed = tuple(dict.fromkeys(name for name in wanted if name not in self._given))
        if not self._computed:
            self._session = None
            return
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = threads
        data = export_onnx(graph, self._computed).SerializeToString()
        try:
            self._session = onnxruntime.InferenceSession(
                data, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exception types share no base but Exception
            raise ModelError(f"ONNX Runtime refuses the float model: {error}") from error

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Evaluate one sample: arrays of the graph's input shapes, float32."""
        values: dict[str, Array] = {name: inputs[name] for name in self._given}
        if self._session is not None:
            # ONNX Runtime forgets inputs that nothing reads, and then refuses them.
            feed = {
                given.name: np.ascontiguousarray(inputs[given.name])
                for given in self._session.get_inputs()
            }
            values.update(zip(self._computed, self._session.run(self._computed, feed), strict=True))
        return values
