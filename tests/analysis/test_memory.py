"""What lives at one time."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.analysis import MemoryEstimate, estimate_memory
from espdl_hil.frontend.onnx_import import import_onnx
from espdl_hil.ir.types import DType
from espdl_hil.passes import simplify
from espdl_hil.pipeline import quantize
from espdl_hil.quantizer import QuantizeConfig
from espdl_hil.targets import target_named
from tests.analysis import models
from tests.quantizer.cases import PRODUCTS
from tests.support.onnx_models import model_of


def _chain(sizes: list[int]):
    values = [models.value(f"v{i}", (n,)) for i, n in enumerate(sizes)]
    nodes = [models.node("Relu", [f"v{i}"], [f"v{i + 1}"]) for i in range(len(sizes) - 1)]
    return models.model(nodes, values)


@given(st.lists(st.integers(1, 300), min_size=2, max_size=9))
def test_in_a_chain_two_neighbours_live_at_one_time(sizes):
    rounded = [-(-n // 16) * 16 for n in sizes]
    needs = estimate_memory(_chain(sizes))
    assert needs.activations == max(a + b for a, b in pairwise(rounded))


def test_a_skipped_value_lives_until_it_is_added():
    values = [models.value(name, (160,)) for name in ("x", "a", "b", "y")]
    nodes = [
        models.node("Relu", ["x"], ["a"]),
        models.node("Relu", ["a"], ["b"]),
        models.node("Add", ["x", "b"], ["y"]),
    ]
    needs = estimate_memory(models.model(nodes, values))
    assert (needs.activations, needs.peak_node) == (3 * 160, "Relu_b")


def test_a_view_takes_no_memory_and_holds_its_input():
    values = [models.value("x", (4, 16)), models.value("v", (64,)), models.value("y", (64,))]
    nodes = [models.node("Reshape", ["x"], ["v"], allowzero=0), models.node("Relu", ["v"], ["y"])]
    assert estimate_memory(models.model(nodes, values)).activations == 2 * 64


def test_wide_elements_count_their_bytes():
    x, y = (models.value(name, (32,), dtype=DType.INT16) for name in "xy")
    needs = estimate_memory(models.model([models.node("Relu", ["x"], ["y"])], [x, y]))
    assert needs == MemoryEstimate(0, 128, "Relu_y", 0)


def test_a_graph_is_estimated_as_its_lowered_model_will_be():
    source = model_of(PRODUCTS["inverted_residual"]).SerializeToString()
    graph = simplify(import_onnx(source))
    for bits in (8, 16):
        config = QuantizeConfig(target_named("esp32s3"), bits, random_samples=2)
        lowered = estimate_memory(quantize(source, config).model)
        guess = estimate_memory(graph, bits)
        assert guess.activations == lowered.activations
        # Lookup tables and the constants of inserted nodes come on top.
        assert 0.6 * lowered.parameters <= guess.parameters <= lowered.parameters
