"""Run by the peer's interpreter: exports models with esp-ppq. It imports nothing of this project.

The first argument is a JSON file with a list of jobs ``{model, data, output, target, bits}``;
``data`` is an ``.npz`` with one array per graph input, samples first. What became of each job is
written beside its output, as ``<output>.status``: empty, or the peer's exception.
"""

import gc
import json
import os
import shutil
import sys
import traceback
from pathlib import Path

import numpy as np
import onnx
import torch
from esp_ppq.api import espdl_quantize_onnx


def export(job):
    output = Path(job["output"])
    copy = output.with_suffix(".onnx")  # the peer overwrites the model that it reads
    shutil.copyfile(job["model"], copy)
    names = [value.name for value in onnx.load(copy).graph.input]
    with np.load(job["data"]) as data:
        arrays = [torch.from_numpy(data[name]) for name in names]
    count = len(arrays[0])
    known = shapes(copy)
    samples = [[a[i].reshape(s) for a, s in zip(arrays, known, strict=True)] for i in range(count)]
    single = len(names) == 1
    espdl_quantize_onnx(
        onnx_import_file=str(copy),
        espdl_export_file=str(output),
        calib_dataloader=[sample[0] if single else sample for sample in samples],
        calib_steps=count,
        input_shape=[list(tensor.shape) for tensor in samples[0]],
        inputs=samples[0],
        target=job["target"],
        num_of_bits=job["bits"],
        device="cpu",
        error_report=False,
        export_config=False,
        export_test_values=True,
        verbose=0,
    )
    copy.unlink()


def shapes(path):
    graph = onnx.load(path).graph
    return [[max(d.dim_value, 1) for d in v.type.tensor_type.shape.dim] for v in graph.input]


def main():
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()  # the peer collects garbage after each step; everything imported is none
    for job in json.loads(Path(sys.argv[1]).read_text()):
        # A process each: after an exception the peer silently exports the next model as floats.
        child = os.fork()
        if child == 0:
            status = ""
            try:
                torch.manual_seed(0)
                export(job)
            except Exception as error:  # whatever the peer raises is its answer to this job
                status = f"{type(error).__name__}: {error}".strip().splitlines()[0][:200]
                traceback.print_exc()
            Path(job["output"] + ".status").write_text(status)
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
