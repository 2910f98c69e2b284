"""Bundles of chips that were flashed before: a path is needed once, a network never.

The law of this file: one bundle for each target, the one flashed last, whole or not there at all.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path

import platformdirs

from espdl_hil.boards.firmware import FirmwareBundle


def cache_folder() -> Path:
    """Return where bundles are kept on this machine; it need not exist."""
    return platformdirs.user_cache_path("espdl-hil") / "chip-firmware"


def keep_bundle(bundle: FirmwareBundle, folder: Path) -> Path:
    """Keep a copy of a bundle, its ELF file too, in place of an older one for its target.

    Args:
        bundle: as read from its folder or zip, which must still be there.
        folder: from ``cache_folder``; made if it does not exist.

    Returns:
        The zip that ``kept_bundle`` finds from now on.

    Raises:
        OSError: it could not be copied; the older one is still there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{bundle.target}.zip"
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        fresh = Path(scratch) / path.name
        if bundle.source.is_file():
            shutil.copyfile(bundle.source, fresh)
        else:
            with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
                for file in sorted(bundle.source.iterdir()):
                    if file.is_file():
                        archive.write(file, file.name)
        fresh.replace(path)
    return path


def kept_bundle(target: str, folder: Path) -> Path | None:
    """Return the bundle kept for a target, ``None`` where none was flashed from here yet."""
    path = folder / f"{target}.zip"
    return path if path.is_file() else None
