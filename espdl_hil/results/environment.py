"""Which versions took part: what a result must say to be repeatable."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path

from espdl_hil import __version__

_GIT_TIMEOUT_S = 10.0


def versions(folder: Path, packages: Iterable[str] = ("numpy", "esptool")) -> dict[str, str]:
    """Versions by name; packages that are not installed are left out.

    Args:
        folder: a folder of the project under test, whose git commit is recorded.
        packages: distributions to name.
    """
    found = {
        "espdl_hil": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "git_commit": git_commit(folder),
    }
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def git_commit(folder: Path) -> str:
    """The commit of the repository around ``folder``, ``-dirty`` where files changed.

    ``"unknown"`` where there is no repository or no git.
    """
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"],
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()
