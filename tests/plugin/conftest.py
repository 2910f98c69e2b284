"""A small suite on boards that answer at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.golden import PROJECT

SUITE = """\
version: 1
models:
  sine:
    model: sin_mlp.onnx
    calibration: {data: sin_mlp.calib.npz}
    evaluation: {data: sin_mlp.eval.npz, labels: y, metric: mae, samples: 5, max: 0.1}
    vectors: 1
    repeat: 3
"""

BOARDS = """\
boards:
  good: {target: esp32s3, port: /dev/null-good, tags: [bench]}
  other: {target: esp32p4, port: /dev/null-other, tags: [bench]}
  wrong: {target: esp32s3, port: /dev/null-wrong}
  dying: {target: esp32s3, port: /dev/null-dying}
  silent: {target: esp32s3, port: /dev/null-silent}
  virtual-s3: {target: esp32s3, transport: virtual}
"""

# The inner pytest gets sessions without lines; which one lies is a matter of its name.
CONFTEST = """\
import pytest
from espdl_hil.boards import session
from tests.support.fake_session import FakeSession, refuse

OPENED = []

def open_session(board):
    OPENED.append(board.name)
    with open("opened.txt", "a") as log:
        log.write(board.name + "\\n")
    if board.name == "silent":
        return refuse(board)
    fault = {"wrong": "flip sine", "dying": "dies"}.get(board.name, "")
    return FakeSession(board, fault, flashed=board.name == "good")

@pytest.fixture(autouse=True, scope="session")
def _no_lines():
    yield

session.open_session = open_session
"""


@pytest.fixture
def bench(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with a suite, an inventory, and boards without lines."""
    for name in ("sin_mlp.onnx", "sin_mlp.calib.npz", "sin_mlp.eval.npz"):
        shutil.copy(PROJECT / "examples" / "sin_mlp" / name, pytester.path)
    (pytester.path / "demo.hil.yaml").write_text(SUITE)
    (pytester.path / "boards.yaml").write_text(BOARDS)
    pytester.makeconftest(CONFTEST)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    monkeypatch.setenv("ESPDL_HIL_CACHE", str(pytester.path / "cache"))
    monkeypatch.delenv("ESPDL_HIL_BOARDS", raising=False)
    for variable in ("CI", "BUILD_NUMBER"):  # with either, pytest repeats findings in its summary
        monkeypatch.delenv(variable, raising=False)
    return pytester


def opened(pytester: pytest.Pytester) -> list[str]:
    """The boards that the inner run opened, in order."""
    log = Path(pytester.path) / "opened.txt"
    return log.read_text().split() if log.exists() else []
