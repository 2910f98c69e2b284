"""What the integers mean: Espressif's own models see what stands in the pictures.

The boxes to find were marked by eye on the pictures; the decoders are those of the model families
(distances to the cell's centre, distributions over distances, offsets of anchor boxes).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pytest

import espdl_hil
from espdl_hil.targets import target_named
from tests.support.golden import GoldenCase, cases
from tests.support.reference_engine import ReferenceEngine

Box = tuple[float, float, float, float]
Engine = Callable[[GoldenCase, Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


def simulator(case: GoldenCase, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    return espdl_hil.simulate(case.path, inputs, target=case.target)


def c_engine(case: GoldenCase, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    return ReferenceEngine(case.path.read_bytes(), target_named(case.target)).run(inputs)


@dataclass(frozen=True)
class Picture:
    """Left, top, right, bottom in pixels of the model's input."""

    model: str
    boxes: tuple[Box, ...]
    decode: Callable[[Mapping[str, np.ndarray]], list[tuple[float, Box]]]


def _around(x: float, y: float, reach: np.ndarray) -> Box:
    return (x - reach[0], y - reach[1], x + reach[2], y + reach[3])


def _decode_distances(outputs: Mapping[str, np.ndarray]) -> list[tuple[float, Box]]:
    """Box heads that give the four distances from the cell's centre, in strides."""
    found = []
    for level, stride in enumerate((8, 16, 32)):
        scores = 1 / (1 + np.exp(-outputs[f"score{level}"][0, :, :, 0]))
        for y, x in np.argwhere(scores > 0.4):
            reach = outputs[f"box{level}"][0, y, x] * stride
            found.append(
                (float(scores[y, x]), _around((x + 0.5) * stride, (y + 0.5) * stride, reach))
            )
    return found


def _decode_distributions(outputs: Mapping[str, np.ndarray]) -> list[tuple[float, Box]]:
    """Box heads that give each distance as a distribution over eight bins."""
    found = []
    for level, stride in enumerate((8, 16, 32)):
        scores = outputs[f"score{level}"][0, :, :, 0]
        for y, x in np.argwhere(scores > 0.4):
            bins = outputs[f"bbox{level}"][0, y, x].reshape(4, 8)
            weights = np.exp(bins - bins.max(axis=1, keepdims=True))
            weights /= weights.sum(axis=1, keepdims=True)
            reach = weights @ np.arange(8) * stride
            found.append(
                (float(scores[y, x]), _around((x + 0.5) * stride, (y + 0.5) * stride, reach))
            )
    return found


def _decode_anchors(outputs: Mapping[str, np.ndarray]) -> list[tuple[float, Box]]:
    """Two square anchors per cell; the head moves their corners by fractions of their side."""
    found = []
    for level, (stride, sides) in enumerate(((8, (16, 32)), (16, (64, 128)))):
        scores = 1 / (1 + np.exp(-outputs[f"score{level}"][0]))
        for y, x, anchor in np.argwhere(scores > 0.5):
            side = sides[anchor]
            left, top, right, bottom = (
                outputs[f"box{level}"][0, y, x, anchor * 4 : anchor * 4 + 4] * side
            )
            centre = np.array([x, y]) * stride + stride / 2
            box = (
                centre[0] - side / 2 + left,
                centre[1] - side / 2 + top,
                centre[0] + side / 2 + right,
                centre[1] + side / 2 + bottom,
            )
            found.append((float(scores[y, x, anchor]), box))
    return found


PICTURES = (
    Picture("human_face_detect_msr_s8_v1", ((48, 34, 95, 97),), _decode_anchors),
    Picture("espdet_pico_224_224_hand", ((46, 138, 65, 160),), _decode_distances),
    Picture(
        "pedestrian_detect_pico_s8_v1",
        ((50, 88, 88, 214), (146, 107, 168, 184)),
        _decode_distributions,
    ),
)


def _overlap(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / (areas[0] + areas[1] - width * height)


def _case(model: str, target: str) -> GoldenCase:
    for case in cases("zoo"):
        if case.path.stem == model and case.target == target:
            return case
    raise AssertionError(f"the zoo has no {model} for {target}")


def _outputs(engine: Engine, model: str, target: str) -> dict[str, np.ndarray]:
    case = _case(model, target)
    integers = engine(case, case.inputs("v0"))
    return {
        name: integers[name].astype(np.float64) * 2.0 ** info["exponent"]
        for name, info in case.entry["outputs"].items()
    }


ENGINES = pytest.mark.parametrize("engine", [simulator, c_engine], ids=["simulator", "c-engine"])
CHIPS = pytest.mark.parametrize("target", ["esp32s3", "esp32p4"])


@ENGINES
@CHIPS
@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.model)
def test_a_detector_finds_what_is_in_the_picture(
    engine: Engine, picture: Picture, target: str
) -> None:
    found = picture.decode(_outputs(engine, picture.model, target))
    for wanted in picture.boxes:
        best = max((_overlap(box, wanted) for _, box in found), default=0.0)
        assert best > 0.5, f"nothing at {wanted}; found {found}"


@ENGINES
@CHIPS
def test_mobilenet_sees_a_cat(engine: Engine, target: str) -> None:
    logits = _outputs(engine, "imagenet_cls_mobilenetv2_s8_v1", target)["466"][0]
    tabby, egyptian = 281, 285
    assert set(np.argsort(-logits)[:2]) == {tabby, egyptian}


@ENGINES
@CHIPS
def test_the_second_face_stage_accepts_the_face(engine: Engine, target: str) -> None:
    outputs = _outputs(engine, "human_face_detect_mnp_s8_v1", target)
    face, background = outputs["score"].ravel()
    assert face > background
