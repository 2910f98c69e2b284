"""How much of a serial line uploads and fetches use, in simulated time.

``python -m benchmarks.line_throughput [MODEL.espdl ...]`` prints a table in Markdown: the time of
an upload, as a multiple of what the plain bytes alone need on the line (8N1: ten bits a byte), and
the bytes on the wire for each byte of the model. The server is the firmware's in C; only the
line has a time, and the flash where it is named. Without models it takes 3 MB of random bytes,
which deflate does not shrink.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from tests.support.paced_boards import INSTANT, TYPICAL, FlashTimes, server, talk_to

RATES = (115_200, 921_600, 2_000_000, 3_000_000)
RANDOM_BYTES = 3_000_000
WINDOWS = (3, 8)
FLASHES = {"instant": INSTANT, "typical NOR": TYPICAL}


def measure(
    model: bytes, baud: int, window: int, flash: FlashTimes, latency_s: float
) -> tuple[float, float, int, int]:
    """Return seconds, payload's share of the line, bytes on the wire, and repeats."""
    talk = talk_to(server(window, flash, store_bytes=8 << 20), baud, latency_s)
    begun = talk.clock()
    talk.conversation.provide(model)
    seconds = talk.clock() - begun
    traffic = talk.line.traffic
    share = talk.share(len(model), seconds)
    return seconds, share, traffic.bytes_up, talk.link.client.counters.retries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--latency", type=float, default=0.001, help="of each direction, seconds")
    arguments = parser.parse_args()
    models = {path.name: path.read_bytes() for path in arguments.models}
    models = models or {"random bytes": random.Random(1).randbytes(RANDOM_BYTES)}
    print("| model | baud | window | flash | seconds | of the raw time | wire/payload | repeats |")
    print("|---|---|---|---|---|---|---|---|")
    for name, model in models.items():
        for baud in RATES:
            for flash in FLASHES:
                for window in WINDOWS:
                    seconds, share, wire, retries = measure(
                        model, baud, window, FLASHES[flash], arguments.latency
                    )
                    print(
                        f"| {name} ({len(model)} B) | {baud} | {window} | {flash} | {seconds:.2f} "
                        f"| {1 / share:.3f} | {wire / len(model):.4f} | {retries} |"
                    )


if __name__ == "__main__":
    main()
