"""Train the sine MLP of ESP-DL's tutorial and write the files beside this script.

A network of three dense layers (1-64-64-1, Relu between them) that learns ``sin(x)`` on
``[0, 2 pi]``. Equal packages give equal files.

Needs: torch 2.13.0, onnx 1.19, onnxscript 0.7, numpy.
Run: python examples/sin_mlp/make.py

Writes:
    sin_mlp.onnx: opset 18; input ``x`` float32 [1, 1], output ``sine`` [1, 1].
    sin_mlp.calib.npz: ``x`` [32, 1], drawn from the training set.
    sin_mlp.eval.npz: ``x`` [256, 1], evenly over the range, and the targets ``y`` [256, 1].
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

SEED = 0
TRAINING = 1024
CALIBRATION = 32
EVALUATION = 256
STEPS = 6000
FOLDER = Path(__file__).resolve().parent


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(1, 64),
        nn.ReLU(),
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Linear(64, 1),
    )


def train(model: nn.Module, x: np.ndarray) -> None:
    inputs, targets = torch.from_numpy(x), torch.from_numpy(np.sin(x))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(inputs), targets).backward()
        optimizer.step()
        schedule.step()
    model.eval()


def export(model: nn.Module, example: np.ndarray, path: Path) -> None:
    program = torch.onnx.export(
        model,
        (torch.from_numpy(example),),
        input_names=["x"],
        output_names=["sine"],
        opset_version=18,
        dynamo=True,
        verbose=False,
    )
    proto = program.model_proto
    strip_remarks(proto)
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))


def strip_remarks(proto: onnx.ModelProto) -> None:
    """Remove what the exporter notes about source lines; it differs from machine to machine."""
    graph = proto.graph
    for part in (proto, graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        del part.metadata_props[:]
        part.doc_string = ""


def main() -> None:
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng(SEED)
    train_x = rng.uniform(0.0, 2.0 * np.pi, (TRAINING, 1)).astype(np.float32)
    eval_x = np.linspace(0.0, 2.0 * np.pi, EVALUATION, dtype=np.float32)[:, None]
    model = network()
    train(model, train_x)
    with torch.no_grad():
        error = model(torch.from_numpy(eval_x)).numpy() - np.sin(eval_x)
    print(f"largest error {np.abs(error).max():.4f} on {EVALUATION} points")
    export(model, eval_x[:1], FOLDER / "sin_mlp.onnx")
    np.savez_compressed(FOLDER / "sin_mlp.calib.npz", x=train_x[:CALIBRATION])
    np.savez_compressed(FOLDER / "sin_mlp.eval.npz", x=eval_x, y=np.sin(eval_x))


if __name__ == "__main__":
    main()
