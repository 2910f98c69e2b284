"""The C reference engine as a component: memory, refusals, inputs, state, seeded faults."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from espdl_hil.ir.attributes import Attribute
from espdl_hil.targets import TARGETS, target_named
from tests.support import golden
from tests.support.one_node import OneNode, Operand
from tests.support.reference_engine import (
    PROJECT,
    ReferenceEngine,
    ReferenceEngineError,
    Rounding,
    Status,
)

C, S3, P4 = (target_named(name) for name in ("esp32", "esp32s3", "esp32p4"))


def _refusal(model: bytes, target=C, **options) -> ReferenceEngineError:
    with pytest.raises(ReferenceEngineError) as caught:
        ReferenceEngine(model, target, **options)
    return caught.value


def _relu(**changes) -> OneNode:
    x = np.arange(-8, 8, dtype=np.int8)
    return OneNode("Relu", [Operand(x, -3)], [(np.int8, -3)], **changes)


def _conv(rng: np.random.Generator, *, exponent: int = -3, per_channel: bool = False) -> OneNode:
    """A 1x1 convolution of 4 to 16 channels with blocked filters; output exponent -3."""
    x = rng.integers(-128, 128, (1, 5, 5, 4)).astype(np.int8)
    w = rng.integers(-128, 128, (1, 1, 4, 16)).astype(np.int8)
    exponents = (exponent,) * 16 if per_channel else None
    return OneNode(
        "Conv",
        [Operand(x, -5), Operand(w, exponent, constant=True, exponents=exponents)],
        [(np.int8, -3)],
        {"strides": Attribute.of([1, 1]), "dilations": Attribute.of([1, 1])},
    )


def _zoo_case(part: str) -> golden.GoldenCase:
    return next(case for case in golden.cases("zoo") if part in str(case.path))


def test_every_operator_has_a_file_of_its_name() -> None:
    folder = PROJECT / "firmware" / "components" / "hil_ref_engine" / "ops"
    for path in folder.glob("hil_op_*.c"):
        op_types = re.findall(r'\.type = "(\w+)"', path.read_text())
        assert [op_type.lower() for op_type in op_types] == [path.stem.removeprefix("hil_op_")]


# --- memory -----------------------------------------------------------------------------------


def test_an_arena_of_the_high_water_mark_is_enough_and_one_block_less_is_not() -> None:
    case = _zoo_case("human_face_detect_mnp")
    model, target = case.path.read_bytes(), target_named(case.target)
    roomy = ReferenceEngine(model, target)
    used, high_water = roomy.memory()
    assert 0 < used < high_water
    exact = ReferenceEngine(model, target, arena_size=high_water)
    vector = case.vectors[0]
    expected = roomy.run(case.inputs(vector))
    got = exact.run(case.inputs(vector))
    assert all(np.array_equal(got[name], expected[name]) for name in expected)
    assert _refusal(model, target, arena_size=high_water - 16).status == Status.MEMORY


@pytest.mark.parametrize("size", [0, 16, 100, 256, 400])
def test_a_tiny_arena_is_refused(size: int) -> None:
    assert _refusal(_relu().model(), arena_size=max(size, 1)).status == Status.MEMORY


def test_activations_that_never_live_together_share_memory() -> None:
    case = _zoo_case("imagenet_cls_mobilenetv2")
    engine = ReferenceEngine(case.path.read_bytes(), target_named(case.target))
    outputs = engine.run(case.inputs(case.vectors[0]))
    used, high_water = engine.memory()
    assert high_water - used < sum(array.nbytes for array in outputs.values()) / 4


def test_inputs_survive_a_run() -> None:
    case = _zoo_case("human_face_detect_msr")
    engine = ReferenceEngine(case.path.read_bytes(), target_named(case.target))
    first = engine.run(case.inputs(case.vectors[0]))
    engine.run_unobserved()
    again = engine.run(case.inputs(case.vectors[0]))
    assert all(np.array_equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize("misalign", [1, 2, 4, 8, 12])
def test_a_model_at_any_address_gives_the_same_integers(misalign: int) -> None:
    case = next(case for case in golden.cases("p4_s16") if case.op == "Conv")
    model, target = case.path.read_bytes(), target_named(case.target)
    inputs = case.inputs(case.vectors[0])
    expected = ReferenceEngine(model, target).run(inputs)
    got = ReferenceEngine(model, target, misalign=misalign).run(inputs)
    assert all(np.array_equal(got[name], expected[name]) for name in expected)


def test_the_older_container_is_read_too() -> None:
    node = _relu()
    model = node.model()
    older = b"EDL1" + model[4:12] + model[16:]
    got = ReferenceEngine(older, C).run(node.inputs)["o0"]
    assert np.array_equal(got, np.maximum(node.inputs["i0"], 0))


# --- malformed files --------------------------------------------------------------------------


def test_every_truncation_is_refused() -> None:
    model = _conv(np.random.default_rng(1)).model()
    for size in range(len(model)):
        assert _refusal(model[:size], S3).status == Status.FORMAT


def test_a_malformed_file_names_the_offset() -> None:
    model = bytearray(_relu().model())
    model[16:20] = (0x7FFFFFF0).to_bytes(4, "little")  # the root reference
    refusal = _refusal(bytes(model))
    assert refusal.status == Status.FORMAT
    assert refusal.offset == 16


@pytest.mark.parametrize(
    ("head", "status", "words"),
    [
        (b"ZIP2", Status.FORMAT, "magic"),
        (b"PDL3", Status.FORMAT, "pack"),
        (b"EDL2\x01\0\0\0", Status.UNSUPPORTED, "encrypted"),
        (b"EDL2\x02\0\0\0", Status.FORMAT, "mode"),
    ],
)
def test_other_containers_are_refused_by_name(head: bytes, status: Status, words: str) -> None:
    model = _relu().model()
    refusal = _refusal(head + model[len(head) :])
    assert (refusal.status, words in refusal.text) == (status, True)


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made_for", "target"),
    list(itertools.product(("c", *(t.name for t in TARGETS)), (C, S3, P4))),
)
def test_a_file_for_another_kernel_family_is_refused(made_for: str, target) -> None:
    node = _relu(metadata={"target": made_for})
    if target_named(made_for).kernels == target.kernels:
        ReferenceEngine(node.model(), target)
    else:
        assert _refusal(node.model(), target).status == Status.TARGET


def test_an_unknown_target_is_refused() -> None:
    assert _refusal(_relu(metadata={"target": "esp99"}).model()).status == Status.TARGET


def test_an_unknown_operator_is_refused_with_its_node() -> None:
    x = Operand(np.zeros(4, np.int8))
    refusal = _refusal(OneNode("Einsum", [x], [(np.int8, 0)]).model())
    assert refusal.status == Status.UNSUPPORTED
    assert "no such operator" in refusal.text
    assert refusal.text.endswith("node node")


@pytest.mark.parametrize("target", [S3, P4])
def test_a_negative_shift_is_refused_where_the_chip_goes_wrong(target) -> None:
    rng = np.random.default_rng(2)
    refusal = _refusal(_conv(rng, exponent=3).model(), target)
    assert (refusal.status, "negative shift" in refusal.text) == (Status.UNSUPPORTED, True)
    ReferenceEngine(_conv(rng, exponent=3).model(), C)


@pytest.mark.parametrize("target", [C, S3])
def test_per_channel_weights_are_refused_where_the_chip_has_none(target) -> None:
    node = _conv(np.random.default_rng(3), per_channel=True)
    refusal = _refusal(node.model(), target)
    assert (refusal.status, "per-channel" in refusal.text) == (Status.UNSUPPORTED, True)
    ReferenceEngine(node.model(), P4)


# --- inputs, state, faults --------------------------------------------------------------------


def test_the_files_own_test_inputs_are_used() -> None:
    node = _relu(with_test_inputs=True)
    outputs = ReferenceEngine(node.model(), C).run_test_inputs()
    assert np.array_equal(outputs[0].array, np.maximum(node.inputs["i0"], 0))


def test_without_test_inputs_the_request_is_out_of_order() -> None:
    engine = ReferenceEngine(_relu().model(), C)
    with pytest.raises(ReferenceEngineError) as caught:
        engine.run_test_inputs()
    assert caught.value.status == Status.STATE


def test_a_streaming_cache_goes_on_until_it_is_reset() -> None:
    frames = np.arange(1, 13, dtype=np.int8).reshape(1, 3, 4)
    node = OneNode(
        "StreamingCache",
        [Operand(frames)],
        [(np.int8, 0)],
        {"window_size": Attribute.of(3), "frame_axis": Attribute.of(1)},
    )
    engine = ReferenceEngine(node.model(), C)
    zeros = np.zeros((1, 2, 4), np.int8)
    for history in (zeros, frames[:, 1:]):
        got = engine.run(node.inputs)["o0"]
        assert np.array_equal(got, np.concatenate([history, frames], axis=1))
    engine.reset()
    assert np.array_equal(engine.run(node.inputs)["o0"][:, :2], zeros)


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        (Rounding.TARGET, [-1, 0, 1, 2]),
        (Rounding.HALF_UP, [-1, 0, 1, 2]),
        (Rounding.HALF_EVEN, [-2, 0, 0, 2]),
        (Rounding.DOWN, [-2, -1, 0, 1]),
    ],
)
def test_a_wrong_rounding_can_be_seeded(rounding: Rounding, expected: list[int]) -> None:
    halves = np.array([-3, -1, 1, 3], np.int8)  # -1.5, -0.5, 0.5, 1.5
    node = OneNode("RequantizeLinear", [Operand(halves, -1)], [(np.int8, 0)])
    engine = ReferenceEngine(node.model(), S3, rounding=rounding)
    assert engine.run(node.inputs)["o0"].tolist() == expected
