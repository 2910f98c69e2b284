"""The golden frames: a third reading of docs/protocol.md, beside the C and the Python one.

The law of this file: it shares no code with either. ``python -m tests.firmware.frame_vectors``
writes ``tests/vectors/frames.json``; a test holds the file equal to what is made here.
"""

from __future__ import annotations

import itertools
import json
import random
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "frames.json"

Json = Any
SHA = {"hex": "00112233445566778899aabbccddeeff" * 2}
NO_SHA = {"hex": "00" * 32}


def cobs(packet: bytes) -> bytes:
    """The encoding by its definition: every zero becomes the distance to the next one."""
    blocks = []
    for piece in packet.split(b"\0"):
        full, rest = divmod(len(piece), 254)
        blocks += [b"\xff" + piece[254 * at : 254 * at + 254] for at in range(full)]
        blocks.append(bytes([rest + 1]) + piece[254 * full :])
    if blocks[-1] == b"\x01" and len(blocks) > 1 and blocks[-2][0] == 255:
        blocks.pop()  # a full block needs no end: nothing follows it
    return b"".join(blocks)


def frame(kind: int, seq: int, body: bytes) -> bytes:
    packet = struct.pack("<BBH", 0xE5, kind, seq) + body
    return b"\0" + cobs(packet + struct.pack("<I", zlib.crc32(packet))) + b"\0"


def number(layout: str) -> Callable[[Json], bytes]:
    return lambda value: struct.pack("<" + layout, value)


def string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<H", len(data)) + data


def raw(value: Mapping[str, str]) -> bytes:
    return bytes.fromhex(value["hex"])


def many(layout: str, item: Callable[[Json], bytes]) -> Callable[[Json], bytes]:
    return lambda values: struct.pack("<" + layout, len(values)) + b"".join(map(item, values))


def record(**kinds: Callable[[Json], bytes]) -> Callable[[Json], bytes]:
    return lambda value: b"".join(kind(value[name]) for name, kind in kinds.items())


u8, u16, u32, u64, i16 = (number(layout) for layout in "BHIQh")
dims = many("B", u32)
tensor = record(name=string, dtype=u8, exponent=i16, dims=dims, size_bytes=u32)
region = record(name=string, total_bytes=u32, free_bytes=u32, high_water_bytes=u32)
engine = record(id=u8, name=string, version=string)
fact = record(name=string, value=string)
row = record(
    node=string,
    op_type=string,
    value=string,
    dtype=u8,
    exponent=i16,
    dims=dims,
    digest=raw,
    latency=u32,
)

INPUT = {"name": "x", "dtype": 3, "exponent": -7, "dims": [1, 28, 28, 1], "size_bytes": 784}
OUTPUT = {"name": "logits", "dtype": 5, "exponent": 3, "dims": [1, 10], "size_bytes": 20}
SCALAR = {"name": "größe", "dtype": 1, "exponent": 0, "dims": [], "size_bytes": 4}
ARENA = {
    "name": "arena",
    "total_bytes": 8388608,
    "free_bytes": 8000000,
    "high_water_bytes": 500000,
}
ROW = {
    "node": "/conv/Conv",
    "op_type": "Conv",
    "value": "/conv/Conv_output_0",
    "dtype": 3,
    "exponent": -4,
    "dims": [1, 14, 14, 8],
    "digest": {"hex": "0001020304050607"},
    "latency": 4711,
}

Field = tuple[str, Callable[[Json], bytes], Json]
MESSAGES: tuple[tuple[str, int, int, Sequence[Field]], ...] = (
    # requests
    ("Hello", 0x01, 1, [("lowest", u8, 2), ("highest", u8, 2)]),
    (
        "ModelBegin",
        0x02,
        2,
        [
            ("sha256", raw, SHA),
            ("size", u32, 3500000),
            ("coded_size", u32, 2800000),
            ("coding", u8, 1),
        ],
    ),
    ("ModelData", 0x03, 3, [("offset", u32, 0), ("data", raw, {"hex": "78da000102ff"})]),
    ("ModelData", 0x03, 4, [("offset", u32, 6), ("data", raw, {"hex": "a5" * 600})]),
    ("ModelData", 0x03, 5, [("offset", u32, 606), ("data", raw, {"hex": "00" * 300})]),
    ("ModelCommit", 0x04, 6, [("sha256", raw, SHA)]),
    ("Load", 0x05, 7, [("sha256", raw, SHA), ("engine", u8, 0)]),
    ("Outputs", 0x06, 8, []),
    ("Input", 0x07, 9, [("index", u16, 1), ("offset", u32, 256), ("data", raw, {"hex": "80007f"})]),
    ("TestInputs", 0x08, 10, []),
    ("Capture", 0x09, 11, [("slot", u8, 3), ("name", string, "größe/Conv_output_0")]),
    (
        "Run",
        0x0A,
        12,
        [
            ("run_id", u32, 0xDEADBEEF),
            ("warmup", u16, 2),
            ("repeat", u16, 100),
            ("cores", u8, 2),
            ("flags", u8, 3),
        ],
    ),
    ("Nodes", 0x0B, 13, [("run_id", u32, 0xDEADBEEF), ("first", u32, 40)]),
    ("Latencies", 0x0C, 14, [("run_id", u32, 1), ("first", u16, 0)]),
    (
        "ReadOutput",
        0x0D,
        15,
        [("run_id", u32, 1), ("index", u16, 0), ("offset", u32, 4096), ("size", u16, 4096)],
    ),
    (
        "ReadCapture",
        0x0E,
        16,
        [("run_id", u32, 1), ("slot", u8, 15), ("offset", u32, 0), ("size", u16, 4096)],
    ),
    ("Memory", 0x0F, 17, []),
    ("ResetState", 0x10, 18, []),
    ("ModelErase", 0x11, 19, [("sha256", raw, NO_SHA)]),
    ("Reboot", 0x12, 20, []),
    ("Baud", 0x13, 21, [("baud", u32, 921600)]),
    # answers
    (
        "Identity",
        0x81,
        1,
        [
            ("version", u8, 2),
            ("flags", u8, 3),
            ("window", u8, 8),
            ("chunk_size", u16, 4096),
            ("target", string, "esp32s3"),
            ("chip_revision", string, "v0.2"),
            ("mac", raw, {"hex": "7cdfa1000001"}),
            ("firmware_sha256", raw, SHA),
            ("firmware_version", string, "v1.0-3-gabcdef0"),
            ("reset_reason", string, "poweron"),
            ("engines", many("B", engine), [{"id": 0, "name": "reference", "version": "1"}]),
            ("cached_models", many("B", raw), [SHA, NO_SHA]),
            ("memory", many("B", region), [ARENA]),
            ("facts", many("B", fact), [{"name": "cpu_mhz", "value": "240"}]),
        ],
    ),
    ("ModelState", 0x82, 2, [("state", u8, 1), ("next_offset", u32, 8192)]),
    ("ModelProgress", 0x83, 3, [("next_offset", u32, 4096)]),
    ("ModelCommitted", 0x84, 6, []),
    ("Loaded", 0x85, 7, [("node_count", u32, 12), ("inputs", many("H", tensor), [INPUT, SCALAR])]),
    ("OutputList", 0x86, 8, [("outputs", many("H", tensor), [OUTPUT])]),
    ("InputTaken", 0x87, 9, []),
    ("TestInputsTaken", 0x88, 10, []),
    ("CaptureSet", 0x89, 11, []),
    (
        "RunDone",
        0x8A,
        12,
        [
            ("run_id", u32, 0xDEADBEEF),
            ("model_sha256", raw, SHA),
            ("runs_done", u16, 100),
            ("cycles", u64, 0x0123456789),
            ("temperature", i16, -15),
        ],
    ),
    (
        "NodeRows",
        0x8B,
        13,
        [("total", u32, 42), ("rows", lambda rows: b"".join(map(row, rows)), [ROW, ROW])],
    ),
    ("LatencyList", 0x8C, 14, [("latencies", many("H", u32), [0, 1, 0xFFFFFFFF])]),
    ("OutputBytes", 0x8D, 15, [("data", raw, {"hex": "ff00" * 150})]),
    ("CaptureBytes", 0x8E, 16, [("whole_size", u32, 3), ("data", raw, {"hex": "010203"})]),
    ("MemoryReport", 0x8F, 17, [("regions", many("B", region), [ARENA])]),
    ("StateReset", 0x90, 18, []),
    ("ModelErased", 0x91, 19, []),
    ("Rebooting", 0x92, 20, []),
    ("BaudAccepted", 0x93, 21, []),
    (
        "Refusal",
        0xFF,
        7,
        [
            ("status", u8, 2),
            ("request_type", u8, 5),
            ("offset", u32, 1024),
            ("node", string, "/conv/Conv"),
            ("text", string, "conv: dilations"),
        ],
    ),
    # what nobody asked for
    ("Log", 0x70, 0, [("level", u8, 2), ("text", str.encode, "Größe: 1 µs")]),
    ("Alive", 0x71, 0, [("run_id", u32, 7), ("node_index", u32, 41), ("run", u16, 3)]),
)


def _full_block() -> bytes:
    """A body whose packet is 254 bytes without any zero: one full COBS block and nothing more."""
    for seed in itertools.count():
        body = bytes(random.Random(seed).choices(range(1, 256), k=254 - 8))
        if b"\0" not in frame(0x7F, 0x0101, body)[1:-1] and len(frame(0x7F, 0x0101, body)) == 257:
            return body
    raise AssertionError("unreachable")


def make_vectors() -> list[dict[str, Json]]:
    vectors = []
    for message, kind, seq, fields in MESSAGES:
        body = b"".join(encode(value) for _, encode, value in fields)
        vectors.append(
            {
                "message": message,
                "fields": {name: value for name, _, value in fields},
                "type": kind,
                "seq": seq,
                "body": body.hex(),
                "frame": frame(kind, seq, body).hex(),
            }
        )
    for seq, body in ((0x0101, _full_block()), (0x0101, b"\x01" * 4160), (0, b"\0" * 1000)):
        vectors.append(
            {
                "message": None,  # of no meaning: for the framing alone
                "type": 0x7F,
                "seq": seq,
                "body": body.hex(),
                "frame": frame(0x7F, seq, body).hex(),
            }
        )
    return vectors


def text_of(vectors: list[dict[str, Json]]) -> str:
    lines = (json.dumps(vector, ensure_ascii=False) for vector in vectors)
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    VECTORS.write_text(text_of(make_vectors()))
