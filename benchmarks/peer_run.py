"""One measured run of esp-ppq, in its own interpreter: quantize, export, fake-quant forward.

Run by ``quantize_vs_peer.py`` with the peer's virtual environment; prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("calibration", type=Path)
    parser.add_argument("--target", default="esp32p4")
    parser.add_argument("--bits", type=int, default=8)
    parser.add_argument("--images", type=int, default=8)
    arguments = parser.parse_args()

    started = time.perf_counter()
    import torch
    from esp_ppq.api import espdl_quantize_onnx
    from esp_ppq.executor import TorchExecutor

    imported = time.perf_counter()
    with np.load(arguments.calibration) as stored:
        samples = [torch.from_numpy(x[None].astype(np.float32)) for x in stored["x"]]
    with tempfile.TemporaryDirectory() as folder:
        # The peer overwrites its input file.
        copy = Path(shutil.copy(arguments.model, folder))
        began = time.perf_counter()
        graph = espdl_quantize_onnx(
            onnx_import_file=str(copy),
            espdl_export_file=str(Path(folder) / "out.espdl"),
            calib_dataloader=samples,
            calib_steps=len(samples),
            input_shape=list(samples[0].shape),
            inputs=[samples[0]],
            target=arguments.target,
            num_of_bits=arguments.bits,
            device="cpu",
            error_report=False,
            export_test_values=True,
            verbose=0,
        )
        quantized = time.perf_counter()
        size = (Path(folder) / "out.espdl").stat().st_size
    executor = TorchExecutor(graph=graph, device="cpu")
    executor.forward(samples[0])
    forward = []
    for index in range(arguments.images):
        began_forward = time.perf_counter()
        executor.forward(samples[index % len(samples)])
        forward.append((time.perf_counter() - began_forward) * 1e3)
    print(
        json.dumps(
            {
                "import_s": imported - started,
                "quantize_and_export_s": quantized - began,
                "image_ms": float(np.median(forward)),
                "size_bytes": size,
            }
        )
    )


if __name__ == "__main__":
    main()
