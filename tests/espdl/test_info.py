"""The ``.info`` text and the sums by kind."""

from __future__ import annotations

import dataclasses
from dataclasses import asdict

import numpy as np
from hypothesis import given, settings

from espdl_hil.espdl import info_text, summary, write
from espdl_hil.ir.lowered import LoweredModel, Tensor
from tests.espdl.models import lowered_models, small_model

_GRAPH = """\
model properties:
metadata_props:
target: esp32p4

graph small (
  %image[INT8, 1x3x3x5], exponents: [-5]
) initializers (
  %filter[INT8, 1x1x5x16]
  %bias[INT32, 16]
  %table[INT8, 256]
  %none[INT64, 0x2]
  %half[FLOAT16, 2]
  %words[STRING, 2]
) {
  %inner = Conv[alpha = 0.5, group = 1, modes = ['a', 'ü'], octets = b'\\xff\\x00', \
quant_type = 'S8', scales = [1.5, -2.25], strides = [1, 1], table = <Tensor>[DOUBLE, 3]]\
(%image, %filter, %bias)
  %result = Sigmoid[lut = 'table'](%inner)
  return %result
}
"""


def test_the_text_shows_the_graph_as_users_of_the_format_know_it() -> None:
    text = info_text(small_model())
    assert _GRAPH in text
    assert "%result[INT8, 1x3xwx?], exponents: [-7]" in text
    exponents = list(range(-16, 0))
    assert (
        f"  %filter, shape: [1, 1, 5, 16], exponents: {exponents}, "
        "docString: b'layout ==> (N/16)HWC16',\nvalue: array([-40, -39, "
    ) in text
    titles = ["initializers value:", "values info:", "test inputs value:", "test outputs value:"]
    places = [text.index(f"\n{title}\n") for title in titles]
    assert places == sorted(places)


def test_long_tensors_show_their_ends_and_their_length() -> None:
    big = Tensor.of("big", np.arange(5000, dtype=np.int16))
    model = dataclasses.replace(small_model(), parameters={"big": big})
    text = info_text(model)
    assert "   7, ..., 4992" in text
    assert "dtype=int16, elements=5000" in text
    whole = info_text(model, limit=None)
    assert "2500, " in whole
    assert "elements=5000" not in whole


@settings(max_examples=50, derandomize=True, deadline=None, database=None)
@given(model=lowered_models())
def test_any_model_has_a_text_a_description_and_sizes_that_add_up(model: LoweredModel) -> None:
    size_bytes = len(write(model))
    assert info_text(model)
    assert summary.describe(model, size_bytes)["name"] == model.name
    assert sum(asdict(summary.measure_sizes(model, size_bytes)).values()) == size_bytes


def test_parameters_are_sorted_by_their_part_in_the_graph() -> None:
    kinds = summary.parameter_kinds(small_model())
    assert kinds == {
        "filter": "weights",
        "bias": "bias",
        "table": "tables",
        "none": "constants",
        "half": "constants",
        "words": "constants",
    }
    sizes = summary.measure_sizes(small_model(), 3000)
    assert (sizes.weights, sizes.bias, sizes.tables, sizes.constants) == (80, 64, 256, 12)
    assert sizes.test_vectors == 45 + 144
    assert sizes.graph == 3000 - 80 - 64 - 256 - 12 - 189


def test_layouts_and_targets_are_read_from_what_the_file_says() -> None:
    model = small_model()
    assert summary.filter_layout(model.parameters["filter"]) == "(N/16)HWC16"
    assert summary.filter_layout(Tensor.of("x", np.zeros(1), doc="layout ==> UNK")) == ""
    assert [target.name for target in summary.possible_targets(model)] == ["esp32p4"]
    plain = dataclasses.replace(model, metadata={"target": "c"})
    assert "esp32c3" in [target.name for target in summary.possible_targets(plain)]
    assert summary.possible_targets(dataclasses.replace(model, metadata={})) == ()
