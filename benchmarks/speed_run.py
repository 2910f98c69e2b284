"""One measured run of a file in its own interpreter: simulator, plain sums, float, C engine.

Run by ``simulator_speed.py``, which sets the number of threads; prints one JSON line. The four take
turns, round by round, so that what else the machine does falls on all of them. A turn is two
images, and the second counts: images come in rows, so caches are as the same work left them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnxruntime

from benchmarks.float_twin import float_twin
from espdl_hil.espdl import read
from espdl_hil.simulator import Simulator
from espdl_hil.targets import Accumulator, Overflow, Target, target_named


def unlimited(target: Target) -> Target:
    """The target with accumulators that hold every sum: what exactness costs nothing in."""
    wide = Accumulator(64, Overflow.WRAP)
    mac = {bits: replace(one, lane=wide, tail=wide) for bits, one in target.mac.items()}
    return replace(target, mac=MappingProxyType(mac))


def session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Its idle threads would spin into the next contender's turn.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def contenders(
    data: bytes, target: Target, threads: int, engine: bool
) -> dict[str, Callable[[], object]]:
    model = read(data)
    rng = np.random.default_rng(1)
    inputs = {}
    for name in model.inputs:
        info = model.values[name]
        limits = np.iinfo(info.dtype.numpy)
        inputs[name] = rng.integers(limits.min, limits.max + 1, info.dims).astype(info.dtype.numpy)
    tests = {tensor.name: tensor.array() for tensor in model.test_inputs}
    for name in inputs:
        if name in tests:
            inputs[name] = tests[name].reshape(model.values[name].dims)
    exact, plain = Simulator(model, target), Simulator(model, unlimited(target))
    twin = session(float_twin(model, target), threads)
    feed = {}
    for given in twin.get_inputs():
        array = inputs[given.name].astype(np.float32)
        real = array * np.float32(2.0 ** model.values[given.name].exponent)
        feed[given.name] = np.moveaxis(real, -1, 1) if real.ndim == 4 else real
        feed[given.name] = np.ascontiguousarray(feed[given.name])
    found: dict[str, Callable[[], object]] = {
        "simulator": lambda: exact.run(inputs),
        "plain sums": lambda: plain.run(inputs),
        "onnxruntime float": lambda: twin.run(None, feed),
    }
    if engine:
        from tests.support.reference_engine import ReferenceEngine

        compiled = ReferenceEngine(data, target)
        compiled.run(inputs)
        found["C engine"] = compiled.run_unobserved
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--target", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--engine", action="store_true", help="the C engine too (one thread)")
    arguments = parser.parse_args()
    target = target_named(arguments.target)
    runs = contenders(arguments.file.read_bytes(), target, arguments.threads, arguments.engine)
    # With one thread, what other processes do must not count; with more, waiting must.
    clock = time.process_time if arguments.threads == 1 else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(arguments.rounds):
        for name, run in runs.items():
            run()
            began = clock()
            run()
            times[name].append((clock() - began) * 1e3)
    print(json.dumps({name: sorted(figures) for name, figures in times.items()}))


if __name__ == "__main__":
    main()
