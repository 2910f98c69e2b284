"""An installed wheel needs no checkout: it carries the firmware's sources, whole and unchanged.

``python -m tests.virtual.test_wheel`` (``make wheel``) does what a user does: it builds the wheel,
installs it into a new environment, starts a virtual board and runs a model in an empty folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from espdl_hil.virtual import toolchain
from tests.support.golden import PROJECT, cases

PARTS = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "espdl_hil", "pytest_plugin")
TARGET = "esp32p4"


def built_wheel(folder: Path) -> Path:
    """The wheel of this checkout; built elsewhere, since building writes beside its sources."""
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    source.mkdir()
    for part in (*PARTS, "firmware"):
        if (PROJECT / part).is_dir():
            shutil.copytree(PROJECT / part, source / part, ignore=ignored)
        else:
            shutil.copy(PROJECT / part, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(source)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_carries_what_the_runner_is_built_from(tmp_path):
    with zipfile.ZipFile(built_wheel(tmp_path)) as wheel:
        wheel.extractall(tmp_path / "site")
    carried = tmp_path / "site" / "espdl_hil" / "virtual" / "firmware"
    for how in toolchain._BUILDS.values():
        expected = toolchain._sources_sha256(PROJECT / "firmware", how)
        assert toolchain._sources_sha256(carried, how) == expected
    assert not [path for path in carried.rglob("*") if path.suffix in (".o", ".bin", ".pyc")]


def test_sources_of_a_wheel_come_before_a_folder_that_happens_to_be_called_firmware():
    assert toolchain._INSTALLED.parent == Path(toolchain.__file__).resolve().parent
    assert not toolchain._INSTALLED.exists(), "a checkout has them once"
    assert toolchain.FIRMWARE == PROJECT / "firmware"


@pytest.mark.parametrize(("missing", "says"), [("make", "make is not"), ("gcc", "gcc is not")])
def test_what_is_not_installed_is_named(missing, says, tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in {"make", "gcc"} - {missing}:
        (programs / program).symlink_to(shutil.which(program))
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(toolchain.ConfigError, match=rf"{says} installed"):
        toolchain.build_runner(tmp_path / "build")


def main() -> None:
    """Install the wheel as a user does, and use it far from the checkout."""
    with tempfile.TemporaryDirectory(prefix="espdl-hil-wheel-") as name:
        folder = Path(name)
        wheel = built_wheel(folder)
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        python = folder / "venv" / "bin" / "python"
        constraints = ["--constraint", str(PROJECT / "constraints.txt")]
        install = [str(python), "-m", "pip", "install", "--quiet", *constraints]
        subprocess.run([*install, str(wheel)], check=True)
        empty = folder / "empty"
        empty.mkdir()
        case = min(
            (case for case in cases("p4_s8") if case.op == "Conv" and not case.float_outputs),
            key=lambda case: case.path.stat().st_size,
        )
        shutil.copy(case.path, empty / "model.espdl")
        environment = {
            "PATH": os.defpath + os.pathsep + os.environ.get("PATH", ""),
            "HOME": str(folder),
            "ESPDL_HIL_LOCKS": str(folder / "locks"),
        }
        program = str(folder / "venv" / "bin" / "espdl-hil")
        where = [str(python), "-c", "import espdl_hil; print(espdl_hil.__file__)"]
        run = {"check": True, "cwd": empty, "env": environment, "text": True}
        place = subprocess.run(where, stdout=subprocess.PIPE, **run).stdout
        assert place.startswith(name), place
        with subprocess.Popen(
            [program, "virtual", "start", TARGET],
            cwd=empty,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as board:
            print(board.stdout.readline().strip())
            board.terminate()
        words = ["run", "model.espdl", "--board", f"virtual-{TARGET}", "--outputs", "out.npz"]
        subprocess.run([program, *words], **run)
        assert (empty / "out.npz").is_file()
        print("the wheel works without a checkout")


if __name__ == "__main__":
    main()
