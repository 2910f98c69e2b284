"""What a line's rate is used for: bytes and turn-rounds, counted in simulated time."""

from __future__ import annotations

import random

import numpy as np
import pytest

from espdl_hil import espdl
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, ValueInfo
from espdl_hil.ir.types import DType
from espdl_hil.runs import RunRequest
from espdl_hil.wire.framing import MAX_BODY_BYTES
from tests.support.golden import shared
from tests.support.paced_boards import TYPICAL, runner, server, talk_to
from tests.support.reference_engine import build

RATES = (921_600, 3_000_000)
LATENCIES_S = (0.001, 0.008)  # a native USB port; a bridge with half its timer of 16 ms
REAL_MODEL = "golden/zoo/models/coco_detect/models/p4/coco_detect_yolo11n_320_s8_v1.espdl"
FRAME_BYTES = MAX_BODY_BYTES + 64  # a little more than any


def upload(model: bytes, baud: int, **changes):
    talk = talk_to(server(changes.pop("window", 8), **changes), baud)
    begun = talk.clock()
    assert talk.conversation.provide(model)
    return talk, talk.clock() - begun


@pytest.mark.parametrize("baud", RATES)
@pytest.mark.parametrize("latency_s", LATENCIES_S)
def test_an_upload_uses_95_percent_of_the_line(baud, latency_s):
    model = random.Random(1).randbytes(1 << 20)
    talk = talk_to(server(8), baud, latency_s)
    begun = talk.clock()
    assert talk.conversation.provide(model)
    assert talk.share(len(model), talk.clock() - begun) >= 0.95
    assert talk.link.client.counters.retries == 0
    assert talk.line.traffic.bytes_up < 1.01 * len(model)  # what frames cost


@pytest.mark.parametrize("baud", RATES)
def test_a_tensor_is_fetched_with_95_percent_of_the_line(baud, tmp_path):
    shape = (1, 1 << 19)
    values = {name: ValueInfo(name, DType.INT8, shape, (0,)) for name in "xy"}
    node = LoweredNode("neg", "Relu", ("x",), ("y",), {})
    model = espdl.write(LoweredModel("large", (node,), ("x",), ("y",), values, {}))
    x = np.random.default_rng(2).integers(-128, 128, shape).astype(np.int8)
    with runner(build("runner", "hil_runner"), "esp32p4", tmp_path / "flash.bin") as board:
        talk = talk_to(board, baud)
        seen = watch(talk, "WriteInput", "ReadBytes")
        found = talk.conversation.run(RunRequest(model, {"x": x}))
    assert np.array_equal(found.outputs["y"], np.maximum(x, 0))
    assert talk.share(x.nbytes, seen["WriteInput"]) >= 0.95
    assert talk.share(x.nbytes, seen["ReadBytes"]) >= 0.95
    assert talk.link.client.counters.retries == 0


def watch(talk, *kinds: str) -> dict[str, float]:
    """Fill in how long tasks of each kind took, while the conversation goes on."""
    seen = dict.fromkeys(kinds, 0.0)
    perform = talk.link.perform

    def timed(task, pace):
        begun = talk.clock()
        try:
            return perform(task, pace)
        finally:
            name = type(task).__name__
            if name in seen:
                seen[name] += talk.clock() - begun

    talk.conversation._perform = timed
    return seen


@pytest.mark.parametrize("baud", RATES)
def test_a_real_model_of_3_mb_takes_at_most_72_percent_of_its_raw_time(baud):
    model = (shared() / REAL_MODEL).read_bytes()
    assert 2.9e6 < len(model) < 3.1e6
    _, deflated_s = upload(model, baud)
    raw_s = len(model) * 10 / baud  # on a line without frames, answers or latency
    assert deflated_s <= 0.72 * raw_s


def test_typical_flash_keeps_up_with_921600_baud():
    model = random.Random(3).randbytes(1 << 20)
    talk, seconds = upload(model, 921_600, flash=TYPICAL)
    assert talk.share(len(model), seconds) >= 0.95


@pytest.mark.parametrize("baud", [9600, 57_600, 115_200, 921_600, 3_000_000])
@pytest.mark.parametrize("window", [2, 8])
def test_no_rate_makes_the_host_repeat_what_is_still_on_its_way(baud, window):
    model = random.Random(4).randbytes(120_000)
    talk, _ = upload(model, baud, window=window, flash=TYPICAL)
    assert talk.link.client.counters.retries == 0


@pytest.mark.parametrize("window", [2, 3, 8])
def test_the_board_never_needs_more_buffer_than_it_offered(window):
    model = random.Random(5).randbytes(500_000)
    talk, _ = upload(model, 3_000_000, window=window, flash=TYPICAL)
    assert talk.line.traffic.most_waiting_bytes <= window * FRAME_BYTES
