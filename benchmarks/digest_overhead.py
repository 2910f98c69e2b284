"""What the digests of all node outputs cost on the board's side, beside the inference itself.

``python benchmarks/digest_overhead.py [FILE.espdl …]`` runs each model on a board in memory, its
server and the reference engine, in pairs: with digests and without, in turns, CPU time of this
thread. A depthwise-separable keyword spotter with random weights is always among them.
``--rv32`` adds what the same is on emulated RV32IMAFC in instructions: those of the inference as
the board counts them, those of the digests by the hash's inner loop of 102 for 32 bytes.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from espdl_hil import espdl  # noqa: E402 -- the path comes first
from espdl_hil.boards.link import Link  # noqa: E402
from espdl_hil.checking.vectors import random_vectors  # noqa: E402
from espdl_hil.runs import RunRequest, RunResult  # noqa: E402
from espdl_hil.targets import target_named  # noqa: E402
from espdl_hil.transport import LoopbackTransport, ManualClock  # noqa: E402
from espdl_hil.wire import Conversation  # noqa: E402
from espdl_hil.wire.conversation import Findings  # noqa: E402
from tests.endurance.memory_board import MemoryBoard  # noqa: E402
from tests.endurance.progress import Reporter  # noqa: E402

PSRAM_BYTES = 64 << 20
FLASH_SECTORS = 2048
STRIPE_INSTRUCTIONS, STRIPE_BYTES = 102, 32
ROW_INSTRUCTIONS = 500
"""Of a row besides the stripes: the hash's end, the hash of the name, the row. Rounded up."""
LIMIT = 0.02
LEAST_S, MOST_PAIRS = 1.0, 1000
"""A small model runs in more pairs: so long, or so often."""


class StopwatchBoard(MemoryBoard):
    """Knows how long its longest answer took: that of RUN."""

    longest_s = 0.0

    def receive(self, data: bytes) -> bytes:
        """As a board does, on a watch."""
        begin = time.thread_time()
        said = super().receive(data)
        self.longest_s = max(self.longest_s, time.thread_time() - begin)
        return said


def keyword_spotter(folder: Path) -> Path:
    """A DS-CNN for 49 x 10 features: one convolution, four separable ones, 64 channels."""
    import onnx

    from espdl_hil.pipeline import quantize
    from espdl_hil.quantizer import QuantizeConfig
    from tests.support.onnx_models import model_of

    body = "y0 = Conv<strides=[2,2], pads=[5,1,5,1]>(x, w0, b0)\n a0 = Relu(y0)\n"
    weights = "float[64,1,10,4] w0, float[64] b0"
    for n in range(1, 5):
        body += (
            f"d{n} = Conv<group=64, pads=[1,1,1,1]>(a{n - 1}, u{n}, c{n})\n e{n} = Relu(d{n})\n"
            f"y{n} = Conv(e{n}, w{n}, b{n})\n a{n} = Relu(y{n})\n"
        )
        weights += f", float[64,1,3,3] u{n}, float[64] c{n}, float[64,64,1,1] w{n}, float[64] b{n}"
    body += "p = GlobalAveragePool(a4)\n f = Flatten(p)\n y = Gemm<transB=1>(f, wg, bg)\n"
    weights += ", float[12,64] wg, float[12] bg"
    text = f"kws (float[1,1,49,10] x, {weights}) => (float[1,12] y) {{\n{body}}}"
    source = folder / "ds_cnn.onnx"
    onnx.save(model_of(text), source)
    config = QuantizeConfig(target_named("esp32s3"), random_samples=8)
    path = folder / "ds_cnn.espdl"
    path.write_bytes(espdl.write(quantize(source, config).model))
    return path


def pairs(path: Path, target: str, count: int) -> tuple[list[float], list[float], Findings]:
    """CPU seconds of at least so many runs without digests and with them, in turns."""
    clock = ManualClock()
    board = StopwatchBoard(target, clock, PSRAM_BYTES, FLASH_SECTORS)
    board.pace(0)
    link = Link(LoopbackTransport(board.receive, clock), first_seq=1, now=clock)
    rng = random.Random(1)
    talk = Conversation(link.perform, lambda: rng.getrandbits(32))
    link.client.window = talk.hello().window
    model = path.read_bytes()
    inputs = random_vectors(espdl.read(model), 1, 1)[0].inputs or {}
    found = talk.run(RunRequest(model, inputs))
    seconds: dict[bool, list[float]] = {False: [], True: []}
    index = 0
    while index < 2 * count or (sum(seconds[True]) < LEAST_S and index < 2 * MOST_PAIRS):
        digests = index % 4 in (1, 2)  # so that neither is always the first of its pair
        board.longest_s = 0.0
        talk.run(RunRequest(model, inputs, digests=digests))
        seconds[digests].append(board.longest_s)
        index += 1
    keep = index // 4 * 2  # whole turns
    return seconds[False][:keep], seconds[True][:keep], found


def on_rv32(path: Path, target: str) -> tuple[float, RunResult | Findings]:
    """Instructions of one inference on the emulated board."""
    from tests.endurance.wire_agreement import board

    with tempfile.TemporaryDirectory() as folder, board("rv32", target, Path(folder)) as talk:
        model = path.read_bytes()
        found = talk.run(RunRequest(model, random_vectors(espdl.read(model), 1, 1)[0].inputs or {}))
    return found.latency_us[0] * 1000, found  # an instruction counts as a nanosecond


def hashed_bytes(found: RunResult | Findings) -> int:
    """Bytes of all node outputs."""
    total = 0
    for row in found.nodes:
        size = row.dtype.numpy.itemsize
        for length in row.shape:
            size *= length
        total += size
    return total


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE.espdl")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--rv32", action="store_true")
    options = parser.parse_args(arguments)
    reporter = Reporter()
    rows: list[Sequence[object]] = []
    counted: list[Sequence[object]] = []
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        files = [keyword_spotter(Path(folder)), *options.files]
        for index in reporter.steps("models", len(files)):
            path = files[index]
            target = espdl.read(path.read_bytes()).metadata.get("target") or _target_in(path)
            without, with_digests, found = pairs(path, target, options.pairs)
            shares = [b / a - 1 for a, b in zip(without, with_digests, strict=True)]
            low, median, high = statistics.quantiles(shares, n=4)
            # The best of each: whatever else the machine does only adds.
            best = min(with_digests) / min(without) - 1
            worst = max(worst, median)
            rows.append(
                (
                    f"{path.stem}, {target}",
                    len(shares),
                    f"{1000 * statistics.median(without):.2f}",
                    f"{hashed_bytes(found) / 1000:.0f}",
                    f"{median:.2%}",
                    f"{low:.2%} … {high:.2%}",
                    f"{best:.2%}",
                )
            )
            if options.rv32:
                total, result = on_rv32(path, target)
                stripes = hashed_bytes(result) / STRIPE_BYTES * STRIPE_INSTRUCTIONS
                digests = stripes + len(result.nodes) * ROW_INSTRUCTIONS
                row = (f"{total / 1e6:.1f}", f"{digests / 1e6:.2f}", f"{digests / total:.2%}")
                counted.append((f"{path.stem}, {target}", *row))
    head = ("model", "pairs", "CPU ms", "kB hashed", "median", "quartiles", "best of each")
    reporter.table("Overhead of digests", head, rows)
    if counted:
        head = ("model", "inference, 10^6", "digests, 10^6", "overhead")
        reporter.table("Instructions on RV32IMAFC", head, counted)
    return 0 if worst <= LIMIT else 1


def _target_in(path: Path) -> str:
    """The zoo's folders name their chip."""
    return next((f"esp32{part}" for part in reversed(path.parts) if part in ("s3", "p4")), "esp32")


if __name__ == "__main__":
    sys.exit(main())
