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

_ERRORS_ONLY, _NOTHING = 3, 4
_PROVIDER = "CPUExecutionProvider"


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
        data = export_onnx(graph, self._computed).SerializeToString()
        try:
            self._session = _session(data, threads, optimized=True)
        except Exception:  # its exception types share no base but Exception
            # Its fusions lose inner values that were asked for (Gemm and Transpose, for one).
            try:
                self._session = _session(data, threads, optimized=False)
            except Exception as error:
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


def _session(data: bytes, threads: int, *, optimized: bool) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _NOTHING if optimized else _ERRORS_ONLY
    options.intra_op_num_threads = threads
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # Its own second try prints, and has no other provider to offer.
    return onnxruntime.InferenceSession(data, options, providers=[_PROVIDER], enable_fallback=0)
