"""Every pass keeps the outputs of every graph, and does what its page shows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espdl_hil.frontend.evaluate import FloatModel
from espdl_hil.frontend.onnx_import import import_onnx
from espdl_hil.passes import PASSES, simplify
from tests.quantizer.cases import EXACT, PRODUCTS
from tests.support.onnx_models import inputs_of, model_of

ALL = {**EXACT, **PRODUCTS}

FOLDS = {
    "bias of a Gemm": "g (float[1,8] x, float[8,4] w, float[4] c) => (float y)"
    " { t = Gemm(x, w) y = Add(t, c) }",
    "bias minus product": "g (float[1,8] x, float[8,4] w, float[4] c) => (float y)"
    " { t = Gemm(x, w) y = Sub(c, t) }",
    "product minus bias": "g (float[1,8] x, float[8,4] w, float[4] c) => (float y)"
    " { t = Gemm(x, w) y = Sub(t, c) }",
    "scalar": "g (float[1,4,5,5] x, float[6,4,3,3] w) => (float y) <float c = {2.0}>"
    " { t = Conv(x, w) y = Mul(t, c) }",
    "batch norm without bias": "g (float[1,4,5,5] x, float[6,4,3,3] w, float[6] s, float[6] o,"
    " float[6] m, float[6] v) => (float y) { t = Conv(x, w)"
    " y = BatchNormalization<epsilon = 0.01>(t, s, o, m, v) }",
    "depthwise": "g (float[1,4,5,5] x, float[4,1,3,3] w, float[4] s, float[4] o, float[4] m,"
    " float[4] v) => (float y) { t = Conv<group = 4>(x, w)"
    " y = BatchNormalization(t, s, o, m, v) }",
    "one dimension": "g (float[1,4,9] x, float[6,4,3] w, float[6] s, float[6] o, float[6] m,"
    " float[6] v) => (float y) { t = Conv(x, w) y = BatchNormalization(t, s, o, m, v) }",
    "batch norm of a matrix": "g (float[1,8] x, float[8,4] w, float[4] s, float[4] o, float[4] m,"
    " float[4] v) => (float y) { t = Gemm(x, w) y = BatchNormalization(t, s, o, m, v) }",
}
KEPT = {
    "relu between": "g (float[1,8] x, float[8,4] w, float[4] c) => (float y)"
    " { t = Gemm(x, w) u = Relu(t) y = Add(u, c) }",
    "two readers": "g (float[1,8] x, float[8,4] w, float[4] c) => (float y, float t)"
    " { t = Gemm(x, w) y = Add(t, c) }",
    "constant per position": "g (float[1,4,5,5] x, float[6,4,3,3] w, float[1,1,3,3] c)"
    " => (float y) { t = Conv(x, w) y = Add(t, c) }",
    "broadcast to a larger result": "g (float[1,8] x, float[8,4] w, float[3,4] c) => (float y)"
    " { t = Gemm(x, w) y = Add(t, c) }",
    "swish of another value": "g (float[1,8] x, float[1,8] x2) => (float y)"
    " { s = Sigmoid(x) y = Mul(x2, s) }",
}


def outputs_agree(before, after, sample):
    expected, found = FloatModel(before).run(sample), FloatModel(after).run(sample)
    assert expected.keys() == found.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("body", [*ALL.values(), *FOLDS.values(), *KEPT.values()])
def test_a_pass_keeps_every_output(body):
    model = model_of(body)
    sample = {name: array[0] for name, array in inputs_of(model, 1).items()}
    graph = import_onnx(model.SerializeToString())
    for rewrite in PASSES:
        after = rewrite(graph)
        outputs_agree(graph, after, sample)
        graph = after


@pytest.mark.parametrize("body", FOLDS.values(), ids=FOLDS)
def test_constants_behind_a_product_fold_into_it(body):
    graph = simplify(import_onnx(model_of(body).SerializeToString()))
    assert len(graph.nodes) == 1


@pytest.mark.parametrize("body", KEPT.values(), ids=KEPT)
def test_what_would_change_a_result_is_not_folded(body):
    before = import_onnx(model_of(body).SerializeToString())
    after = simplify(before)
    kinds = [node.op.op_type for node in after.nodes]
    assert kinds[-1] == before.nodes[-1].op.op_type


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    channels=st.integers(1, 5),
    chain=st.lists(st.sampled_from(["Mul", "Add", "Sub", "Relu", "Identity"]), max_size=5),
    swapped=st.booleans(),
)
def test_any_chain_behind_a_convolution_computes_the_same(channels, chain, swapped):
    lines, value, constants = [], "t0", []
    for index, kind in enumerate(chain, start=1):
        if kind in ("Relu", "Identity"):
            lines.append(f"t{index} = {kind}({value})")
        else:
            constants.append(f"float[{channels},1,1] c{index}")
            operands = f"c{index}, {value}" if swapped else f"{value}, c{index}"
            lines.append(f"t{index} = {kind}({operands})")
        value = f"t{index}"
    inputs = ", ".join(["float[1,2,4,4] x", f"float[{channels},2,2,2] w", *constants])
    body = f"g ({inputs}) => (float y) {{ t0 = Conv(x, w) {' '.join(lines)} y = Tanh({value}) }}"
    model = model_of(body, seed=channels)
    sample = {name: array[0] for name, array in inputs_of(model, 1).items()}
    graph = import_onnx(model.SerializeToString())
    outputs_agree(graph, simplify(graph), sample)
