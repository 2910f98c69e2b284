"""A rounding that is not the chip's is caught on every kernel family, and its first node named.

The engine is the runner's own, without the board around it: what the line adds does not depend on
the target, and ``test_wrong_numbers`` goes through it.
"""

from __future__ import annotations

import numpy as np
import pytest

from espdl_hil import espdl
from espdl_hil.checking.following import Follower
from espdl_hil.runs import Engine
from espdl_hil.simulator import Simulator
from espdl_hil.targets import target_named
from tests.quantizer.test_straight_line import quantized
from tests.support.reference_engine import ReferenceEngine, Rounding
from tests.support.results import run_result

BODY = (
    "g (float[1,8,12,12] x, float[16,8,3,3] w, float[16] b, float[16,1,3,3] d) => (float y)"
    " { s = MaxPool<kernel_shape = [2,2], strides = [1,1]>(x) t = Conv<pads = [1,1,1,1]>(s, w, b)"
    " u = Conv<group = 16>(t, d) v = Mul(u, u)"
    " y = AveragePool<kernel_shape = [3,3], strides = [3,3]>(v) }"
)
OWN = {
    "esp32": Rounding.HALF_UP,
    "esp32s3": Rounding.HALF_UP,
    "esp32p4": Rounding.HALF_EVEN,
}


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("rounding", [Rounding.HALF_UP, Rounding.HALF_EVEN, Rounding.DOWN])
@pytest.mark.parametrize("target", OWN)
def test_another_rounding_is_caught_and_its_first_node_named(target, rounding, bits):
    _, result, _ = quantized(BODY, target, bits)
    model, chip = result.model, target_named(target)
    engine = ReferenceEngine(espdl.write(model), chip, rounding=rounding)
    simulator = Simulator(model, chip)
    follower = Follower(model, simulator)
    (info,) = (model.values[name] for name in model.inputs)
    rng = np.random.default_rng(0)
    limits = np.iinfo(info.dtype.numpy)
    found = []
    for number in range(8):
        x = rng.integers(limits.min, limits.max + 1, info.dims).astype(info.dtype.numpy)
        follower.simulate({"x": x})
        values = {
            name: np.asarray(array).reshape(follower.expected[name].shape)
            for name, array in engine.run({"x": x}).items()
        }
        rules = simulator.rules(Engine.REFERENCE)
        run = run_result(model, values)
        found.append(
            follower.verdict(
                run,
                rules,
                lambda names, have=values: {n: have[n] for n in names},
                vector=f"{number}",
            )
        )
    if rounding is OWN[target]:
        assert all(verdict.equal for verdict in found), str(found[0])
        return
    first = next(verdict.first for verdict in found if not verdict.equal)
    assert first is not None
    named = {verdict.first.op_type for verdict in found if verdict.first is not None}
    assert "MaxPool" not in named, "it rounds nothing"
    if rounding is Rounding.DOWN or bits == 8:
        assert first.op_type == "Conv"
