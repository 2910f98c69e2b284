"""The host's wire against the real runner in C, over a clean and over a bad cable."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from espdl_hil.boards.link import Link
from espdl_hil.errors import DisconnectedError, EngineError, ModelError, RemoteProtocolError
from espdl_hil.runs import Engine, RunRequest
from espdl_hil.transport import FaultyTransport, LineFaults, ProcessTransport, Transport
from espdl_hil.wire import Conversation, board_identity
from espdl_hil.wire.tasks import Upload
from tests.support.golden import GoldenCase, cases
from tests.support.reference_engine import build

STORE_OFFSET, STORE_BYTES = 0x10000, 4 << 20
BIG_MODEL_BYTES = 600_000

Talk = tuple[Conversation, Link]


@pytest.fixture(scope="session")
def program() -> Path:
    return build("runner", "hil_runner")


@pytest.fixture
def talking(program: Path, tmp_path: Path) -> Iterator[Callable[..., Talk]]:
    """Start a runner on a flash that stays for the test, behind a cable as bad as told."""
    flash = tmp_path / "flash.bin"
    flash.write_bytes(b"\xff" * (STORE_OFFSET + STORE_BYTES))
    with ExitStack() as stack:

        def start(faults: LineFaults | None = None, seed: int = 1, fault: str = "") -> Talk:
            command = [str(program), "--target", "esp32p4", "--flash", str(flash)]
            command += ["--store-offset", str(STORE_OFFSET), "--store-size", str(STORE_BYTES)]
            command += ["--fault", fault] if fault else []
            line: Transport = ProcessTransport(command)
            if faults is not None:
                line = FaultyTransport(line, faults, random.Random(seed))
            link = Link(line, first_seq=seed)
            stack.callback(link.close)
            rng = random.Random(seed)
            talk = Conversation(link.perform, lambda: rng.getrandbits(32))
            link.client.window = talk.hello().window
            return talk, link

        yield start


@pytest.fixture(scope="module")
def case() -> GoldenCase:
    found = [case for case in cases("p4_s8") if case.op == "Conv" and not case.float_outputs]
    return min(found, key=lambda case: case.path.stat().st_size)


def request_of(case: GoldenCase, **changes: object) -> RunRequest:
    inputs = case.inputs(case.vectors[0])
    return RunRequest(**({"model": case.path.read_bytes(), "inputs": inputs} | changes))


def big_model() -> bytes:
    """Bytes that deflate hardly shrinks; the store takes any."""
    return random.Random(11).randbytes(BIG_MODEL_BYTES)


def test_the_hello_says_who_is_there(talking):
    talk, _ = talking()
    identity = board_identity(talk.hello())
    assert (identity.target, identity.virtual, identity.protocol) == ("esp32p4", True, 2)
    assert identity.engines[0] is Engine.REFERENCE
    assert {"arena", "store"} <= {region.name for region in identity.memory}


def test_a_model_runs_and_is_uploaded_only_once(talking, case):
    talk, link = talking()
    first = talk.run(request_of(case, repeat=3))
    expected = case.outputs(case.vectors[0])
    assert all(np.array_equal(first.outputs[name], array) for name, array in expected.items())
    assert len(first.latency_us) == 3
    assert first.model_uploaded
    assert first.model_sha256 == hashlib.sha256(case.path.read_bytes()).hexdigest()
    again = talk.run(request_of(case))
    assert not again.model_uploaded
    assert [row.digest for row in again.nodes] == [row.digest for row in first.nodes]
    assert link.client.counters.retries == 0


def test_a_captured_value_has_the_digest_of_its_row(talking, case):
    import xxhash

    talk, _ = talking()
    rows = talk.run(request_of(case)).nodes
    wanted = rows[-1]
    found = talk.run(request_of(case, capture=(wanted.value,)))
    array = found.captured[wanted.value]
    assert array.shape == wanted.shape
    assert xxhash.xxh64(array.tobytes(), seed=0).hexdigest() == wanted.digest
    assert talk.run(request_of(case)).captured == {}


def test_without_digests_no_rows_come(talking, case):
    talk, _ = talking()
    assert talk.run(request_of(case, digests=False)).nodes == ()


@pytest.mark.parametrize(
    "faults",
    [
        LineFaults(drop=2e-5),
        LineFaults(flip=2e-5),
        LineFaults(drop=3e-4, flip=3e-4),
        LineFaults(delay_s=0.003),
        LineFaults(drop=1e-4, flip=1e-4, delay_s=0.001),
    ],
    ids=str,
)
def test_a_bad_cable_costs_repeats_and_never_a_byte(talking, case, faults):
    talk, link = talking(faults, seed=5)
    model = big_model()
    assert talk.provide(model)
    found = talk.run(request_of(case))
    expected = case.outputs(case.vectors[0])
    assert all(np.array_equal(found.outputs[name], array) for name, array in expected.items())
    assert hashlib.sha256(model).digest() in talk.hello().cached_models
    assert (link.client.counters.retries > 0) == (faults.drop + faults.flip > 0)


@pytest.mark.parametrize("after", [3_000, 50_000, 250_000])
def test_an_upload_on_a_line_that_came_back_goes_on_where_it_stopped(
    program, tmp_path, monkeypatch, after
):
    """The board stays up; only the cable is changed."""
    flash = tmp_path / "flash.bin"
    flash.write_bytes(b"\xff" * (STORE_OFFSET + STORE_BYTES))
    command = [str(program), "--target", "esp32p4", "--flash", str(flash)]
    command += ["--store-offset", str(STORE_OFFSET), "--store-size", str(STORE_BYTES)]
    starts: list[int] = []
    begin = Upload.__init__

    def spied(self, coded, *, start, chunk):
        starts.append(start)
        begin(self, coded, start=start, chunk=chunk)

    monkeypatch.setattr(Upload, "__init__", spied)
    model = big_model()
    with ProcessTransport(command) as board:
        monkeypatch.setattr(board, "close", lambda: None)
        bad = FaultyTransport(board, LineFaults(cut_after_bytes=after), random.Random(1))
        talk = Conversation(Link(bad, first_seq=1).perform, lambda: 1)
        with pytest.raises(DisconnectedError):
            talk.provide(model)
        monkeypatch.undo()
        monkeypatch.setattr(Upload, "__init__", spied)
        link = Link(board, first_seq=9000)
        talk = Conversation(link.perform, lambda: 1)
        link.client.window = talk.hello().window
        assert talk.provide(model)
        assert starts[0] == 0
        assert 0 <= after - starts[-1] < 3 * 4096 + 400
        assert hashlib.sha256(model).digest() in talk.hello().cached_models


def test_a_truncated_upload_is_named_by_the_board(talking):
    talk, _ = talking(fault="truncate-upload")
    with pytest.raises(EngineError, match="HIL_ERR_") as caught:
        talk.provide(big_model())
    assert caught.value.status in ("HIL_ERR_HASH", "HIL_ERR_INFLATE", "HIL_ERR_STATE")


def test_a_stale_model_is_named(talking, case):
    talk, _ = talking(fault="stale-model")
    other = next(c for c in cases("p4_s8") if c.op == "Conv" and c.name != case.name)
    talk.run(RunRequest(other.path.read_bytes(), other.inputs(other.vectors[0])))
    with pytest.raises(RemoteProtocolError, match="stale model"):
        talk.run(request_of(case))


def test_a_wrong_target_file_is_refused_by_the_board(talking):
    s3 = next(case for case in cases("s3_s8") if case.op == "Conv")
    talk, _ = talking()
    with pytest.raises(EngineError, match="HIL_ERR_TARGET"):
        talk.run(RunRequest(s3.path.read_bytes(), s3.inputs(s3.vectors[0])))


def test_inputs_that_do_not_fit_are_told_before_they_travel(talking, case):
    talk, _ = talking()
    (name, array), *rest = case.inputs(case.vectors[0]).items()
    for wrong in (array.astype(np.int32), array.reshape(-1), array[..., :0]):
        with pytest.raises(ModelError, match="board wants") as caught:
            talk.run(request_of(case, inputs={name: wrong, **dict(rest)}))
        assert caught.value.value == name
    with pytest.raises(ModelError, match="the model has"):
        talk.run(request_of(case, inputs={"nonsense": array}))


def test_an_unknown_capture_names_the_value(talking, case):
    talk, _ = talking()
    with pytest.raises(ModelError, match="nonsense"):
        talk.run(request_of(case, capture=("nonsense",)))


def test_an_erased_store_wants_the_model_again(talking, case):
    talk, _ = talking()
    talk.run(request_of(case))
    talk.erase_models()
    assert talk.hello().cached_models == ()
    assert talk.run(request_of(case)).model_uploaded
