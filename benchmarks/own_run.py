"""One measured run of espdl-hil, in its own interpreter: quantize, export, simulate images.

Run by ``quantize_vs_peer.py``; prints one JSON line. Writes the same three files as the peer.
"""

from __future__ import annotations

import argparse
import json
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
    import onnxruntime  # noqa: F401 -- its import is part of the cost

    from espdl_hil.cli import main as command
    from espdl_hil.espdl import read_file
    from espdl_hil.lowering import to_stored
    from espdl_hil.simulator import Simulator
    from espdl_hil.targets import target_named

    imported = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "out.espdl"
        began = time.perf_counter()
        words = f"--target {arguments.target} --bits {arguments.bits}".split()
        code = command(
            [
                "quantize",
                str(arguments.model),
                *words,
                "--calib",
                str(arguments.calibration),
                "-o",
                str(exported),
            ]
        )
        quantized = time.perf_counter()
        if code:
            raise SystemExit(code)
        model = read_file(exported)
        size = exported.stat().st_size
    target = target_named(arguments.target)
    simulator = Simulator(model, target)
    with np.load(arguments.calibration) as stored:
        images = [
            {"x": to_stored(model, "x", image[None].astype(np.float32), target)}
            for image in stored["x"][: arguments.images]
        ]
    simulator.run(images[0])
    times = []
    for image in images:
        began_image = time.perf_counter()
        simulator.run(image)
        times.append((time.perf_counter() - began_image) * 1e3)
    print(
        json.dumps(
            {
                "import_s": imported - started,
                "quantize_and_export_s": quantized - began,
                "image_ms": float(np.median(times)),
                "size_bytes": size,
            }
        )
    )


if __name__ == "__main__":
    main()
