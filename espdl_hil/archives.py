"""``.npz`` archives: arrays by value name, with errors that name the file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from espdl_hil.errors import ConfigError
from espdl_hil.ir.types import Array


def read_arrays(path: Path) -> dict[str, Array]:
    """Return the arrays of a ``.npz`` file by name; pickled objects are refused.

    Raises:
        ConfigError: the file is missing, not an archive, or holds objects instead of numbers.
    """
    try:
        stored = np.load(path, allow_pickle=False)
        if not isinstance(stored, np.lib.npyio.NpzFile):
            raise ConfigError("holds one unnamed array", file=path, hint=_HINT)
        with stored:
            return {name: stored[name] for name in stored.files}
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", file=path) from error
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ConfigError(f"is not a .npz archive: {error}", file=path, hint=_HINT) from error


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays by name as a ``.npz`` file, whole or not at all.

    Names may hold any character; ``numpy.savez`` itself refuses the name ``file``.
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
    finally:
        partial.unlink(missing_ok=True)


_HINT = "write it with numpy.savez(path, **{input_name: array})"
