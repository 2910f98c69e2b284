"""A seeded slice of the agreement run; ``make agreement`` runs the long one."""

from __future__ import annotations

from tests.agreement.twins import agree


def test_simulator_and_c_engine_agree_on_random_models() -> None:
    tally = agree(seed=0, rounds=12)
    assert not tally.findings, "\n".join(tally.findings)
    assert sum(tally.executions.values()) > 500


def test_both_twins_run_every_family_on_every_target() -> None:
    tally = agree(seed=1, rounds=2)
    ran = {(op_type, target) for op_type, target, _ in tally.executions}
    for op_type in ("Conv", "Gemm", "MatMul", "Softmax", "RequantizeLinear", "Transpose"):
        for target in ("esp32", "esp32s3", "esp32p4"):
            assert (op_type, target) in ran
