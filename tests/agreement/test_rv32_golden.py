"""The runner on 32-bit RISC-V against ESP-DL's integers, through the wire.

A slice of what the host build is held to: of every operator of some suites the smallest case with
its first vector, and one zoo model of each kernel family with every vector. What differs between
the two builds is the width of pointers and sizes, alignment, the compiler, and the C library.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import groupby

import numpy as np
import pytest
import xxhash

from espdl_hil.runs import RunRequest
from espdl_hil.targets import target_named
from espdl_hil.wire import Conversation, board_identity
from tests.support import golden
from tests.support.reference_engine import ReferenceEngine
from tests.support.rv32 import erased_flash, needs_rv32, talking

pytestmark = needs_rv32

SUITES = ("c_s8", "s3_s8", "p4_s8", "p4_s16", "models_c_s16", "models_s3_s8", "models_p4_s8")
STACK_LIMIT_BYTES = 4096
"""A quarter of the smallest task stack that boards give the runner; measured: 1492 and less."""

ZOO = {
    "esp32": "models/c/Gemm/linear_ishap_1_64_kshap_32_64_relu_s8",
    "esp32s3": "human_face_detect/models/s3/human_face_detect_msr_s8_v1",
    "esp32p4": "human_face_detect/models/p4/human_face_detect_msr_s8_v1",
}


def _smallest_of_each_operator(suite: str) -> list[golden.GoldenCase]:
    def operator(case: golden.GoldenCase) -> str:
        return case.op

    def size(case: golden.GoldenCase) -> tuple[int, str]:
        return case.path.stat().st_size, case.name

    cases = sorted(golden.cases(suite), key=operator)
    return [min(group, key=size) for _, group in groupby(cases, key=operator)]


def _findings(case: golden.GoldenCase, vector: str, outputs: Mapping[str, np.ndarray]) -> list[str]:
    differences = {
        name: golden.difference(outputs[name], expected)
        for name, expected in case.outputs(vector).items()
    }
    return [f"{case.name} {vector} {name}: {text}" for name, text in differences.items() if text]


def _stack_high_water(talk: Conversation) -> int:
    regions = {region.name: region for region in board_identity(talk.hello()).memory}
    return regions["stack"].high_water_bytes


@pytest.mark.parametrize("suite", SUITES)
def test_the_smallest_case_of_every_operator_gives_the_integers_of_esp_dl(suite, tmp_path):
    cases = _smallest_of_each_operator(suite)
    assert len(cases) >= 3
    findings = []
    with talking(target_named(cases[0].target).name, erased_flash(tmp_path)) as talk:
        for case in cases:
            vector = case.vectors[0]
            model = case.path.read_bytes()
            result = talk.run(RunRequest(model, case.inputs(vector), digests=False))
            findings += _findings(case, vector, result.outputs)
        assert not findings, "\n".join(findings)
        assert _stack_high_water(talk) <= STACK_LIMIT_BYTES


@pytest.mark.parametrize("target", ZOO)
def test_every_vector_and_every_node_of_a_zoo_model_is_right(target, tmp_path):
    path = f"{ZOO[target]}.espdl"
    case = next(case for case in golden.cases("zoo") if str(case.path).endswith(path))
    model = case.path.read_bytes()
    host = ReferenceEngine(model, target_named(case.target))
    with talking(target, erased_flash(tmp_path)) as talk:
        for vector in case.vectors:
            result = talk.run(RunRequest(model, case.inputs(vector)))
            assert not _findings(case, vector, result.outputs)
            host.reset()
            nodes = host.run_nodes(case.inputs(vector))
            golden_sums = [entry["sha256"] for entry in case.digests(vector)]
            assert [hashlib.sha256(n.array.tobytes()).hexdigest() for n in nodes] == golden_sums
            digests = [xxhash.xxh64(n.array.tobytes(), seed=0).hexdigest() for n in nodes]
            assert [row.digest for row in result.nodes] == digests
