"""Results as a board would give them, from values that a test chooses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from espdl_hil.ir.lowered import LoweredModel
from espdl_hil.ir.types import DType
from espdl_hil.results.compare import digest_of
from espdl_hil.results.records import (
    AccuracyRecord,
    BudgetRecord,
    CheckRecord,
    DifferenceRecord,
    MemoryRecord,
    NodeRecord,
)
from espdl_hil.runs import (
    BoardIdentity,
    Engine,
    LinkUsage,
    MemoryRegion,
    NodeOutput,
    RunResult,
)

MEMORY = MemoryRegion("arena", 1 << 20, 1 << 19, 4321)


def identity() -> BoardIdentity:
    return BoardIdentity(
        target="esp32s3",
        chip_revision="v0.2",
        mac="7c:df:a1:00:00:01",
        firmware_sha256="f" * 64,
        firmware_version="v1",
        protocol=1,
        engines=(Engine.REFERENCE,),
        engine_versions=("1.0",),
        virtual=True,
        cached_models=(),
        memory=(MEMORY,),
        reset_reason="power",
    )


def run_result(
    model: LoweredModel, values: Mapping[str, np.ndarray], sha256: str = "a" * 64
) -> RunResult:
    """What a board reports whose every value is ``values``."""
    nodes = tuple(
        NodeOutput(
            node=node.name,
            op_type=node.op_type,
            value=value,
            dtype=DType.of(values[value].dtype),
            shape=values[value].shape,
            exponent=0,
            digest=digest_of(values[value]),
            latency_us=1.5,
        )
        for node in model.nodes
        for value in node.outputs
    )
    return RunResult(
        outputs={name: values[name] for name in model.outputs},
        nodes=nodes,
        captured={},
        latency_us=(12.0, 11.0, 13.0),
        memory=(MEMORY,),
        board=identity(),
        engine=Engine.REFERENCE,
        model_sha256=sha256,
        link=LinkUsage(100, 200, model_uploaded=True, retries=0),
    )


def check_record(**changes: Any) -> CheckRecord:
    """A record of a passed check, with ``changes``."""
    fields: dict[str, Any] = {
        "model": "digits",
        "board": "virtual-esp32s3",
        "target": "esp32s3",
        "virtual": True,
        "bits": 8,
        "calibration": "32 samples",
        "engine": "reference 1.0",
        "vectors": 7,
        "vectors_equal": 7,
        "nodes": 9,
        "max_lsb": 0,
        "difference": None,
        "accuracy": AccuracyRecord("top1", 100, 0.99, 0.98, 0.98),
        "budgets": (BudgetRecord("size_bytes", 1000, 900, kept=True),),
        "latency_us": (12.0, 11.0, 13.0),
        "node_latencies": (NodeRecord("conv", "Conv", 8.0), NodeRecord("gemm", "Gemm", 3.0)),
        "memory": (MemoryRecord("arena", 1 << 20, 1 << 19, 4321),),
        "bytes_up": 123_456,
        "bytes_down": 7_890,
        "model_uploaded": True,
        "flashed": True,
        "retries": 0,
        "model_bytes": 900,
        "model_sha256": "a" * 64,
        "source_sha256": "b" * 64,
        "firmware_sha256": "f" * 64,
        "firmware_version": "v1",
        "seed": 0,
        "seconds": 0.5,
    }
    return CheckRecord(**(fields | changes))


def difference(text: str = "vector 'file' differs") -> DifferenceRecord:
    return DifferenceRecord("file", "conv", "Conv", "y", 0, 3, 10, 2, ((0, 1),), text)
