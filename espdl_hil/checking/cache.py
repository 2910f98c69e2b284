"""Quantized models kept by the hash of all that made them, so that nothing is made twice.

The law of this file: a key covers the model, the data, the settings and our own code; whatever is
found under it is what would be made again, byte for byte.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import platformdirs

import espdl_hil

_LOG = logging.getLogger(__name__)
_MAKERS = ("numpy", "onnx", "onnxruntime", "onnxslim")
"""Packages whose version may change what the quantizer makes."""


class ModelCache:
    """A folder of ``.espdl`` files by key; safe with several processes."""

    def __init__(self, folder: Path | None = None) -> None:
        """Keep files in ``folder``.

        By default in ``$ESPDL_HIL_CACHE``, else in the user's cache folder.
        """
        self._folder = default_folder() if folder is None else folder

    def key(self, *parts: bytes | str) -> str:
        """The key of what these parts make with the code as it is now."""
        digest = hashlib.sha256()
        for part in (code_fingerprint(), *parts):
            data = part.encode() if isinstance(part, str) else part
            digest.update(len(data).to_bytes(8, "little"))
            digest.update(data)
        return digest.hexdigest()

    def get(self, key: str) -> bytes | None:
        """What is kept under ``key``; ``None`` where nothing is."""
        try:
            return self._path(key).read_bytes()
        except OSError:
            return None

    def put(self, key: str, data: bytes) -> None:
        """Keep ``data``; a reader sees it whole or not at all.

        Where it cannot be kept (a full disk, a folder of somebody else), a warning says so: what
        was made is as good, and is made again next time.
        """
        partial = self._path(key).with_suffix(f".{os.getpid()}.partial")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(data)
            partial.replace(self._path(key))
        except OSError as error:
            _LOG.warning("a quantized model cannot be kept in %s: %s", self._folder, error.strerror)
        finally:
            with suppress(OSError):
                partial.unlink()

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.espdl"


def default_folder() -> Path:
    """Where quantized models are kept unless said otherwise."""
    given = os.environ.get("ESPDL_HIL_CACHE")
    base = Path(given) if given else platformdirs.user_cache_path("espdl-hil")
    return base / "models"


@functools.cache
def code_fingerprint() -> str:
    """A hash of this package's source and of the packages that take part in quantizing."""
    digest = hashlib.sha256()
    root = Path(espdl_hil.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    digest.update("\n".join(_versions(_MAKERS)).encode())
    return digest.hexdigest()


def _versions(packages: Iterable[str]) -> list[str]:
    found = []
    for package in packages:
        with suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{package} {importlib.metadata.version(package)}")
    return found
