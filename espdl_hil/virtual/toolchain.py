"""Building the runner from the firmware's sources, with make and the C compiler of its processor.

The law of this file: it builds only when a source, the compiler or the flags changed, and two
processes that ask at once build once. Every state of the sources has a folder of its own, because
two checkouts may share the place for builds and times of files say nothing across checkouts.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from espdl_hil.errors import ConfigError
from espdl_hil.virtual.cpu import Cpu

_INSTALLED = Path(__file__).resolve().parent / "firmware"
_CHECKOUT = Path(__file__).resolve().parents[2] / "firmware"
FIRMWARE = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT
"""The sources: those that the wheel carries (see setup.py), else those of the checkout."""
_BUILDS_KEPT = 4
_SOURCES = frozenset({".c", ".h", ".S", ".ld", ".mk"})
_NO_SOURCES = frozenset({"test", "main", "hil_espdl_engine", "hil_port"})
"""Folders that the runner is not built from: the chips' own, and tests."""
_BUILD_DEADLINE_S = 600.0
_VERSION_DEADLINE_S = 20.0
_LAST_LINES = 20
_SPECIAL_TO_MAKE = re.compile(r"[\s:;#$%*?\\]")
"""A home folder may have a space in its name; make splits words there, whatever one quotes."""


@dataclass(frozen=True, slots=True)
class _Build:
    """How make is asked for a runner.

    Attributes:
        goal, product: of the Makefile.
        variable, compiler: the Makefile's variable for the compiler, and its default.
        hint: what to install.
    """

    goal: str
    product: str
    variable: str
    compiler: str
    hint: str

    @property
    def compiler_words(self) -> list[str]:
        """The compiler as make will call it."""
        return os.environ.get(self.variable, self.compiler).split()


_BUILDS = {
    Cpu.HOST: _Build("runner", "hil_runner", "CC", "gcc", "install make and gcc"),
    Cpu.RV32: _Build(
        "rv32",
        "hil_runner_rv32.elf",
        "RV32_CC",
        "riscv64-unknown-elf-gcc",
        "apt install make gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
    ),
}


@dataclass(frozen=True, slots=True)
class Runner:
    """A built runner: where it is, and the SHA-256 of what it was built from."""

    path: Path
    sources_sha256: str


def build_runner(build: Path, firmware: Path = FIRMWARE, cpu: Cpu = Cpu.HOST) -> Runner:
    """Return the runner for a processor, built if need be.

    Args:
        build: folder that keeps the newest few builds between calls.
        firmware: the firmware folder of the repository, or of the wheel.
        cpu: what shall execute it.

    Raises:
        ConfigError: no sources, no make, no compiler, or the build failed; the message has its
            last lines.
    """
    if not (firmware / "Makefile").is_file():
        raise ConfigError(
            "the runner's sources are not installed",
            file=firmware,
            hint="install the wheel of espdl-hil, or give a firmware bundle",
        )
    build.mkdir(parents=True, exist_ok=True)
    how = _BUILDS[cpu]
    sources = _sources_sha256(firmware, how)
    place = build / sources[:16]
    runner = Runner(place / how.product, sources)
    with FileLock(build / "lock"):
        if not place.is_dir():
            # Elsewhere first: a build that was interrupted must not look finished.
            unfinished = build / "unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            if _SPECIAL_TO_MAKE.search(str(unfinished.resolve())):
                with tempfile.TemporaryDirectory(prefix="espdl-hil-") as plain:
                    _make(firmware, Path(plain), how)
                    shutil.copytree(plain, unfinished, dirs_exist_ok=True)
            else:
                _make(firmware, unfinished, how)
            unfinished.rename(place)
            _forget_old_builds(build)
    return runner


def _forget_old_builds(build: Path) -> None:
    builds = sorted(
        (path for path in build.iterdir() if path.is_dir()),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    for old in builds[_BUILDS_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def _make(firmware: Path, build: Path, how: _Build) -> None:
    make = shutil.which("make")
    if make is None:
        raise ConfigError("make is not installed", hint=how.hint)
    if shutil.which(how.compiler_words[0]) is None:
        raise ConfigError(f"{how.compiler_words[0]} is not installed", hint=how.hint)
    jobs = f"-j{os.cpu_count() or 1}"
    command = [make, jobs, "-C", str(firmware), how.goal, f"OUT={build.resolve()}"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_BUILD_DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"the build took over {_BUILD_DEADLINE_S:g} s", file=firmware) from error
    if done.returncode != 0 or not (build / how.product).is_file():
        tail = "\n".join(done.stdout.splitlines()[-_LAST_LINES:])
        raise ConfigError(f"the runner does not build:\n{tail}", file=firmware / "Makefile")


def _compiler_version(how: _Build) -> bytes:
    """Return what the compiler says about itself; nothing where it is missing."""
    try:
        done = subprocess.run(
            [*how.compiler_words, "--version"],
            capture_output=True,
            timeout=_VERSION_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout


def _sources_sha256(firmware: Path, how: _Build) -> str:
    """Hash names and contents of everything that the build reads, and how it is called."""
    digest = hashlib.sha256()
    digest.update(f"{how.goal}\0".encode())
    for variable in (how.variable, "OPT"):
        digest.update(f"{variable}={os.environ.get(variable, '')}\0".encode())
    digest.update(_compiler_version(how))
    for path in sorted(firmware.rglob("*")):
        place = path.relative_to(firmware)
        wanted = path.suffix in _SOURCES or path.name == "Makefile"
        if wanted and _NO_SOURCES.isdisjoint(place.parts):
            digest.update(f"{place.as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
