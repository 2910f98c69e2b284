"""``python -m tests.peer.environment FOLDER``: a virtual environment with esp-ppq.

The law of this file: esp-ppq needs an older onnx than we do, so it has its own environment; torch
and the rest of what it needs are taken from ours, where they are already.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

CONSTRAINTS = Path(__file__).with_name("constraints.txt")
_BEYOND = (3, 13)


def prepare(folder: Path) -> Path:
    """Make the environment in ``folder`` unless it is there; its interpreter.

    Raises:
        RuntimeError: esp-ppq does not support this Python.
        subprocess.CalledProcessError: pip failed; it has said why.
    """
    if sys.version_info >= _BEYOND:
        found = ".".join(map(str, sys.version_info[:2]))
        raise RuntimeError(f"esp-ppq needs a Python older than 3.13, this one is {found}")
    python = folder / "bin" / "python"
    stamp = folder / "made-from"
    ours = sysconfig.get_path("purelib")
    made_from = hashlib.sha256(CONSTRAINTS.read_bytes() + ours.encode()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text("utf-8") == made_from:
        return python
    venv.create(folder, with_pip=True, clear=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "ours.pth").write_text(f"{ours}\n", "utf-8")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", CONSTRAINTS, "esp-ppq"], check=True)
    stamp.write_text(made_from, "utf-8")
    return python


if __name__ == "__main__":
    try:
        prepare(Path(sys.argv[1]).absolute())
    except (RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(str(error))
