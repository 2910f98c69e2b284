"""The seeds of the fuzz targets, made by our own writer, codec and random models.

``python -m tests.endurance.corpus`` writes ``firmware/corpus`` anew: a folder for each target. The
law of this file: equal sources give equal files; nothing is copied from golden data. Inputs that
fuzzing found lie beside them, in ``found``, and stay.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from espdl_hil.espdl import write
from espdl_hil.ir.types import Array
from espdl_hil.targets import target_named
from espdl_hil.wire import messages as m
from espdl_hil.wire.codec import encode
from espdl_hil.wire.framing import encode_frame
from tests.support.random_models import FAMILIES, FLOAT, Family, RandomModel
from tests.support.reference_engine import PROJECT

CORPUS = PROJECT / "firmware" / "corpus"
MODEL, MODEL_CODED, RAW, TIME, RESTART, ROT = range(0xF0, 0xF6)
"""Records of ``firmware/host/hil_fuzz_talk.c`` that are no requests."""
LAST_BROUGHT = b"\xfe" * 32
"""Stands for the name of the model that the script brought last."""

_TOY = b"TOY1\x05\x02\x40\x00\x01 and some padding to make it compress"
_WIDTHS = (8, 16, FLOAT)
_TARGETS = ("esp32", "esp32s3", "esp32p4")
_FAMILIES_DIFFER = ("Conv", "Gemm", "MatMul", "PRelu", "Mul", "AveragePool", "Softmax")
"""Operators whose code differs most among kernel families: a seed for each of these."""
_DRAWS = 40
_SEED = 20
_LARGEST_TALK_MODEL = 1500


def _draws(family: Family, place: int, bits: int) -> Iterator[RandomModel]:
    """A few dozen models of one family and width; chips take turns."""
    letters = int.from_bytes(family.__name__.encode()[:8], "little")
    for index in range(_DRAWS):
        rng = np.random.default_rng((_SEED, letters, bits, index))
        target = target_named(_TARGETS[(place + index) % len(_TARGETS)])
        try:
            case = family(rng, target, bits)
        except (KeyError, ValueError):  # no such width
            return
        if case.bits == bits:
            yield case


def engine_seeds() -> Iterator[tuple[str, bytes, RandomModel]]:
    """The smallest of a few dozen models for every operator and width."""
    smallest: dict[str, tuple[bytes, RandomModel]] = {}
    for place, family in enumerate(FAMILIES):
        for bits in _WIDTHS:
            for case in _draws(family, place, bits):
                name, data = f"{case.op_type.lower()}_{bits}", write(case.model)
                if case.op_type in _FAMILIES_DIFFER:
                    name = f"{name}_{case.model.metadata['target']}"
                if name not in smallest or len(data) < len(smallest[name][0]):
                    smallest[name] = data, case
    for name, (data, case) in sorted(smallest.items()):
        yield name, data, case


def _record(kind: int, content: bytes = b"") -> bytes:
    return struct.pack("<BH", kind, len(content)) + content


def _requests(requests: Sequence[m.Request]) -> bytes:
    frames = [encode(request, 1) for request in requests]
    return b"".join(_record(frame.type, frame.body) for frame in frames)


def _session(inputs: Sequence[Array], engine: int, output_bytes: int) -> bytes:
    """Everything that a host asks for once the model is there."""
    setting: list[m.Request] = [m.Load(LAST_BROUGHT, engine), m.Outputs(), m.Capture(0, "y")]
    setting += [m.Input(index, 0, array.tobytes()) for index, array in enumerate(inputs)]
    asking: list[m.Request] = [
        m.Run(7, 1, 2, 1, m.RunFlags.DIGESTS),
        m.Nodes(7, 0),
        m.Latencies(7, 0),
        m.ReadOutput(7, 0, 0, min(output_bytes, 64)),
        m.ReadCapture(7, 0, 0, 64),
        m.Memory(),
        m.ResetState(),
    ]
    return _requests(setting) + _requests(asking)


def _zlib(data: bytes, level: int, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> bytes:
    coder = zlib.compressobj(level, zlib.DEFLATED, 15, 9, strategy)
    return coder.compress(data) + coder.flush()


def talk_seeds() -> Iterator[tuple[str, bytes]]:
    """Conversations: a model brought in each way, loaded, run, read; and what may come between."""
    hello = _requests([m.Hello(1, 9)])
    toy = _session([np.ones(64, np.int8)] * 2, 1, 64)
    coded = struct.pack("<I", len(_TOY)) + _zlib(_TOY, 9)
    yield "toy", hello + _record(MODEL, _TOY) + toy
    # The name of a coded model is that of its plain bytes; the script's is of what it sends.
    yield "toy_coded", hello + _record(MODEL_CODED, coded) + _upload(_TOY) + toy
    yield "restart", hello + _record(MODEL, _TOY) + _record(RESTART) + toy
    yield "rot", _record(MODEL, _TOY) + _record(ROT, b"\x00\x20\x55") + toy
    yield (
        "rate",
        hello
        + _requests([m.Baud(921600)])
        + _record(TIME, b"\x58\x02")
        + _requests([m.Baud(460800), m.Hello(1, 9), m.Reboot()]),
    )
    yield (
        "erase",
        _record(MODEL, _TOY)
        + toy
        + _requests([m.ModelErase(LAST_BROUGHT), m.ModelErase(bytes(32))]),
    )
    yield "line", _record(RAW, b"ESP-ROM:esp32s3\r\n\0\x05\xe5\x01") + toy
    for name, data, case in engine_seeds():
        if len(data) <= _LARGEST_TALK_MODEL and case.bits == 8:
            session = _session(list(case.inputs.values()), 0, 64)
            steps = _requests([m.Run(8, 0, 1, 1, m.RunFlags.DIGESTS | m.RunFlags.KEEP_STATE)])
            yield f"model_{name}", _record(MODEL, data) + session + steps


def _upload(plain: bytes) -> bytes:
    """MODEL_BEGIN to MODEL_COMMIT by hand, deflated, with the name of ``plain``."""
    name, stream = hashlib.sha256(plain).digest(), _zlib(plain, 9)
    half = len(stream) // 2
    return _requests(
        [
            m.ModelBegin(name, len(plain), len(stream), m.Coding.ZLIB),
            m.ModelData(0, stream[:half]),
            m.ModelData(half, stream[half:]),
            m.ModelData(half, stream[half:]),
            m.ModelCommit(name),
            m.Load(name, 1),
        ]
    )


def frame_seeds() -> Iterator[tuple[str, bytes]]:
    """One and several frames, the longest, zeros and 254s, and noise around them."""
    hello = encode_frame(encode(m.Hello(1, 2), 1))
    zeros = encode_frame(encode(m.Input(0, 0, bytes(300)), 2))
    blocks = encode_frame(encode(m.Input(0, 0, bytes(range(1, 256)) * 4), 3))
    longest = encode_frame(encode(m.ModelData(4, b"\xa5" * 4096), 65535))
    yield "hello", hello
    yield "several", hello + zeros + hello
    yield "zeros", zeros
    yield "blocks", blocks
    yield "longest", longest
    yield "noise", b"rst:0x1 (POWERON)\r\n" + hello + b"I (24) boot: chip\r\n" + zeros[:40] + hello
    yield "shared_zero", hello[:-1] + zeros


def inflate_seeds() -> Iterator[tuple[str, bytes]]:
    """Stored, fixed and dynamic blocks, far matches, and an empty stream."""
    rng = np.random.default_rng(_SEED)
    text = b"the weights of a model are hardly text, but this is. " * 12
    noise = rng.integers(0, 256, 700, np.uint8).tobytes()
    weights = np.clip(np.rint(rng.normal(0, 20, 1500)), -128, 127).astype(np.int8).tobytes()
    for name, plain, level, strategy in (
        ("empty", b"", 9, zlib.Z_DEFAULT_STRATEGY),
        ("stored", noise, 0, zlib.Z_DEFAULT_STRATEGY),
        ("fixed", text, 9, zlib.Z_FIXED),
        ("dynamic", text + weights, 9, zlib.Z_DEFAULT_STRATEGY),
        ("huffman", weights, 9, zlib.Z_HUFFMAN_ONLY),
        ("runs", bytes(900) + text, 9, zlib.Z_RLE),
        ("far", noise + bytes(33000) + noise, 9, zlib.Z_DEFAULT_STRATEGY),
    ):
        yield name, struct.pack("<I", len(plain)) + _zlib(plain, level, strategy)


def seeds() -> dict[str, dict[str, bytes]]:
    """All seeds by target and name."""
    return {
        "frames": dict(frame_seeds()),
        "inflate": dict(inflate_seeds()),
        "talk": dict(talk_seeds()),
        "engine": {name: data for name, data, _ in engine_seeds()},
    }


def write_seeds(folder: Path) -> int:
    """Write the seeds below ``folder``; return their bytes."""
    total = 0
    for target, by_name in seeds().items():
        place = folder / target
        place.mkdir(parents=True, exist_ok=True)
        for old in place.iterdir():
            if old.is_file():
                old.unlink()
        for name, data in by_name.items():
            (place / name).write_bytes(data)
            total += len(data)
    return total


if __name__ == "__main__":
    print(f"{write_seeds(CORPUS)} bytes in {CORPUS}")
