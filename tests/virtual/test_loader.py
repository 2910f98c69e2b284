"""The serial loader without any port: what it answers, and that nothing upsets it."""

from __future__ import annotations

import hashlib
import random
import struct
import zlib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.virtual.chips import MAGIC_ADDRESS, VIRTUAL_CHIPS, chip_named
from espdl_hil.virtual.flash import Flash
from espdl_hil.virtual.loader_protocol import (
    SYNC_FRAME,
    Op,
    write_request,
    xor_checksum,
)
from espdl_hil.virtual.rom import Loader, Restart
from espdl_hil.virtual.slip import SlipDecoder, encode_frame

MAC = bytes.fromhex("020000000001")
STUB_ADDRESS = 0x40380000


@pytest.fixture(scope="module")
def flash(tmp_path_factory):
    with Flash(tmp_path_factory.mktemp("flash") / "flash.bin", 1 << 20) as flash:
        yield flash


@dataclass
class Reply:
    op: int
    value: int
    body: bytes

    @property
    def ok(self) -> bool:
        return not any(self.body[-4:])


def replies(raw: bytes) -> list[Reply]:
    return [Reply(f[1], struct.unpack_from("<I", f, 4)[0], f[8:]) for f in SlipDecoder().feed(raw)]


def ask(loader: Loader, op: int, body: bytes = b"", checksum: int = 0) -> Reply:
    answers = replies(loader.feed(write_request(op, body, checksum)).reply)
    assert len(answers) == 1
    return answers[0]


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def block(payload: bytes, number: int) -> bytes:
    return words(len(payload), number, 0, 0) + payload


def start_stub(loader: Loader) -> None:
    code = bytes(range(200))
    assert ask(loader, Op.MEM_BEGIN, words(200, 1, 0x1800, STUB_ADDRESS)).ok
    assert ask(loader, Op.MEM_DATA, block(code, 0), xor_checksum(code)).ok
    raw = loader.feed(write_request(Op.MEM_END, words(0, STUB_ADDRESS + 8))).reply
    assert raw.endswith(encode_frame(b"OHAI"))
    assert loader.running_stub


def loader_of(name: str, flash: Flash, *, stub: bool = False) -> Loader:
    loader = Loader(chip_named(name), MAC, flash)
    if stub:
        start_stub(loader)
    return loader


@pytest.mark.parametrize("stub", [False, True])
def test_sync_is_answered_eight_times_and_zero_means_a_running_stub(flash, stub):
    answers = replies(loader_of("esp32s3", flash, stub=stub).feed(SYNC_FRAME).reply)
    assert len(answers) == 8
    assert {answer.op for answer in answers} == {Op.SYNC}
    assert all((answer.value == 0) == stub for answer in answers)


@pytest.mark.parametrize("chip", VIRTUAL_CHIPS, ids=lambda chip: chip.name)
def test_each_chip_says_which_one_it_is(flash, chip):
    loader = Loader(chip, MAC, flash)
    if chip.magic is None:
        body = ask(loader, Op.GET_SECURITY_INFO).body
        assert struct.unpack_from("<I", body, 12)[0] == chip.chip_id
        assert len(body) == 20 + 4
    else:
        answers = replies(loader.feed(write_request(Op.GET_SECURITY_INFO)).reply)
        assert [answer.body[:2] for answer in answers] == [b"\x01\x05"] * 8
        assert ask(loader, Op.READ_REG, words(MAGIC_ADDRESS)).value == chip.magic
    low = ask(loader, Op.READ_REG, words(chip.mac_low)).value
    high = ask(loader, Op.READ_REG, words(chip.mac_high)).value
    assert (high & 0xFFFF).to_bytes(2, "big") + low.to_bytes(4, "big") == MAC


@given(st.lists(st.integers(1, 400), max_size=20))
def test_any_cut_gives_the_same_answers(cuts):
    stream = SYNC_FRAME + write_request(Op.READ_REG, words(MAGIC_ADDRESS)) * 3
    stream += b"garbage\xc0" + write_request(Op.WRITE_REG, words(64, 7, 0xFF, 0))
    stream += write_request(Op.READ_REG, words(64))
    whole = Loader(chip_named("esp32"), MAC, _no_flash()).feed(stream).reply
    loader = Loader(chip_named("esp32"), MAC, _no_flash())
    parts = bytearray()
    position = 0
    for cut in [*cuts, len(stream)]:
        parts += loader.feed(stream[position : position + cut]).reply
        position += cut
    assert bytes(parts) == whole


@given(st.data())
def test_no_input_raises_or_stops_the_loader(data):
    loader = Loader(chip_named("esp32s3"), MAC, _no_flash())
    if data.draw(st.booleans()):
        start_stub(loader)
    harmless = sorted(set(Op) - {Op.FLASH_BEGIN, Op.FLASH_DEFL_BEGIN, Op.ERASE_FLASH})
    for _ in range(data.draw(st.integers(1, 6))):
        body = data.draw(st.binary(max_size=80))
        piece = data.draw(
            st.sampled_from(
                [
                    body,
                    write_request(data.draw(st.sampled_from(harmless)), body),
                    write_request(data.draw(st.integers(0, 255)), body)[:-3],
                    encode_frame(body),
                ]
            )
        )
        loader.feed(piece)
    answers = replies(loader.feed(b"\xc0" + SYNC_FRAME).reply)
    assert [answer.op for answer in answers[-8:]] == [Op.SYNC] * 8


class _NoFlash:
    """Flash of no bytes: every access is out of range, and none can be slow."""

    jedec_id = 0
    size_bytes = 0

    def read(self, offset: int, size: int) -> bytes:
        from espdl_hil.virtual.flash import FlashRangeError

        raise FlashRangeError(offset, size)

    erase = md5 = program = read


def _no_flash() -> Flash:
    return _NoFlash()  # type: ignore[return-value]


@pytest.mark.parametrize("name", ["esp32", "esp32p4"])
@pytest.mark.parametrize("stub", [False, True])
@pytest.mark.parametrize("deflated", [False, True])
def test_what_is_written_can_be_read_and_has_its_digest(flash, name, stub, deflated):
    content = random.Random(1).randbytes(5000) + bytes(7000)
    loader = loader_of(name, flash, stub=stub)
    sent = zlib.compress(content) if deflated else content
    begin, more = (Op.FLASH_DEFL_BEGIN, Op.FLASH_DEFL_DATA) if deflated else (2, 3)
    extra = (0,) if stub or name != "esp32" else ()
    assert ask(loader, begin, words(len(content), 0, 0x400, 0x3000, *extra)).ok
    for number, start in enumerate(range(0, len(sent), 0x400)):
        piece = sent[start : start + 0x400]
        piece = piece if deflated else piece.ljust(0x400, b"\xff")
        assert ask(loader, more, block(piece, number), xor_checksum(piece)).ok
    digest = ask(loader, Op.SPI_FLASH_MD5, words(0x3000, len(content), 0, 0)).body
    expected = hashlib.md5(content)
    assert digest.startswith(expected.digest() if stub else expected.hexdigest().encode())
    assert flash.read(0x3000, len(content)) == content
    assert flash.read(0x3000 + len(content), 100) == b"\xff" * 100


def test_a_repeated_block_is_acknowledged_and_not_written_twice(flash):
    loader = loader_of("esp32s3", flash, stub=True)
    content = random.Random(2).randbytes(3000)
    sent = zlib.compress(content)
    ask(loader, Op.FLASH_DEFL_BEGIN, words(len(content), 0, 1000, 0, 0))
    for number, start in enumerate(range(0, len(sent), 1000)):
        piece = sent[start : start + 1000]
        for _ in range(3):
            assert ask(loader, Op.FLASH_DEFL_DATA, block(piece, number), xor_checksum(piece)).ok
    assert ask(loader, Op.FLASH_DEFL_END, words(1)).ok
    assert flash.read(0, len(content)) == content


def test_a_block_with_a_wrong_checksum_or_number_is_refused_and_can_be_sent_again(flash):
    loader = loader_of("esp32s3", flash, stub=True)
    ask(loader, Op.FLASH_BEGIN, words(4, 1, 0x4000, 0, 0))
    assert not ask(loader, Op.FLASH_DATA, block(b"abcd", 0), xor_checksum(b"abcd") ^ 1).ok
    assert not ask(loader, Op.FLASH_DATA, block(b"abcd", 1), xor_checksum(b"abcd")).ok
    assert ask(loader, Op.FLASH_DATA, block(b"abcd", 0), xor_checksum(b"abcd")).ok
    assert flash.read(0, 4) == b"abcd"


def test_a_deflate_stream_longer_than_announced_is_refused(flash):
    loader = loader_of("esp32s3", flash, stub=True)
    bomb = zlib.compress(bytes(1 << 20))
    ask(loader, Op.FLASH_DEFL_BEGIN, words(100, 1, 0x4000, 0, 0))
    assert not ask(loader, Op.FLASH_DEFL_DATA, block(bomb, 0), xor_checksum(bomb)).ok
    assert flash.read(0, 101) == b"\xff" * 101


def test_a_cut_deflate_stream_is_not_finished(flash):
    loader = loader_of("esp32s3", flash, stub=True)
    piece = zlib.compress(random.Random(3).randbytes(2000))[:-10]
    ask(loader, Op.FLASH_DEFL_BEGIN, words(2000, 1, 0x4000, 0, 0))
    assert ask(loader, Op.FLASH_DEFL_DATA, block(piece, 0), xor_checksum(piece)).ok
    assert not ask(loader, Op.FLASH_DEFL_END, words(1)).ok


def test_writing_beyond_the_chip_or_encrypted_is_refused(flash):
    loader = loader_of("esp32s3", flash, stub=True)
    assert not ask(loader, Op.FLASH_BEGIN, words(0x2000, 1, 0x4000, (1 << 20) - 0x1000, 0)).ok
    assert not ask(loader, Op.FLASH_BEGIN, words(0x1000, 1, 0x4000, 0, 1)).ok


def test_data_without_begin_is_refused(flash):
    loader = loader_of("esp32s3", flash, stub=True)
    assert not ask(loader, Op.FLASH_DATA, block(b"abcd", 0), xor_checksum(b"abcd")).ok
    assert not ask(loader, Op.FLASH_END, words(1)).ok


def test_a_read_never_has_more_on_the_way_than_its_window(flash):
    content = random.Random(4).randbytes(10_000)
    flash.erase(0, 16_384)
    flash.program(0, content)
    loader = loader_of("esp32p4", flash, stub=True)
    request = write_request(Op.READ_FLASH, words(0, len(content), 0x1000, 2))
    frames = SlipDecoder().feed(loader.feed(request).reply)[1:]
    got = b"".join(frames)
    assert len(frames) == 2
    while len(got) < len(content):
        frames = SlipDecoder().feed(loader.feed(encode_frame(words(len(got)))).reply)
        assert len(frames) == 1
        got += frames[0]
    assert got == content
    last = SlipDecoder().feed(loader.feed(encode_frame(words(len(got)))).reply)
    assert last == [hashlib.md5(content).digest()]
    assert ask(loader, Op.READ_REG, words(0)).ok


def test_the_rom_has_no_stub_commands_and_code_must_be_whole_to_run(flash):
    loader = loader_of("esp32s3", flash)
    answers = replies(loader.feed(write_request(Op.READ_FLASH, words(0, 4, 4, 1))).reply)
    assert not any(answer.ok for answer in answers)
    ask(loader, Op.MEM_BEGIN, words(200, 1, 0x1800, STUB_ADDRESS))
    assert not ask(loader, Op.MEM_END, words(0, STUB_ADDRESS)).ok
    assert not loader.running_stub


def test_the_unlocked_watchdog_restarts_and_the_locked_one_does_not(flash):
    loader = loader_of("esp32p4", flash)
    watchdog = chip_named("esp32p4").watchdog
    enable = write_request(Op.WRITE_REG, words(watchdog.config0, 1 << 31, 0xFFFFFFFF, 0))
    assert loader.feed(enable).restart is None
    unlock = words(watchdog.write_protect, watchdog.key, 0xFFFFFFFF, 0)
    loader.feed(write_request(Op.WRITE_REG, unlock))
    assert loader.feed(enable).restart is Restart.WATCHDOG


def test_the_flash_answers_its_id_through_the_controller(flash):
    loader = loader_of("esp32s3", flash)
    spi = chip_named("esp32s3").spi
    ask(loader, Op.WRITE_REG, words(spi.user2, 7 << 28 | 0x9F, 0xFFFFFFFF, 0))
    ask(loader, Op.WRITE_REG, words(spi.command, 1 << 18, 0xFFFFFFFF, 0))
    assert ask(loader, Op.READ_REG, words(spi.command)).value == 0
    assert ask(loader, Op.READ_REG, words(spi.data0)).value == 0x1440EF


def test_the_rom_runs_the_application_at_the_end_and_the_stub_stays_if_told(flash):
    for stub, stay, expected in [
        (False, 1, Restart.APP),
        (False, 0, Restart.APP),
        (True, 1, None),
        (True, 0, Restart.APP),
    ]:
        loader = loader_of("esp32s3", flash, stub=stub)
        ask(loader, Op.FLASH_BEGIN, words(0, 0, 0x4000, 0, 0))
        assert loader.feed(write_request(Op.FLASH_END, words(stay))).restart is expected


def test_a_new_line_rate_is_reported(flash):
    output = loader_of("esp32", flash).feed(write_request(Op.CHANGE_BAUDRATE, words(921600, 0)))
    assert output.baud == 921600
