"""Train the digits CNN and write the files beside this script.

A small convolutional network for scikit-learn's 8 x 8 digits: three convolutions with Relu, two
pools, two dense layers (about 90 KB). Equal packages give equal files.

Needs: torch 2.13.0, onnx 1.19, onnxscript 0.7, scikit-learn 1.9, numpy.
Run: python examples/digits_cnn/make.py

Writes:
    digits_cnn.onnx: opset 18; input ``image`` float32 [1, 1, 8, 8] in [0, 1], output ``logits``.
    digits_cnn.calib.npz: ``image`` [32, 1, 8, 8], drawn from the training set.
    digits_cnn.eval.npz: ``image`` [360, 1, 8, 8] and the labels ``y`` [360], never trained on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

SEED = 0
HELD_OUT = 360
CALIBRATION = 32
EPOCHS = 40
BATCH = 32
FOLDER = Path(__file__).resolve().parent


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 2 * 2, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def train(model: nn.Module, images: np.ndarray, labels: np.ndarray) -> None:
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    model.train()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
        schedule.step()
    model.eval()


def export(model: nn.Module, example: np.ndarray, path: Path) -> None:
    program = torch.onnx.export(
        model,
        (torch.from_numpy(example),),
        input_names=["image"],
        output_names=["logits"],
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
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[:, None]
    labels = digits.target.astype(np.int64)
    train_x, eval_x, train_y, eval_y = train_test_split(
        images, labels, test_size=HELD_OUT, stratify=labels, random_state=SEED
    )
    model = network()
    train(model, train_x, train_y)
    with torch.no_grad():
        guesses = model(torch.from_numpy(eval_x)).argmax(dim=1).numpy()
    print(f"held-out accuracy {np.mean(guesses == eval_y):.4f} on {len(eval_y)} digits")
    export(model, eval_x[:1], FOLDER / "digits_cnn.onnx")
    chosen = np.random.default_rng(SEED).choice(len(train_x), CALIBRATION, replace=False)
    np.savez_compressed(FOLDER / "digits_cnn.calib.npz", image=train_x[np.sort(chosen)])
    np.savez_compressed(FOLDER / "digits_cnn.eval.npz", image=eval_x, y=eval_y.astype(np.int64))


if __name__ == "__main__":
    main()
