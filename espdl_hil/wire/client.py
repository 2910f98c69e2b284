"""The host's end of a line: a window of requests in flight, repeats, deadlines, counters.

The law of this file: no I/O and no clock. Bytes and times go in; bytes, events and the time of the
next wake-up come out. Everything that repairs a lossy line happens here and nowhere else.

How loss is found: every transmission, a repeat too, has its own sequence number, and the board
answers in the order of arrival. So an answer proves that whatever was sent before it and is still
unanswered was lost, on the way there or back; it is repeated at once. A timer covers only the case
that nothing at all comes back. It waits for what the bytes in flight need at the line's rate, and
on top of it for what the board has shown to need: a repeat in vain costs the line twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from espdl_hil.errors import (
    BoardError,
    DeadlineError,
    EngineError,
    RemoteProtocolError,
)
from espdl_hil.runs import LinkUsage
from espdl_hil.wire.codec import ERROR_TYPE, answer_kind, decode, encode
from espdl_hil.wire.framing import Frame, FrameDecoder, Noise, encode_frame
from espdl_hil.wire.messages import (
    Alive,
    Log,
    ReadCapture,
    ReadOutput,
    Refusal,
    Request,
    Status,
)
from espdl_hil.wire.tasks import Task

Event = Log | Alive | Noise


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient the host is with a task.

    Attributes:
        resend_s: without any sign of life for so long, the oldest request is repeated; the
            interval doubles with each repeat of the same request.
        adaptive: repeat sooner on a line that has shown to answer sooner.
        least_s: but never sooner than so long after the bytes in flight had their time.
        silence_s: without any answer or ALIVE for so long, the board counts as dead.
    """

    resend_s: float
    silence_s: float
    adaptive: bool = False
    least_s: float = 0.05  # below, a busy machine would repeat what is only waiting for its turn


QUICK = Pace(resend_s=0.5, silence_s=6.0, adaptive=True)
"""For requests that the board answers at once."""
STORING = Pace(resend_s=1.0, silence_s=15.0, adaptive=True, least_s=0.7)
"""For pieces of a model: most are answered at once, some wait for flash to be erased."""
SLOW = Pace(resend_s=0.5, silence_s=30.0)
"""For requests that erase flash, hash a model or run it."""
_MAX_DOUBLINGS = 3
_BITS_PER_BYTE = 10


class _RoundTrip:
    """How long answers take on this line: what their bytes need, and the rest.

    The rest is estimated as TCP does (RFC 6298): mean and deviation. The time of a byte is what
    the line's nominal rate says, or less where an answer came sooner than that rate allows.
    """

    def __init__(self) -> None:
        self._byte_s = 0.0
        self._mean_s: float | None = None
        self._deviation_s = 0.0

    def set_rate(self, bits_per_s: int) -> None:
        """Tell the line's nominal rate."""
        self._byte_s = _BITS_PER_BYTE / bits_per_s

    def line_s(self, load_bytes: int) -> float:
        """Return how long the line takes for so many bytes."""
        return load_bytes * self._byte_s

    def note(self, seconds: float, load_bytes: int) -> None:
        """Take the measurement of an answer that stood behind ``load_bytes``, itself among them."""
        if seconds < self.line_s(load_bytes):
            self._byte_s = seconds / load_bytes
        seconds -= self.line_s(load_bytes)
        if self._mean_s is None:
            self._mean_s, self._deviation_s = seconds, seconds / 2
            return
        self._deviation_s += (abs(seconds - self._mean_s) - self._deviation_s) / 4
        self._mean_s += (seconds - self._mean_s) / 8

    def patience_s(self, pace: Pace) -> float:
        """Return how long to wait beyond the line's own time."""
        if self._mean_s is None or not pace.adaptive:
            return pace.resend_s
        return min(pace.resend_s, max(pace.least_s, self._mean_s + 4 * self._deviation_s))


@dataclass(slots=True)
class Counters:
    """What crossed the line since the client was made."""

    bytes_up: int = 0
    bytes_down: int = 0
    retries: int = 0

    def usage_since(self, before: Counters, *, model_uploaded: bool) -> LinkUsage:
        """Return the line usage of one request, whose counters at its begin were ``before``."""
        return LinkUsage(
            bytes_up=self.bytes_up - before.bytes_up,
            bytes_down=self.bytes_down - before.bytes_down,
            model_uploaded=model_uploaded,
            retries=self.retries - before.retries,
        )


@dataclass(slots=True)
class _Flight:
    """One request that waits for its answer, over all its transmissions."""

    request: Request
    order: int = 0
    sent_at: float = 0.0
    timeouts: int = 0
    load_bytes: int = 0  # its own, and what stood before it on the line
    taken_back: bool = False  # the task asks anew; an answer may still come
    seqs: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Transmission:
    """One time that a request was put on the line."""

    flight: _Flight
    order: int
    sent_at: float
    load_bytes: int


class Client:
    """Drives one task at a time over an unreliable, ordered byte line.

    Args:
        first_seq: where sequence numbers start. A random number keeps the late answers to an
            earlier process on the same port from being taken for ours.
        counters: to count on, where a session counts over several lines.
    """

    def __init__(self, first_seq: int, counters: Counters | None = None) -> None:
        self.window = 1
        self.counters = Counters() if counters is None else counters
        self._decoder = FrameDecoder()
        self._events: list[Event] = []
        self._seq = first_seq
        self._order = 0
        self._flights: list[_Flight] = []
        self._by_seq: dict[int, _Transmission] = {}
        self._round_trip = _RoundTrip()
        self._lost: list[_Flight] = []
        self._task: Task[Any] | None = None
        self._pace = QUICK
        self._until: float | None = None
        self._heard_at = 0.0
        self._started_at = 0.0

    def set_rate(self, bits_per_s: int) -> None:
        """Tell the line's nominal rate, so that patience covers the bytes in flight."""
        self._round_trip.set_rate(bits_per_s)

    def start(
        self, task: Task[Any], now: float, *, pace: Pace = QUICK, until: float | None = None
    ) -> None:
        """Begin a task; whatever an earlier one left in flight is forgotten.

        Args:
            task: its requests are sent by the following ``poll`` calls.
            now: the present, in seconds of any clock that only goes forward.
            pace: patience with silence.
            until: the time at which the task has failed even if the board lives.
        """
        self._forget()
        self._task = task
        self._pace = pace
        self._until = until
        self._started_at = self._heard_at = now

    @property
    def done(self) -> bool:
        """Whether the task has its result."""
        return self._task is None or self._task.done

    def poll(self, now: float) -> bytes:
        """Return the bytes to write now: repeats first, then as many requests as fit the window.

        Raises:
            DeadlineError: the board is silent, or the task took longer than it may.
        """
        if self._task is None or self._task.done:
            return b""
        self._check_deadlines(now)
        if not self._lost and self._flights and now >= self._resend_at():
            oldest = min(self._flights, key=_by_order)
            oldest.timeouts += 1
            self._lost.append(oldest)
        out = bytearray()
        for flight in sorted(self._lost, key=_by_order):
            self.counters.retries += 1
            if self._task.take_back(flight.request):
                self._flights.remove(flight)
                flight.taken_back = True  # a late answer still tells that the board lives
            else:
                out += self._transmit(flight, now)
        self._lost.clear()
        while len(self._flights) < self.window:
            request = self._task.next_request()
            if request is None:
                break
            flight = _Flight(request)
            self._flights.append(flight)
            out += self._transmit(flight, now)
        self.counters.bytes_up += len(out)
        return bytes(out)

    def wake_at(self) -> float:
        """Return when ``poll`` must be called again even if nothing arrives."""
        if self._lost:
            return self._heard_at
        times = [self._heard_at + self._pace.silence_s]
        if self._flights:
            times.append(self._resend_at())
        if self._until is not None:
            times.append(self._until)
        return min(times)

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes from the line.

        Raises:
            EngineError: the firmware refused a request of the task.
            RemoteProtocolError: an answer of the wrong type, or a malformed one.
        """
        self.counters.bytes_down += len(data)
        failure: BoardError | None = None
        for found in self._decoder.feed(data):
            if isinstance(found, Noise):
                self._events.append(found)
            elif found.seq == 0:
                self._take_unasked(found, now)
            elif found.seq in self._by_seq and failure is None:
                try:
                    self._take_answer(found, now)
                except BoardError as error:
                    # Only after what came behind it: there the board says why.
                    failure = error
            # Anything else answers a request that is already answered, or an earlier process.
        if failure is not None:
            raise failure

    def take_events(self) -> list[Event]:
        """Return log lines, signs of life and noise since the last call, in order."""
        events, self._events = self._events, []
        return events

    def line_lost(self) -> None:
        """Tell that the line was closed: half a frame becomes noise, nothing is in flight."""
        held = self._decoder.flush()
        if held is not None:
            self._events.append(held)
        self._forget()
        self._task = None

    # --- Inside -------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._flights.clear()
        self._by_seq.clear()
        self._lost.clear()

    def _transmit(self, flight: _Flight, now: float) -> bytes:
        self._seq = self._seq % 0xFFFF + 1  # 1 … 65535: zero marks what nobody asked for
        self._order += 1
        flight.order = self._order
        flight.sent_at = now
        flight.seqs.append(self._seq)
        data = encode_frame(encode(flight.request, self._seq))
        # Answers come one after the other: what is in flight is on its way before this one.
        flight.load_bytes = len(data) + _answer_bytes(flight.request)
        load = sum(one.load_bytes for one in self._flights)
        self._by_seq[self._seq] = _Transmission(flight, self._order, now, load)
        return data

    def _land(self, flight: _Flight) -> None:
        if not flight.taken_back:
            self._flights.remove(flight)
        for seq in flight.seqs:
            # After 65535 transmissions a number may belong to another flight by now.
            if seq in self._by_seq and self._by_seq[seq].flight is flight:
                del self._by_seq[seq]

    def _resend_at(self) -> float:
        oldest = min(self._flights, key=_by_order)
        patience_s = self._round_trip.line_s(sum(one.load_bytes for one in self._flights))
        patience_s += self._round_trip.patience_s(self._pace)
        patience_s *= 2.0 ** min(oldest.timeouts, _MAX_DOUBLINGS)
        return max(oldest.sent_at, self._heard_at) + patience_s

    def _check_deadlines(self, now: float) -> None:
        name = type(self._flights[0].request).__name__ if self._flights else "the request"
        if self._until is not None and now >= self._until:
            raise DeadlineError(
                f"{name} was not done within {now - self._started_at:.1f} s",
                hint="give a longer deadline if the board is only slow",
            )
        # Summed as in ``wake_at``: whoever waits until exactly then must not wait for nothing.
        if now >= self._heard_at + self._pace.silence_s:
            raise DeadlineError(
                f"no answer to {name} for {now - self._heard_at:.1f} s",
                hint="is the board powered, and is the port its own?",
            )

    def _take_unasked(self, frame: Frame, now: float) -> None:
        try:
            message = decode(frame)
        except RemoteProtocolError:
            # Newer firmware may say more without being asked; that must not end a run.
            self._events.append(Noise(frame.body))
            return
        if isinstance(message, Alive):
            self._heard_at = now
        if isinstance(message, Log | Alive):
            self._events.append(message)
        elif isinstance(message, Refusal):
            # Seq 0: the board could not even read whose request it was. The repeat repairs it.
            self._events.append(Noise(message.text.encode()))

    def _take_answer(self, frame: Frame, now: float) -> None:
        assert self._task is not None
        sent = self._by_seq[frame.seq]
        flight, request = sent.flight, sent.flight.request
        answer: Any = decode(frame)
        self._heard_at = now
        if self._pace.adaptive:
            self._round_trip.note(now - sent.sent_at, sent.load_bytes)
        self._land(flight)
        if frame.type == ERROR_TYPE:
            raise _refused(answer, request)
        if flight.taken_back:
            return
        if type(answer) is not answer_kind(request):
            raise RemoteProtocolError(
                f"{type(request).__name__} was answered by {type(answer).__name__}"
            )
        if flight in self._lost:
            self._lost.remove(flight)
        overtaken = [
            one for one in self._flights if one.order < sent.order and one not in self._lost
        ]
        self._lost.extend(overtaken)
        self._task.answered(request, answer)


def _answer_bytes(request: Request) -> int:
    """What the answer brings along, where that is more than a few bytes."""
    return request.size if isinstance(request, ReadOutput | ReadCapture) else 0


def _by_order(flight: _Flight) -> int:
    return flight.order


def _refused(refusal: Refusal, request: Request) -> BoardError:
    try:
        status = f"HIL_ERR_{Status(refusal.status).name}"
    except ValueError:
        status = f"status {refusal.status}"
    text = refusal.text or f"{type(request).__name__} refused"
    if refusal.status == Status.VERSION:
        return RemoteProtocolError(
            f"the firmware does not speak our protocol: {text}", hint="flash the board again"
        )
    if refusal.offset:
        text += f" (file offset {refusal.offset})"
    return EngineError(text, status=status, node=refusal.node)
