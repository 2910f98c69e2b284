"""The firmware's server, with a toy engine and a clock that stands still: every message."""

from __future__ import annotations

import dataclasses
import hashlib
import random
import zlib
from collections.abc import Iterable
from typing import Any

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.wire import messages as m
from espdl_hil.wire.codec import decode, encode
from espdl_hil.wire.framing import Frame, FrameDecoder, encode_frame
from tests.firmware.frame_vectors import MESSAGES, frame
from tests.firmware.wire_library import SECTOR, Board, Packet, seal

CHUNK = 1024
ARENA, MEMORY_BYTES, ROWS, LATENCIES = 4096, 8192, 12, 8
STORE_SECTORS = 22
NODE_S = 0.05
HAS_TEST_INPUTS, LATE_OUTPUTS, FAILS, STATEFUL = 1, 2, 4, 8


def recipe(
    nodes: int = 3, inputs: int = 1, size: int = 40, flags: int = HAS_TEST_INPUTS, pad: bytes = b""
) -> bytes:
    return b"TOY1" + bytes([nodes, inputs]) + size.to_bytes(2, "little") + bytes([flags]) + pad


def name_of(model: bytes) -> bytes:
    return hashlib.sha256(model).digest()


class Talk:
    """Asks the board; keeps what it said unasked."""

    def __init__(self) -> None:
        self.board = Board()
        self.seq = 0
        self.decoder = FrameDecoder()
        self.unasked: list[Any] = []

    def frames(self, data: bytes) -> list[Frame]:
        found = self.decoder.feed(data)
        assert all(isinstance(part, Frame) for part in found), "the board wrote noise"
        return [part for part in found if isinstance(part, Frame)]

    def ask_all(self, requests: Iterable[m.Request]) -> list[Any]:
        """All in one stretch of bytes; one answer each, in order."""
        stream, seqs = b"", []
        for request in requests:
            self.seq += 1
            seqs.append(self.seq)
            stream += encode_frame(encode(request, self.seq))
        answers = []
        for one in self.frames(self.board.receive(stream)):
            if one.seq == 0:
                self.unasked.append(decode(one))
            else:
                answers.append(one)
        assert [one.seq for one in answers] == seqs
        return [decode(one) for one in answers]

    def ask(self, request: m.Request) -> Any:
        (answer,) = self.ask_all([request])
        return answer

    def refused(self, request: m.Request, status: m.Status) -> m.Refusal:
        answer = self.ask(request)
        assert isinstance(answer, m.Refusal), answer
        assert (answer.status, answer.text != "") == (status, True), answer
        return answer

    def upload(self, model: bytes, coding: m.Coding = m.Coding.ZLIB) -> None:
        coded = zlib.compress(model) if coding == m.Coding.ZLIB else model
        begin = m.ModelBegin(name_of(model), len(model), len(coded), coding)
        assert self.ask(begin) == m.ModelState(m.ModelAnswer.SEND, 0)
        for at in range(0, len(coded), CHUNK):
            chunk = coded[at : at + CHUNK]
            assert self.ask(m.ModelData(at, chunk)) == m.ModelProgress(at + len(chunk))
        assert self.ask(m.ModelCommit(name_of(model))) == m.ModelCommitted()

    def load(self, model: bytes) -> m.Loaded:
        self.upload(model)
        loaded = self.ask(m.Load(name_of(model), 0))
        assert isinstance(loaded, m.Loaded), loaded
        return loaded

    def run(self, run_id: int = 1, *, repeat: int = 1, warmup: int = 0, flags: int = 1) -> Any:
        return self.ask(m.Run(run_id, warmup, repeat, 1, flags))

    def output(self, size: int, run_id: int = 1) -> bytes:
        answer = self.ask(m.ReadOutput(run_id, 0, 0, size))
        assert isinstance(answer, m.OutputBytes), answer
        return answer.data


@pytest.fixture
def talk() -> Talk:
    return Talk()


# --- Hello and the board itself -------------------------------------------------------------------


def test_hello_tells_who_answers(talk):
    model = recipe()
    talk.upload(model)
    assert talk.ask(m.Hello()) == m.Identity(
        version=2,
        flags=m.IdentityFlags.VIRTUAL,
        window=4,
        chunk_size=CHUNK,
        target="esp32s3",
        chip_revision="v0.2",
        mac=bytes([2, 0, 0, 0, 0, 1]),
        firmware_sha256=bytes(32),
        firmware_version="test",
        reset_reason="poweron",
        engines=(m.EngineEntry(0, "toy", "1"),),
        cached_models=(name_of(model),),
        memory=(
            m.Region("arena", ARENA, ARENA, 0),
            m.Region("store", STORE_SECTORS * SECTOR, (STORE_SECTORS - 1) * SECTOR, SECTOR),
        ),
        facts=(m.Fact("cpu_mhz", "240"), m.Fact("idf", "none")),
    )


@pytest.mark.parametrize(("lowest", "highest"), [(3, 9), (0, 0), (1, 1)])
def test_another_protocol_version_is_refused(talk, lowest, highest):
    talk.refused(m.Hello(lowest, highest), m.Status.VERSION)


def test_memory_shows_the_loaded_model(talk):
    talk.load(recipe(size=40))
    regions = talk.ask(m.Memory()).regions
    assert regions[0] == m.Region("arena", ARENA, ARENA - 40, 80)


def test_a_reboot_is_answered_first(talk):
    assert talk.ask(m.Reboot()) == m.Rebooting()
    assert talk.board.reboots == 1


def test_a_new_rate_holds_once_a_hello_comes(talk):
    assert talk.ask(m.Baud(921600)) == m.BaudAccepted()
    assert talk.board.baud == 921600
    talk.board.wait(0.4)
    talk.ask(m.Hello())
    talk.board.wait(10)
    assert talk.board.baud == 921600


def test_a_new_rate_without_a_hello_is_given_up(talk):
    talk.ask(m.Baud(921600))
    talk.board.wait(0.3)
    talk.ask(m.Baud(2000000))
    talk.ask(m.Memory())
    talk.board.wait(0.499)
    assert talk.board.baud == 2000000
    talk.board.wait(0.001)
    assert talk.board.baud == 115200


def test_an_impossible_rate_is_refused(talk):
    talk.refused(m.Baud(1), m.Status.UNSUPPORTED)
    assert talk.board.baud == 115200


def test_log_lines_travel_as_messages_and_long_ones_end_at_a_character(talk):
    talk.board.log(2, "Größe".encode())
    talk.board.log(4, ("a" + "ü" * 600).encode())
    short, long = (decode(one) for one in talk.frames(talk.board.take()))
    assert short == m.Log(2, "Größe")
    assert long == m.Log(4, "a" + "ü" * 511)


# --- Upload ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", list(m.Coding))
@pytest.mark.parametrize("size", [9, 4096, 30_001])
def test_a_model_arrives_and_is_there_from_then_on(talk, coding, size):
    model = recipe(pad=random.Random(size).randbytes(size - 9))
    talk.upload(model, coding)
    begin = m.ModelBegin(name_of(model), len(model), 7, coding)
    assert talk.ask(begin) == m.ModelState(m.ModelAnswer.HAVE_IT, 0)
    assert talk.ask(m.ModelCommit(name_of(model))) == m.ModelCommitted()
    with talk.board.flash() as flash:
        assert model in bytes(flash)


@given(st.lists(st.tuples(st.sampled_from([0, 1, -1, -500]), st.integers(0, 1500)), max_size=9))
def test_chunks_lost_doubled_or_out_of_order_do_no_harm(chunks):
    """Whatever comes, the answer is how far the stream is whole; the model is right in the end."""
    talk = Talk()
    model = recipe(pad=random.Random(5).randbytes(3000))
    coded = zlib.compress(model)
    talk.ask(m.ModelBegin(name_of(model), len(model), len(coded), m.Coding.ZLIB))
    stored = 0
    for shift, size in [*chunks, (0, 4000)]:
        start = min(max(stored + shift, 0), len(coded))
        chunk = coded[start : start + size]
        stored += len(chunk) if start == stored else 0
        assert talk.ask(m.ModelData(start, chunk)) == m.ModelProgress(stored)
    assert talk.ask(m.ModelCommit(name_of(model))) == m.ModelCommitted()


def test_a_cut_upload_goes_on_where_it_stopped(talk):
    model = recipe(pad=random.Random(1).randbytes(3000))
    begin = m.ModelBegin(name_of(model), len(model), len(model), m.Coding.PLAIN)
    talk.ask(begin)
    talk.ask(m.ModelData(0, model[:1000]))
    talk.ask(m.Hello())
    assert talk.ask(begin) == m.ModelState(m.ModelAnswer.SEND, 1000)
    talk.ask(m.ModelData(1000, model[1000:]))
    assert talk.ask(m.ModelCommit(name_of(model))) == m.ModelCommitted()


@pytest.mark.parametrize("change", [{"coded_size": 999}, {"coding": 1, "coded_size": 999}])
def test_another_coding_of_the_same_model_starts_over(talk, change):
    model = recipe(pad=bytes(3000))
    begin = m.ModelBegin(name_of(model), len(model), len(model), m.Coding.PLAIN)
    other = dataclasses.replace(begin, **({"coding": 1} | change))
    talk.ask(begin)
    talk.ask(m.ModelData(0, model[:1000]))
    assert talk.ask(other) == m.ModelState(m.ModelAnswer.SEND, 0)


def test_an_erase_forgets_a_half_upload(talk):
    model = recipe(pad=bytes(3000))
    begin = m.ModelBegin(name_of(model), len(model), len(model), m.Coding.PLAIN)
    talk.ask(begin)
    talk.ask(m.ModelData(0, model[:1000]))
    assert talk.ask(m.ModelErase(name_of(model))) == m.ModelErased()
    assert talk.ask(begin) == m.ModelState(m.ModelAnswer.SEND, 0)


def test_bytes_of_another_model_are_refused_at_the_commit(talk):
    model, other = recipe(nodes=3), recipe(nodes=4)
    begin = m.ModelBegin(name_of(model), len(model), len(model), m.Coding.PLAIN)
    talk.ask(begin)
    talk.ask(m.ModelData(0, other))
    for _ in range(2):  # the first answer may be lost
        talk.refused(m.ModelCommit(name_of(model)), m.Status.HASH)
    assert talk.ask(begin) == m.ModelState(m.ModelAnswer.SEND, 0)
    talk.refused(m.Load(name_of(model), 0), m.Status.STATE)


def test_a_commit_too_early_is_a_wrong_hash(talk):
    model = recipe(pad=bytes(2000))
    talk.ask(m.ModelBegin(name_of(model), len(model), len(model), m.Coding.PLAIN))
    talk.ask(m.ModelData(0, model[:1000]))
    assert "early" in talk.refused(m.ModelCommit(name_of(model)), m.Status.HASH).text


def test_a_broken_stream_is_an_error_that_says_where(talk):
    model = recipe(pad=random.Random(2).randbytes(1500))
    coded = bytearray(zlib.compress(model))
    coded[-1] ^= 1
    begin = m.ModelBegin(name_of(model), len(model), len(coded), m.Coding.ZLIB)
    talk.ask(begin)
    talk.ask(m.ModelData(0, bytes(coded[:CHUNK])))
    for _ in range(2):
        refusal = talk.refused(m.ModelData(CHUNK, bytes(coded[CHUNK:])), m.Status.INFLATE)
        assert (refusal.offset, refusal.text) == (CHUNK, "zlib: Adler-32 does not match")
    assert talk.ask(begin) == m.ModelState(m.ModelAnswer.SEND, 0)


def test_impossible_uploads_are_refused(talk):
    model = recipe()
    name, size = name_of(model), len(model)
    talk.refused(m.ModelBegin(name, 0, 0, 0), m.Status.ARGUMENT)
    talk.refused(m.ModelBegin(name, size, size + 1, 0), m.Status.ARGUMENT)
    talk.refused(m.ModelBegin(name, size, size, 2), m.Status.UNSUPPORTED)
    too_large = STORE_SECTORS * SECTOR + 1
    talk.refused(m.ModelBegin(name, too_large, too_large, 0), m.Status.MEMORY)
    talk.refused(m.ModelData(0, b"x"), m.Status.STATE)
    talk.refused(m.ModelCommit(name), m.Status.STATE)
    talk.ask(m.ModelBegin(name, size, size, 0))
    talk.refused(m.ModelData(0, model + b"x"), m.Status.ARGUMENT)


def test_the_loaded_model_gives_way_only_when_it_must(talk):
    loaded = recipe(pad=bytes(10 * SECTOR - 9))
    talk.load(loaded)
    for seed in range(3):
        talk.upload(recipe(pad=random.Random(seed).randbytes(8 * SECTOR)))
    assert isinstance(talk.ask(m.Outputs()), m.OutputList)
    talk.upload(recipe(pad=random.Random(9).randbytes(15 * SECTOR)))
    talk.refused(m.Outputs(), m.Status.STATE)


def test_erased_models_are_gone_and_erasing_repeats(talk):
    models = [recipe(pad=bytes([at])) for at in range(3)]
    for model in models:
        talk.upload(model)
    talk.ask(m.Load(name_of(models[0]), 0))
    for _ in range(2):
        assert talk.ask(m.ModelErase(name_of(models[0]))) == m.ModelErased()
    assert set(talk.ask(m.Hello()).cached_models) == {name_of(model) for model in models[1:]}
    talk.refused(m.Outputs(), m.Status.STATE)
    assert talk.ask(m.ModelErase(m.EVERY_MODEL)) == m.ModelErased()
    assert talk.ask(m.Hello()).cached_models == ()


# --- Load and inputs ------------------------------------------------------------------------------


def describe(name: str, size: int) -> m.TensorDescription:
    return m.TensorDescription(name, 3, -7, (size,), size)


def test_load_tells_nodes_and_inputs_and_repeats(talk):
    model = recipe(nodes=5, inputs=2, size=40)
    expected = m.Loaded(5, (describe("in0", 40), describe("in1", 40)))
    assert talk.load(model) == expected
    assert talk.ask(m.Load(name_of(model), 0)) == expected
    assert talk.ask(m.Outputs()) == m.OutputList((describe("v4", 40),))


def test_a_rotten_store_is_an_error_and_not_a_wrong_number(talk):
    model = recipe(pad=b"some bytes to be found")
    talk.upload(model)
    with talk.board.flash() as flash:
        flash[bytes(flash).find(b"found")] ^= 4
    talk.refused(m.Load(name_of(model), 0), m.Status.HASH)
    assert talk.ask(m.Hello()).cached_models == ()
    talk.load(model)


def test_what_the_engine_says_against_a_model_arrives_whole(talk):
    model = b"no recipe"
    talk.upload(model)
    assert talk.ask(m.Load(name_of(model), 0)) == m.Refusal(
        status=m.Status.FORMAT, request_type=5, offset=4, node="", text="toy: recipe"
    )
    talk.refused(m.Outputs(), m.Status.STATE)


def test_impossible_loads_are_refused(talk):
    talk.refused(m.Load(bytes(32), 0), m.Status.STATE)
    model = recipe()
    talk.upload(model)
    talk.refused(m.Load(name_of(model), 1), m.Status.UNSUPPORTED)
    large = recipe(inputs=3, size=4000)
    talk.upload(large)
    talk.refused(m.Load(name_of(large), 0), m.Status.MEMORY)
    talk.refused(m.Run(1, 0, 1, 1, 0), m.Status.STATE)


def test_nothing_works_before_a_model_is_loaded(talk):
    for request in (
        m.Outputs(),
        m.Input(0, 0, b"x"),
        m.TestInputs(),
        m.Capture(0, "v0"),
        m.Run(1, 0, 1, 1, 0),
        m.Nodes(1, 0),
        m.Latencies(1, 0),
        m.ReadOutput(1, 0, 0, 1),
        m.ReadCapture(1, 0, 0, 1),
        m.ResetState(),
    ):
        talk.refused(request, m.Status.STATE)


def sums(inputs: list[bytes], steps: int) -> bytes:
    return bytes((sum(column) + steps) % 256 for column in zip(*inputs, strict=True))


@given(st.permutations(range(6)), st.integers(0, 3))
def test_inputs_come_in_pieces_of_any_order(order, doubled):
    talk = Talk()
    talk.load(recipe(nodes=3, inputs=2, size=39))
    inputs = [random.Random(at).randbytes(39) for at in range(2)]
    pieces = [m.Input(i, at, inputs[i][at : at + 15]) for i in range(2) for at in (0, 15, 30)]
    sent = [pieces[at] for at in [*order, doubled]]
    for piece in sent[:5]:
        assert talk.ask(piece) == m.InputTaken()
    talk.refused(m.Run(1, 0, 1, 1, 1), m.Status.STATE)
    for piece in sent[5:]:
        assert talk.ask(piece) == m.InputTaken()
    done = talk.run()
    assert (done.run_id, done.runs_done) == (1, 1)
    assert done.model_sha256 == name_of(recipe(nodes=3, inputs=2, size=39))
    assert talk.output(39) == sums(inputs, 3)


def test_inputs_are_set_again_before_each_repetition(talk):
    """The toy overwrites its inputs, as an engine may."""
    talk.load(recipe(nodes=2, inputs=1, size=8))
    talk.ask(m.Input(0, 0, bytes(range(8))))
    talk.run(repeat=4, warmup=2)
    assert talk.board.runs == 6
    assert talk.output(8) == bytes(range(2, 10))
    talk.ask(m.Input(0, 0, b"\xff"))  # one byte anew, the others stay
    talk.run(2)
    assert talk.output(8, 2) == bytes([1, 3, 4, 5, 6, 7, 8, 9])


def test_every_inference_starts_fresh_and_a_kept_state_goes_on(talk):
    """The toy with a memory adds how often it ran since its last reset."""
    talk.load(recipe(nodes=1, inputs=1, size=1, flags=STATEFUL))
    talk.ask(m.Input(0, 0, b"\0"))
    runs = [(0, 1, 0), (2, 3, 0), (0, 1, 2), (0, 1, 2), (0, 1, 0), (0, 1, 2)]
    outputs = []
    for at, (warmup, repeat, flags) in enumerate(runs, start=1):
        talk.run(at, warmup=warmup, repeat=repeat, flags=flags)
        outputs.append(talk.output(1, at)[0])
    assert outputs == [1, 1, 2, 3, 1, 2]
    assert talk.ask(m.ResetState()) == m.StateReset()
    talk.run(9, flags=2)
    assert talk.output(1, 9) == b"\1"


def test_a_model_without_state_is_never_reset(talk):
    talk.load(recipe(nodes=1, inputs=1, size=1))
    talk.ask(m.Input(0, 0, b"\0"))
    talk.run(1, warmup=2, repeat=3)
    assert talk.ask(m.ResetState()) == m.StateReset()
    assert talk.board.resets == 0


def test_a_repeated_request_is_not_another_step_of_the_stream(talk):
    talk.load(recipe(nodes=1, inputs=1, size=1, flags=STATEFUL))
    talk.ask(m.Input(0, 0, b"\0"))
    talk.run(1)
    for _ in range(3):
        talk.run(2, flags=2)
    assert talk.output(1, 2) == b"\2"


@pytest.mark.parametrize(
    ("warmup", "repeat", "flags", "status"),
    [
        (1, 1, 2, m.Status.ARGUMENT),
        (0, 2, 3, m.Status.ARGUMENT),
        (0, 1, 4, m.Status.UNSUPPORTED),
        (0, 1, 0x82, m.Status.UNSUPPORTED),
    ],
)
def test_impossible_streams_are_refused(talk, warmup, repeat, flags, status):
    talk.load(recipe(flags=STATEFUL | HAS_TEST_INPUTS))
    talk.ask(m.TestInputs())
    talk.refused(m.Run(1, warmup, repeat, 1, flags), status)
    assert talk.board.runs == 0


def test_a_stream_does_not_go_on_from_a_run_that_failed(talk):
    talk.load(recipe(flags=STATEFUL | HAS_TEST_INPUTS | FAILS))
    talk.ask(m.TestInputs())
    talk.refused(m.Run(1, 0, 1, 1, 0), m.Status.UNSUPPORTED)
    assert "anew" in talk.refused(m.Run(2, 0, 1, 1, 2), m.Status.STATE).text
    assert talk.ask(m.ResetState()) == m.StateReset()
    talk.refused(m.Run(3, 0, 1, 1, 2), m.Status.UNSUPPORTED)


def test_a_run_tells_cycles_and_temperature(talk):
    talk.load(recipe(nodes=3))
    talk.ask(m.TestInputs())
    done = talk.run(repeat=2, warmup=1)
    # 240 cycles to the microsecond, counted per node without what the server does in between.
    assert done.cycles == 3 * int(NODE_S * 1e6) * 240
    assert done.temperature == -15


def test_the_files_own_test_inputs(talk):
    talk.load(recipe(nodes=1, inputs=2, size=4))
    assert talk.ask(m.TestInputs()) == m.TestInputsTaken()
    talk.run(repeat=2)
    assert talk.output(4) == bytes([1 + 2 + 1] * 4)
    talk.load(recipe(nodes=1, inputs=2, size=4, flags=0))
    talk.refused(m.TestInputs(), m.Status.STATE)


def test_inputs_beyond_the_tensor_are_refused(talk):
    talk.load(recipe(inputs=1, size=40))
    for index, offset, size in ((1, 0, 1), (0, 41, 0), (0, 40, 1), (0, 0, 41), (0, 2**32 - 1, 2)):
        talk.refused(m.Input(index, offset, bytes(size)), m.Status.ARGUMENT)


def test_too_many_gaps_are_refused_and_filling_them_helps(talk):
    talk.load(recipe(inputs=1, size=40))
    for at in range(0, 16, 2):
        assert talk.ask(m.Input(0, at, b"x")) == m.InputTaken()
    talk.refused(m.Input(0, 30, b"x"), m.Status.STATE)
    assert talk.ask(m.Input(0, 0, bytes(16))) == m.InputTaken()
    assert talk.ask(m.Input(0, 30, b"x")) == m.InputTaken()


# --- Runs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [HAS_TEST_INPUTS, HAS_TEST_INPUTS | LATE_OUTPUTS])
def test_rows_tell_every_node_output(talk, flags):
    talk.load(recipe(nodes=4, inputs=1, size=6, flags=flags))
    talk.ask(m.TestInputs())
    talk.run()
    rows = talk.ask(m.Nodes(1, 0))
    assert rows == m.NodeRows(
        4,
        tuple(
            m.NodeRow(
                node=f"node{at}",
                op_type="AddOne",
                value=f"v{at}",
                dtype=3,
                exponent=-7,
                dims=(6,),
                digest=xxhash.xxh64(bytes([2 + at] * 6)).intdigest().to_bytes(8, "little"),
                latency=int(NODE_S * 1e7),
            )
            for at in range(4)
        ),
    )
    assert talk.ask(m.Nodes(1, 3)) == m.NodeRows(4, rows.rows[3:])
    assert talk.ask(m.Nodes(1, 4)) == m.NodeRows(4, ())
    talk.refused(m.Nodes(1, 5), m.Status.ARGUMENT)


def test_without_digests_there_are_no_rows(talk):
    talk.load(recipe(nodes=ROWS + 5))
    talk.ask(m.TestInputs())
    talk.run(flags=0)
    assert talk.ask(m.Nodes(1, 0)) == m.NodeRows(0, ())


def test_more_rows_than_memory_is_a_named_error(talk):
    talk.load(recipe(nodes=ROWS + 1))
    talk.ask(m.TestInputs())
    assert talk.run() == m.Refusal(
        m.Status.MEMORY, 0x0A, 0, f"node{ROWS}", "nodes: no memory for so many rows"
    )
    talk.refused(m.Nodes(1, 0), m.Status.STATE)


def test_latencies_are_those_of_the_measured_runs(talk):
    talk.load(recipe(nodes=3))
    talk.ask(m.TestInputs())
    talk.run(warmup=2, repeat=5)
    ticks = int(3 * NODE_S * 1e7)
    assert talk.ask(m.Latencies(1, 0)) == m.LatencyList((ticks,) * 5)
    assert talk.ask(m.Latencies(1, 4)) == m.LatencyList((ticks,))
    assert talk.ask(m.Latencies(1, 5)) == m.LatencyList(())
    talk.refused(m.Latencies(1, 6), m.Status.ARGUMENT)


def test_a_repeated_run_does_not_run_again(talk):
    talk.load(recipe())
    talk.ask(m.TestInputs())
    assert talk.run(7, repeat=2) == talk.run(7, repeat=2)
    assert talk.board.runs == 2
    talk.run(8)
    assert talk.board.runs == 3
    talk.refused(m.ReadOutput(7, 0, 0, 1), m.Status.STATE)


def test_a_failed_run_names_its_node_and_fails_again_without_running(talk):
    talk.load(recipe(nodes=3, flags=HAS_TEST_INPUTS | FAILS))
    talk.ask(m.TestInputs())
    failed = m.Refusal(m.Status.UNSUPPORTED, 0x0A, 0, "node2", "toy: told to fail")
    assert talk.run(repeat=3) == failed
    assert talk.run(repeat=3) == failed
    assert talk.board.runs == 1
    talk.refused(m.ReadOutput(1, 0, 0, 1), m.Status.STATE)


def test_impossible_runs_are_refused(talk):
    talk.load(recipe())
    talk.ask(m.TestInputs())
    talk.refused(m.Run(1, 0, 0, 1, 0), m.Status.ARGUMENT)
    talk.refused(m.Run(1, 0, 1, 0, 0), m.Status.ARGUMENT)
    talk.refused(m.Run(1, 0, LATENCIES + 1, 1, 0), m.Status.MEMORY)
    assert talk.board.runs == 0
    assert talk.run().runs_done == 1  # a refused run id was not used up


def test_a_slow_run_gives_signs_of_life(talk):
    """Nodes take 50 ms: one ALIVE at most every 200 ms, with run and node."""
    talk.load(recipe(nodes=10))
    talk.ask(m.TestInputs())
    talk.run(9, repeat=2)
    assert talk.unasked == [m.Alive(9, 4, 0), m.Alive(9, 8, 0), m.Alive(9, 2, 1), m.Alive(9, 6, 1)]
    # Saying so takes the line's time, which is not the model's.
    assert talk.ask(m.Latencies(9, 0)) == m.LatencyList((int(10 * NODE_S * 1e7),) * 2)


def test_captures_bring_inner_values_whole(talk):
    talk.load(recipe(nodes=5, inputs=1, size=40))
    talk.ask(m.TestInputs())
    for slot, name in ((0, "v3"), (15, "v1"), (2, "v1"), (3, "nobody"), (4, "v2"), (4, "")):
        assert talk.ask(m.Capture(slot, name)) == m.CaptureSet()
    talk.run(repeat=2)
    assert talk.ask(m.ReadCapture(1, 0, 0, 40)) == m.CaptureBytes(40, bytes([5] * 40))
    assert talk.ask(m.ReadCapture(1, 15, 30, 40)) == m.CaptureBytes(40, bytes([3] * 10))
    assert talk.ask(m.ReadCapture(1, 2, 40, 5)) == m.CaptureBytes(40, b"")
    for slot in (1, 3, 4, 16):
        talk.refused(m.ReadCapture(1, slot, 0, 1), m.Status.ARGUMENT)
    talk.refused(m.ReadCapture(1, 0, 41, 1), m.Status.ARGUMENT)
    talk.refused(m.Capture(16, "v0"), m.Status.ARGUMENT)


def test_captures_end_with_the_loaded_model(talk):
    talk.load(recipe(nodes=2))
    talk.ask(m.Capture(0, "v0"))
    talk.load(recipe(nodes=3))
    talk.ask(m.TestInputs())
    talk.run()
    talk.refused(m.ReadCapture(1, 0, 0, 1), m.Status.ARGUMENT)


def test_captures_beyond_memory_are_a_named_error(talk):
    talk.load(recipe(nodes=5, inputs=1, size=4096))
    talk.ask(m.TestInputs())
    for slot in range(3):
        talk.ask(m.Capture(slot, f"v{slot}"))
    assert talk.run() == m.Refusal(
        m.Status.MEMORY, 0x0A, 0, "node2", "capture: no memory for the value"
    )


def test_outputs_are_read_in_pieces_and_never_beyond(talk):
    talk.load(recipe(nodes=1, inputs=1, size=2000))
    talk.ask(m.Input(0, 0, bytes(2000)))
    talk.run()
    pieces = [talk.ask(m.ReadOutput(1, 0, at, size)) for at, size in ((0, CHUNK), (CHUNK, 976))]
    assert b"".join(piece.data for piece in pieces) == b"\x01" * 2000
    for index, offset, size in ((1, 0, 1), (0, 2000, 1), (0, 1, 2000), (0, 0, CHUNK + 1)):
        talk.refused(m.ReadOutput(1, index, offset, size), m.Status.ARGUMENT)


def test_reset_forgets_what_persists(talk):
    talk.load(recipe())
    assert talk.ask(m.ResetState()) == m.StateReset()


# --- The line -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields"),
    [(kind, fields) for _, kind, _, fields in MESSAGES if kind < 0x70],
    ids=[name for name, kind, _, _ in MESSAGES if kind < 0x70],
)
def test_a_body_of_the_wrong_size_is_refused(kind, fields):
    """Each golden request a byte short (where its end is fixed), and each a byte long."""
    body = b"".join(encode_field(value) for _, encode_field, value in fields)
    open_end = bool(fields) and fields[-1][0] == "data"
    wrong = [] if open_end else [body + b"\0"]
    wrong += [body[:3]] if open_end else [body[:-1]] * bool(body)
    for bad in wrong:
        (answer,) = Talk().frames(Board().receive(frame(kind, 77, bad)))
        refusal = decode(answer)
        assert isinstance(refusal, m.Refusal)
        assert (answer.seq, refusal.status, refusal.request_type) == (77, m.Status.ARGUMENT, kind)


@pytest.mark.parametrize("kind", [0x00, 0x14, 0x6F])
def test_an_unknown_request_is_refused(talk, kind):
    (answer,) = talk.frames(talk.board.receive(frame(kind, 5, b"abc")))
    assert decode(answer).status == m.Status.UNSUPPORTED


def test_the_lines_echo_is_not_answered(talk):
    said = talk.board.receive(frame(0x01, 5, b"\x01\x01"))
    assert talk.board.receive(said) == b""
    talk.board.log(3, b"hello")
    assert talk.board.receive(talk.board.take()) == b""


def test_many_requests_in_one_stretch_are_answered_in_order(talk):
    assert talk.ask_all([m.Memory(), m.Hello(), m.Memory()])[1].target == "esp32s3"


@given(st.binary(max_size=400), st.integers(1, 7))
def test_any_bytes_do_no_harm(garbage, piece):
    talk = Talk()
    for at in range(0, len(garbage), piece):
        talk.frames(talk.board.receive(garbage[at : at + piece]))
    talk.board.receive(b"\0")
    talk.board.take()
    assert talk.ask(m.Hello()).target == "esp32s3"


@given(st.integers(0, 0x6F), st.binary(max_size=80))
def test_any_body_has_exactly_one_answer(kind, body):
    talk = Talk()
    talk.load(recipe())
    (answer,) = talk.frames(talk.board.receive(seal(Packet(kind, 3, body))))
    assert (answer.seq, answer.type) in ((3, kind | 0x80), (3, 0xFF))
