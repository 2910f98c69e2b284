"""The client on a clock of its own, against a board that loses, delays and breaks rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.boards.link import Link
from espdl_hil.errors import DeadlineError, EngineError, RemoteProtocolError
from espdl_hil.transport import LoopbackTransport, ManualClock
from espdl_hil.wire import messages as m
from espdl_hil.wire.client import QUICK, SLOW, Client, Counters, Pace
from espdl_hil.wire.codec import encode
from espdl_hil.wire.framing import Frame, FrameDecoder, Noise, encode_frame
from espdl_hil.wire.tasks import Ask, ChunkSize, ReadBytes, Upload, WriteInput
from tests.wire.scripted import ScriptedBoard, Store, link_to

PATIENT = Pace(resend_s=0.5, silence_s=10_000.0)
MODEL = bytes(range(256)) * 40


def memory(_: m.Request) -> m.Answer:
    return m.MemoryReport(())


def upload_of(data: bytes, start: int = 0, chunk: int = 1024) -> Upload:
    return Upload(data, start=start, chunk=ChunkSize(chunk))


# --- Loss -----------------------------------------------------------------------------------------


@given(
    up=st.lists(st.booleans(), max_size=60),
    down=st.lists(st.booleans(), max_size=60),
    window=st.integers(1, 9),
    chunk=st.integers(128, 4096),
)
def test_an_upload_arrives_whole_whatever_is_lost(up, down, window, chunk):
    store = Store()
    board = ScriptedBoard(
        store, lambda n: n < len(up) and up[n], lambda n: n < len(down) and down[n]
    )
    link, _ = link_to(board, window)
    link.perform(upload_of(MODEL, chunk=chunk), PATIENT)
    assert store.stored == MODEL


@given(st.lists(st.booleans(), max_size=40), st.lists(st.booleans(), max_size=40))
def test_inputs_and_outputs_arrive_whole_whatever_is_lost(up, down):
    taken = bytearray(len(MODEL))

    def handler(request: m.Request) -> m.Answer:
        if isinstance(request, m.Input):
            taken[request.offset : request.offset + len(request.data)] = request.data
            return m.InputTaken()
        assert isinstance(request, m.ReadOutput)
        return m.OutputBytes(bytes(taken[request.offset : request.offset + request.size]))

    board = ScriptedBoard(
        handler, lambda n: n < len(up) and up[n], lambda n: n < len(down) and down[n]
    )
    link, _ = link_to(board)
    chunk = ChunkSize(1024)
    link.perform(WriteInput(0, MODEL, chunk), PATIENT)
    read = ReadBytes(len(MODEL), chunk, lambda offset, size: m.ReadOutput(1, 0, offset, size))
    assert link.perform(read, PATIENT) == MODEL


@pytest.mark.parametrize("lost", range(8))
def test_one_lost_request_is_repeated_at_once_when_a_later_answer_comes(lost):
    store = Store()
    link, clock = link_to(ScriptedBoard(store, up=lambda n: n == lost))
    link.perform(upload_of(MODEL), QUICK)
    assert store.stored == MODEL
    assert clock() == 0.0, "no timer was needed"
    assert link.client.counters.retries >= 1


def test_a_silent_line_is_asked_again_after_the_resend_time():
    link, clock = link_to(ScriptedBoard(memory, up=lambda n: n == 0))
    link.perform(Ask(m.Memory()), Pace(resend_s=0.5, silence_s=6.0))
    assert clock() == 0.5
    assert link.client.counters.retries == 1


def test_repeats_come_at_doubled_intervals():
    link, clock = link_to(ScriptedBoard(memory, up=lambda n: n < 3))
    link.perform(Ask(m.Memory()), Pace(resend_s=1.0, silence_s=60.0))
    assert clock() == 1.0 + 2.0 + 4.0


def test_a_lossless_upload_repeats_nothing_and_resumes_where_it_stopped():
    store = Store(MODEL[:3000])
    board = ScriptedBoard(store)
    link, _ = link_to(board)
    link.perform(upload_of(MODEL, start=3000), QUICK)
    assert store.stored == MODEL
    assert board.requests[0].offset == 3000
    assert link.client.counters.retries == 0


def test_pieces_shrink_on_a_bad_line_and_grow_again():
    chunk = ChunkSize(4096)
    for _ in range(20):
        chunk.lost()
    assert chunk.bytes == 128
    for _ in range(200):
        chunk.passed()
    assert chunk.bytes == 4096


def test_the_window_is_never_exceeded():
    most = 0
    held: list[bytes] = []

    def board(data: bytes) -> bytes:
        nonlocal most
        held.extend(f for f in FrameDecoder().feed(data))
        most = max(most, len(held))
        if not data and held:  # answers one request each time the host waits
            frame = held.pop(0)
            return encode_frame(encode(m.ModelProgress(store.take(frame.body)), frame.seq))
        return b""

    class Taking(Store):
        def take(self, body: bytes) -> int:
            offset, data = int.from_bytes(body[:4], "little"), body[4:]
            return self(m.ModelData(offset, data)).next_offset

    store = Taking()
    link, _ = link_to(board, window=5)
    link.perform(upload_of(MODEL), PATIENT)
    assert store.stored == MODEL
    assert most == 5


# --- Deadlines ------------------------------------------------------------------------------------


def test_a_silent_board_is_dead_after_the_silence_time():
    link, clock = link_to(lambda _: b"")
    with pytest.raises(DeadlineError, match="Memory") as caught:
        link.perform(Ask(m.Memory()), QUICK)
    assert clock() == QUICK.silence_s
    assert (caught.value.board, caught.value.port) == ("scripted", "loopback")


class SlowBoard:
    """Says ALIVE every 200 ms of the link's clock; answers RUN at ``answer_s``."""

    def __init__(self, answer_s: float) -> None:
        self.clock = ManualClock()
        self._answer_s = answer_s
        self._decoder = FrameDecoder()
        self._seq = 0

    def __call__(self, data: bytes) -> bytes:
        for frame in self._decoder.feed(data):
            self._seq = frame.seq
        if data:
            return b""
        self.clock.advance(0.2)
        if self.clock() >= self._answer_s:
            return encode_frame(encode(m.RunDone(1, bytes(32), 1, 0, m.NO_TEMPERATURE), self._seq))
        return encode_frame(encode(m.Alive(1, 0, 0), 0))


def test_a_board_that_says_alive_is_waited_for_and_not_asked_again():
    board = SlowBoard(answer_s=10 * SLOW.silence_s)
    link = Link(LoopbackTransport(board, board.clock), first_seq=1, now=board.clock)
    link.perform(Ask(m.Run(1, 0, 1, 1, 0)), SLOW)
    assert board.clock() >= 10 * SLOW.silence_s
    assert link.client.counters.retries == 0


def test_the_whole_deadline_ends_even_a_living_board():
    board = SlowBoard(answer_s=10_000.0)
    link = Link(LoopbackTransport(board, board.clock), first_seq=1, now=board.clock)
    link.until = 7.0
    with pytest.raises(DeadlineError, match=r"not done within 7\.\d s"):
        link.perform(Ask(m.Run(1, 0, 1, 1, 0)), SLOW)


def test_log_text_alone_keeps_nobody_alive():
    clock = ManualClock()

    def chatty(_: bytes) -> bytes:
        clock.advance(0.1)
        return encode_frame(encode(m.Log(3, "still here"), 0))

    link = Link(LoopbackTransport(chatty, clock), first_seq=1, now=clock)
    with pytest.raises(DeadlineError):
        link.perform(Ask(m.Memory()), QUICK)
    assert "info: still here" in link.take_log()


# --- What the board may say -----------------------------------------------------------------------


@given(cuts=st.lists(st.integers(1, 60), max_size=8))
def test_what_a_chip_prints_between_frames_is_log_text_and_harms_no_answer(cuts):
    def board(data: bytes) -> bytes:
        log = encode_frame(encode(m.Log(3, "in a frame"), 0))
        answers = ScriptedBoard(memory)(data)
        return b"conv: 3 ms\r\ntensor [1, 8" + log + b"done\n" + answers + b"8 KB free\n"

    came = b""

    def cut(data: bytes) -> bytes:
        """Give what the board said in pieces, each when the host waits."""
        nonlocal came, cuts
        came += board(data) if data else b""
        size = cuts.pop() if cuts else len(came)
        piece, came = came[:size], came[size:]
        return piece

    link, _ = link_to(cut)
    assert link.perform(Ask(m.Memory()), PATIENT) == m.MemoryReport(())
    link.client.receive(came, 0.0)
    link.drain()
    said = ("conv: 3 ms", "tensor [1, 8", "info: in a frame", "done", "8 KB free")
    assert link.take_log() == said


def test_a_refusal_names_status_and_node():
    refusal = m.Refusal(m.Status.UNSUPPORTED, 5, 0, "/conv/Conv", "conv: dilations")
    link, _ = link_to(ScriptedBoard(lambda _: refusal))
    with pytest.raises(EngineError, match="conv: dilations") as caught:
        link.perform(Ask(m.Load(bytes(32), 0)), SLOW)
    assert (caught.value.status, caught.value.node) == ("HIL_ERR_UNSUPPORTED", "/conv/Conv")


@pytest.mark.parametrize(
    "answer",
    [m.Refusal(m.Status.FORMAT, 5, 0, "", "does not load"), m.InputTaken()],
    ids=["refusal", "wrong answer"],
)
def test_what_the_board_says_right_behind_its_error_is_heard(answer):
    behind = encode_frame(encode(m.Log(1, "dl::Model: why"), 0)) + b"text of the chip\n\0"
    board = ScriptedBoard(lambda _: answer)
    link, _ = link_to(lambda data: board(data) + behind)
    with pytest.raises((EngineError, RemoteProtocolError)):
        link.perform(Ask(m.Load(bytes(32), 1)), SLOW)
    assert link.take_log() == ("error: dl::Model: why", "text of the chip")


def test_a_refused_version_is_a_protocol_error_and_says_flash():
    link, _ = link_to(ScriptedBoard(lambda _: m.Refusal(m.Status.VERSION, 1, 0, "", "speaks 2")))
    with pytest.raises(RemoteProtocolError, match="flash"):
        link.perform(Ask(m.Hello()), QUICK)


def test_a_status_of_newer_firmware_is_shown_as_a_number():
    link, _ = link_to(ScriptedBoard(lambda _: m.Refusal(99, 15, 0, "", "")))
    with pytest.raises(EngineError, match="status 99"):
        link.perform(Ask(m.Memory()), QUICK)


def test_an_answer_of_another_type_is_the_boards_mistake():
    link, _ = link_to(ScriptedBoard(lambda _: m.InputTaken()))
    with pytest.raises(RemoteProtocolError, match="Memory was answered by InputTaken"):
        link.perform(Ask(m.Memory()), QUICK)


def test_an_acknowledgement_beyond_the_stream_is_the_boards_mistake():
    link, _ = link_to(ScriptedBoard(lambda _: m.ModelProgress(len(MODEL) + 1)))
    with pytest.raises(RemoteProtocolError, match="acknowledged"):
        link.perform(upload_of(MODEL), QUICK)


@pytest.mark.parametrize("size", [0, 1, 1023])
def test_an_output_of_the_wrong_size_is_the_boards_mistake(size):
    link, _ = link_to(ScriptedBoard(lambda _: m.OutputBytes(bytes(size))))
    read = ReadBytes(1024, ChunkSize(1024), lambda at, count: m.ReadOutput(1, 0, at, count))
    with pytest.raises(RemoteProtocolError, match="1024 bytes were asked for"):
        link.perform(read, QUICK)


def test_answers_to_nobody_are_ignored():
    late = encode_frame(encode(m.MemoryReport(()), 7))
    board = ScriptedBoard(memory)
    link, _ = link_to(lambda data: late + board(data) + late)
    assert link.perform(Ask(m.Memory()), QUICK) == m.MemoryReport(())
    assert link.perform(Ask(m.Memory()), QUICK) == m.MemoryReport(())


def test_an_answer_that_comes_twice_counts_once():
    board = ScriptedBoard(Store())
    link, _ = link_to(lambda data: board(data) * 2)
    link.perform(upload_of(MODEL), QUICK)
    assert board.handler.stored == MODEL


def test_a_message_that_only_newer_firmware_knows_does_not_end_a_run():
    strange = encode_frame(Frame(0x7E, 0, b"new"))
    board = ScriptedBoard(memory)
    link, _ = link_to(lambda data: strange + board(data))
    assert link.perform(Ask(m.Memory()), QUICK) == m.MemoryReport(())


def test_sequence_numbers_wrap_past_zero_which_nobody_may_use():
    client = Client(first_seq=0xFFFE)
    seqs = []
    for at in range(4):
        client.start(Ask(m.Memory()), float(at))
        frame = FrameDecoder().feed(client.poll(float(at)))[0]
        seqs.append(frame.seq)
        client.receive(encode_frame(encode(m.MemoryReport(()), frame.seq)), float(at))
        assert client.done
    assert seqs == [0xFFFF, 1, 2, 3]


def test_every_byte_on_the_line_is_counted():
    counters = Counters()
    client = Client(first_seq=1, counters=counters)
    client.start(Ask(m.Memory()), 0.0)
    out = client.poll(0.0)
    back = b"boot text\0" + encode_frame(encode(m.MemoryReport(()), 2))
    client.receive(back, 0.0)
    assert (counters.bytes_up, counters.bytes_down, counters.retries) == (len(out), len(back), 0)
    assert client.take_events() == [Noise(b"boot text")]


def test_text_that_no_frame_ended_becomes_log_when_the_line_is_lost():
    client = Client(first_seq=1)
    client.start(Ask(m.Memory()), 0.0)
    client.receive(b"Guru Meditation Error", 0.0)
    assert client.take_events() == []
    client.line_lost()
    assert client.take_events() == [Noise(b"Guru Meditation Error")]
    assert client.done


@given(
    start=st.floats(0.0, 1e6),
    silence_s=st.floats(0.01, 100.0),
    until_s=st.none() | st.floats(0.01, 100.0),
)
def test_whoever_waits_until_the_wake_up_never_waits_for_nothing(start, silence_s, until_s):
    client = Client(first_seq=1)
    until = None if until_s is None else start + until_s
    client.start(Ask(m.Memory()), start, pace=Pace(0.5, silence_s), until=until)

    def wait_for_ever() -> None:
        now = start
        for _ in range(1000):
            before = now, client.counters.retries
            client.poll(now)
            now = client.wake_at()
            assert (now, client.counters.retries) != before

    with pytest.raises(DeadlineError):
        wait_for_ever()
