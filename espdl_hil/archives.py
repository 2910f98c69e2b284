"""``.npz`` archives: arrays by value name, with errors that name the file."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from espdl_hil.errors import ConfigError
from espdl_hil.ir.types import Array


def read_arrays(path: Path) -> dict[str, Array]:
    """Return the arrays of a ``.npz`` file by name; pickled objects are refused.

    Raises:
        ConfigError: the file is missing, damaged, no archive, too large for memory, or holds
            objects instead of numbers.
    """
    try:
        # Opened here: numpy forgets to close what turns out to be no archive.
        with path.open("rb") as file:
            stored = np.load(file, allow_pickle=False)
            if not isinstance(stored, np.lib.npyio.NpzFile):
                raise ConfigError("holds one unnamed array", file=path, hint=_HINT)
            with stored:
                return {name: stored[name] for name in stored.files}
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", file=path) from error
    except _DAMAGE as error:
        raise ConfigError(
            f"is not a .npz archive of numbers: {error}", file=path, hint=_HINT
        ) from error
    except MemoryError as error:
        raise ConfigError(f"does not fit into memory: {error}", file=path) from error


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays by name as a ``.npz`` file, whole or not at all.

    Names may hold any character; ``numpy.savez`` itself refuses the name ``file``.

    Raises:
        ConfigError: it cannot be written; what was there stays.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with zipfile.ZipFile(partial, "w") as archive:
            for name, array in arrays.items():
                entry = zipfile.ZipInfo(f"{name}.npy")  # dated 1980: equal arrays, equal bytes
                entry.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(entry, "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
        partial.replace(path)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror or error}", file=path) from error
    finally:
        partial.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Refuse a place where a file cannot be written, before time is spent on its content.

    Raises:
        ConfigError: a directory, or in one that is not there or not ours to write in.
    """
    if path.is_dir():
        raise ConfigError("is a directory", file=path)
    if not path.parent.is_dir():
        raise ConfigError(
            "the output's directory does not exist",
            file=path.parent,
            hint=f"create it: mkdir -p {path.parent}",
        )
    if not os.access(path.parent, os.W_OK):
        raise ConfigError("the output's directory cannot be written to", file=path.parent)


_DAMAGE = (
    ValueError,
    EOFError,
    KeyError,
    SyntaxError,  # a header that is no literal
    RuntimeError,  # an encrypted entry; NotImplementedError is one, of an unknown compression
    zipfile.BadZipFile,
    zlib.error,
)
"""What ``numpy`` and ``zipfile`` raise for archives with wrong bytes."""
_HINT = "write it with numpy.savez(path, **{input_name: array})"
