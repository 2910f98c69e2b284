"""Our files against esp-ppq's, of the same ONNX models with the same exponents.

Set ESPDL_HIL_PEER_PYTHON to an interpreter that has esp-ppq and torch.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import onnx
import pytest

from espdl_hil import espdl, pipeline
from espdl_hil.lowering import lower
from espdl_hil.quantizer import QuantizeConfig
from espdl_hil.simulator import Simulator
from espdl_hil.targets import target_named
from tests.peer import export_script
from tests.peer.compare import differences
from tests.peer.peer_cases import GRAPHS
from tests.peer.reviewed import REVIEWED
from tests.peer.same_exponents import with_exponents_of
from tests.support.onnx_models import inputs_of, model_of

TARGETS = ("esp32", "esp32s3", "esp32p4")
BITS = (8, 16)


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """The folder with the peer's exports of every case, made by one child process."""
    python = os.environ.get("ESPDL_HIL_PEER_PYTHON")
    if python is None:
        if importlib.util.find_spec("esp_ppq") is None:
            pytest.skip("esp-ppq is not here: set ESPDL_HIL_PEER_PYTHON to a Python that has it")
        python = sys.executable
    folder = tmp_path_factory.mktemp("peer")
    jobs = []
    for name, body in GRAPHS.items():
        model = model_of(body)
        onnx.save(model, folder / f"{name}.onnx")
        np.savez(folder / f"{name}.npz", **inputs_of(model, 8))
        jobs += [
            {
                "model": str(folder / f"{name}.onnx"),
                "data": str(folder / f"{name}.npz"),
                "output": str(folder / f"{name}.{target}.{bits}.espdl"),
                "target": target,
                "bits": bits,
            }
            for target in TARGETS
            for bits in BITS
        ]
    (folder / "jobs.json").write_text(json.dumps(jobs))
    subprocess.run(
        [python, str(export_script()), str(folder / "jobs.json")],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=900,
    )
    return folder


@pytest.mark.timeout(900)
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case", GRAPHS)
def test_our_file_says_what_the_peer_says_or_why_not(exported, case, target, bits):
    path = exported / f"{case}.{target}.{bits}.espdl"
    refused = (exported / f"{path.name}.status").read_text()
    if refused:
        pytest.skip(f"the peer cannot export this: {refused}")
    peer, chip = espdl.read_file(path), target_named(target)
    with np.load(exported / f"{case}.npz") as archive:
        data = dict(archive)
    ours = pipeline.quantize(
        exported / f"{case}.onnx", QuantizeConfig(target=chip, bits=bits), data
    )
    bare = lower(with_exponents_of(ours.quant, peer), chip)
    first = {name: array[0] for name, array in data.items()}
    model = pipeline.with_test_vectors(bare, chip, Simulator(bare, chip), first)
    key = f"{case}.{target}.{bits}"
    found = [str(difference) for difference in differences(model, peer)]
    unexplained = [t for t in found if not any(entry.explains(key, t) for entry in REVIEWED)]
    assert not unexplained, "\n".join(unexplained)
