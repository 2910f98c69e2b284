"""The bound on a node's silence: generous for every node, and never a guess below its work."""

from __future__ import annotations

import itertools

import pytest

from espdl_hil import espdl
from espdl_hil.boards.link import Link
from espdl_hil.boards.patience import SLOWEST_MACS_PER_S, longest_silence_s, silence_of_file_s
from espdl_hil.errors import DeadlineError
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.types import DType
from espdl_hil.runs import RunRequest
from espdl_hil.transport.loopback import LoopbackTransport, ManualClock
from espdl_hil.wire import Conversation
from espdl_hil.wire import messages as m
from espdl_hil.wire.codec import decode, encode
from espdl_hil.wire.framing import FrameDecoder, encode_frame
from tests.support.golden import shared


def convolution(height: int, channels: int, filters: int) -> LoweredModel:
    values = {
        "x": ValueInfo("x", DType.INT8, (1, height, height, channels), (0,)),
        "y": ValueInfo("y", DType.INT8, (1, height, height, filters), (0,)),
    }
    size = 3 * 3 * channels * filters
    weights = Tensor("w", DType.INT8, (3, 3, channels, filters), bytes(size))
    bias = Tensor("b", DType.INT32, (filters,), bytes(4 * filters))
    node = LoweredNode("conv", "Conv", ("x", "w", "b"), ("y",), {})
    return LoweredModel("one", (node,), ("x",), ("y",), values, {"w": weights, "b": bias})


@pytest.mark.parametrize(("height", "channels", "filters"), [(4, 3, 8), (32, 16, 16), (56, 64, 64)])
def test_a_convolution_has_time_for_each_of_its_products(height, channels, filters):
    products = height * height * filters * 3 * 3 * channels
    bound = longest_silence_s(convolution(height, channels, filters)) * SLOWEST_MACS_PER_S
    assert products <= bound <= products + 16 * height * height * max(channels, filters)


def test_no_node_of_the_zoo_is_given_more_than_ten_minutes():
    for path in sorted((shared() / "golden/zoo/models").rglob("*.espdl"))[::5]:
        assert longest_silence_s(espdl.read(path.read_bytes())) < 600


class SilentRun:
    """A board that answers everything but RUN, of which it says nothing."""

    def __init__(self, clock: ManualClock) -> None:
        self._decoder = FrameDecoder()
        self.clock = clock

    def __call__(self, data: bytes) -> bytes:
        answers = {
            m.ModelBegin: m.ModelState(m.ModelAnswer.HAVE_IT, 0),
            m.ModelCommit: m.ModelCommitted(),
            m.Load: m.Loaded(1, ()),
            m.Outputs: m.OutputList(()),
            m.TestInputs: m.TestInputsTaken(),
        }
        out = b""
        for frame in self._decoder.feed(data):
            answer = answers.get(type(decode(frame)))
            out += encode_frame(encode(answer, frame.seq)) if answer is not None else b""
        return out


@pytest.mark.parametrize(("silence_s", "dead_after_s"), [(None, 30.0), (0.0, 30.0), (90.0, 90.0)])
def test_a_run_is_given_up_after_the_silence_that_it_asked_for(silence_s, dead_after_s):
    clock = ManualClock()
    link = Link(LoopbackTransport(SilentRun(clock), clock), first_seq=1, now=clock)
    talk = Conversation(link.perform, itertools.count(1).__next__)
    begun = clock()
    with pytest.raises(DeadlineError, match="Run"):
        talk.run(RunRequest(b"model", silence_s=silence_s))
    assert clock() - begun == pytest.approx(dead_after_s)


def test_a_file_that_cannot_be_read_gets_the_usual_patience_and_no_error():
    for path in sorted((shared() / "golden/zoo/models").rglob("*.espdl"))[:1]:
        data = path.read_bytes()
        assert silence_of_file_s(data) == longest_silence_s(espdl.read(data)) > 0
        assert silence_of_file_s(data[: len(data) // 2]) == 0
    assert silence_of_file_s(b"") == 0
