"""Firmware bundles: what to write where, read from a folder or a zip and checked.

The law of this file: a bundle that was read is whole; every size and hash of its manifest holds.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from espdl_hil.errors import ConfigError
from espdl_hil.targets import target_named

MANIFEST = "manifest.json"
_SCHEMA = 1
_SECTOR_BYTES = 0x1000
_MAX_FILE_BYTES = 32 << 20
_SHA256_DIGITS = 64
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class FirmwarePart:
    """One file of a bundle and its place in flash, in bytes."""

    file: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class FirmwareBundle:
    """A complete firmware for one target.

    Attributes:
        source: the folder or zip that it was read from.
        target: chip that it is for.
        version: git description or the like.
        virtual: for virtual boards; no real chip can boot it.
        app_elf_sha256: identity of the application, hexadecimal; what a board says in its hello.
        parts: by offset; they do not overlap.
    """

    source: Path
    target: str
    version: str
    virtual: bool
    app_elf_sha256: str
    parts: tuple[FirmwarePart, ...]


def read_bundle(path: Path) -> FirmwareBundle:
    """Read and check a bundle.

    Args:
        path: a folder with ``manifest.json``, or a zip with it at its root.

    Raises:
        ConfigError: there is none, or it is not what its manifest says.
    """
    files = _files(path)
    manifest = _Fields(files.read(MANIFEST), path / MANIFEST)
    if manifest.number("schema") != _SCHEMA:
        raise manifest.error("schema", f"only bundles of schema {_SCHEMA} are known")
    parts = [_read_part(entry, files) for entry in manifest.entries("parts")]
    parts.sort(key=lambda part: part.offset)
    for part, following in itertools.pairwise(parts):
        if part.offset + len(part.data) > following.offset:
            raise manifest.error("parts", f"{part.file} and {following.file} overlap")
    return FirmwareBundle(
        source=path,
        target=target_named(manifest.text("target")).name,
        version=manifest.text("version"),
        virtual=manifest.flag("virtual"),
        app_elf_sha256=manifest.sha256("app_elf_sha256"),
        parts=tuple(parts),
    )


def elf_of(bundle: FirmwareBundle) -> bytes | None:
    """Return the application's ELF file, which bundles carry for decoding panics.

    ``None`` where the bundle has none, or only that of another build.
    """
    files = _files(bundle.source)
    for name in files.names():
        if name.endswith(".elf"):
            try:
                data = files.read(name)
            except ConfigError:
                continue
            if hashlib.sha256(data).hexdigest() == bundle.app_elf_sha256:
                return data
    return None


def _files(path: Path) -> _FolderFiles | _ZipFiles:
    return _ZipFiles(path) if path.is_file() else _FolderFiles(path)


class _FolderFiles:
    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        return sorted(path.name for path in self._path.glob("*") if path.is_file())

    def read(self, name: str) -> bytes:
        try:
            return (self._path / name).read_bytes()
        except OSError as error:
            raise _missing(self._path, name) from error


class _ZipFiles:
    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        try:
            with zipfile.ZipFile(self._path) as archive:
                return sorted(archive.namelist())
        except (OSError, zipfile.BadZipFile):
            return []

    def read(self, name: str) -> bytes:
        try:
            with zipfile.ZipFile(self._path) as archive, archive.open(name) as file:
                # Bounded, since the sizes in a zip's directory need not be true.
                return file.read(_MAX_FILE_BYTES + 1)
        except (OSError, KeyError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise _missing(self._path, name) from error


class _Fields:
    """One object of the manifest, whose fields are checked when they are asked for."""

    def __init__(self, content: bytes | Mapping[str, Any], path: Path) -> None:
        self.path = path
        try:
            values = json.loads(content) if isinstance(content, bytes) else content
        except ValueError as error:
            raise ConfigError(f"not JSON: {error}", file=path) from error
        if not isinstance(values, Mapping):
            raise ConfigError("not a JSON object", file=path)
        self._values = values

    def text(self, key: str) -> str:
        return self._typed(key, str)

    def number(self, key: str) -> int:
        value = self._typed(key, int)
        if isinstance(value, bool) or value < 0:
            raise self.error(key, f"{value!r} is no count")
        return value

    def flag(self, key: str) -> bool:
        return self._typed(key, bool)

    def sha256(self, key: str) -> str:
        value = self.text(key)
        if len(value) != _SHA256_DIGITS or set(value) - set("0123456789abcdef"):
            raise self.error(key, f"{value!r} is no SHA-256")
        return value

    def entries(self, key: str) -> list[_Fields]:
        values = self._typed(key, list)
        if not values:
            raise self.error(key, "no files to flash")
        return [_Fields(value, self.path) for value in values]

    def error(self, key: str, what: str) -> ConfigError:
        return ConfigError(what, file=self.path, key=key)

    def _typed(self, key: str, kind: type[_T]) -> _T:
        value = self._values.get(key)
        if not isinstance(value, kind):
            raise self.error(key, f"{value!r} is no {kind.__name__}")
        return value


def _read_part(fields: _Fields, files: _FolderFiles | _ZipFiles) -> FirmwarePart:
    name = fields.text("file")
    if PurePosixPath(name).name != name or name in ("", ".."):
        raise fields.error("file", f"{name!r} is not a plain file name")
    offset = fields.number("offset")
    if offset % _SECTOR_BYTES:
        raise fields.error("offset", f"{offset:#x} is not at a sector of {_SECTOR_BYTES} bytes")
    data = files.read(name)
    if len(data) != fields.number("size"):
        raise fields.error(name, f"{len(data)} bytes, not {fields.number('size')}: bundle damaged")
    if hashlib.sha256(data).hexdigest() != fields.sha256("sha256"):
        raise fields.error(name, "SHA-256 does not match: bundle damaged")
    return FirmwarePart(name, offset, data)


def _missing(path: Path, name: str) -> ConfigError:
    return ConfigError(
        f"no {name} in it",
        file=path,
        hint="a firmware bundle is a folder or zip with manifest.json and the files it lists",
    )
