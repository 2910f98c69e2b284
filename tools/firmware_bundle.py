"""Builds the runner for a chip with ESP-IDF, and collects a bundle that `espdl-hil flash` takes.

The law of this file: the standard library only, so that it runs in ESP-IDF's own Python. Nothing is
written to the bundle's folder before the build is complete; the folder is replaced as a whole.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
FIRMWARE = PROJECT / "firmware"

_OLDEST_IDF = {
    "esp32": (5, 3),
    "esp32s2": (5, 3),
    "esp32s3": (5, 3),
    "esp32c3": (5, 3),
    "esp32c5": (5, 5),
    "esp32c6": (5, 3),
    "esp32p4": (5, 3),
    "esp32s31": (6, 1),
}
TARGETS = tuple(_OLDEST_IDF)
FLASH_SIZES = ("4MB", "8MB", "16MB")
VARIANTS = ("p4_rev1", "p4_rev3", "psram_quad", "usb_cdc")
"""Further defaults: ``firmware/sdkconfig.defaults.VARIANT``."""

_SCHEMA = 1
_SECTOR_BYTES = 0x1000
_COMPONENT = "espressif/esp-dl"
# The application's description follows the image header (24 bytes) and that of its first segment.
_DESCRIPTION_OFFSET = 0x20
_DESCRIPTION_MAGIC = 0xABCD5432
_VERSION_FIELD = slice(_DESCRIPTION_OFFSET + 16, _DESCRIPTION_OFFSET + 48)
_ELF_HASH_FIELD = slice(_DESCRIPTION_OFFSET + 144, _DESCRIPTION_OFFSET + 176)


class BundleError(Exception):
    """The firmware cannot be built or collected; the message says what to do."""


@dataclass(frozen=True)
class Part:
    """One image of the build and its place in flash, in bytes."""

    file: str
    offset: int
    data: bytes


def check_idf(text: str, target: str) -> str:
    """Return the version in ESP-IDF's own words, e.g. ``v5.5.1``.

    Args:
        text: what ``idf.py --version`` printed.
        target: chip to build for.

    Raises:
        BundleError: it is none, or too old for the target.
    """
    found = re.search(r"v(\d+)\.(\d+)\S*", text)
    if found is None:
        raise BundleError(f"idf.py does not say its version: {text.strip()!r}")
    oldest = _OLDEST_IDF[target]
    if (int(found[1]), int(found[2])) < oldest:
        needed = ".".join(map(str, oldest))
        raise BundleError(f"{target} needs ESP-IDF {needed} or later, and this is {found[0]}")
    return found[0]


def component_version(lock: str, component: str) -> str:
    """Return the version of a component in a ``dependencies.lock``, or ``unknown``.

    The file is YAML as the component manager writes it: names at two spaces, fields below.
    """
    block = re.search(rf"^  {re.escape(component)}:\n((?:    .*\n)+)", lock, re.MULTILINE)
    version = (
        re.search(r"^    version: ['\"]?([^'\"\s]+)", block[1], re.MULTILINE) if block else None
    )
    return version[1] if version else "unknown"


def read_parts(build: Path) -> tuple[Part, ...]:
    """Return the images that ESP-IDF would flash, by offset.

    Raises:
        BundleError: the build is not complete.
    """
    files = _json(build / "flasher_args.json").get("flash_files")
    if not isinstance(files, dict) or not files:
        raise BundleError(f"{build / 'flasher_args.json'}: no flash_files")
    parts = []
    for place, name in files.items():
        path = build / name
        if not path.is_file():
            raise BundleError(f"{path}: missing; is the build complete?")
        offset = int(place, 0)
        if offset % _SECTOR_BYTES:
            raise BundleError(f"{name}: {offset:#x} is not at a sector of flash")
        parts.append(Part(path.name, offset, path.read_bytes()))
    if len({part.file for part in parts}) != len(parts):
        raise BundleError("two images have the same file name")
    return tuple(sorted(parts, key=lambda part: part.offset))


def describe_app(app: bytes) -> tuple[str, str]:
    """Return version and ELF hash (hexadecimal) of an application image.

    Raises:
        BundleError: it has no description where ESP-IDF puts it.
    """
    magic = int.from_bytes(app[_DESCRIPTION_OFFSET : _DESCRIPTION_OFFSET + 4], "little")
    if len(app) < _ELF_HASH_FIELD.stop or magic != _DESCRIPTION_MAGIC:
        raise BundleError("the application image has no description (esp_app_desc_t)")
    version = app[_VERSION_FIELD].split(b"\0", 1)[0].decode("utf-8", "replace")
    return version, app[_ELF_HASH_FIELD].hex()


def collect(
    build: Path, target: str, out: Path, *, idf: str, commit: str, flash_bytes: int | None = None
) -> Path:
    """Write the bundle of a complete build; an older one is replaced.

    Args:
        build: ESP-IDF's build folder.
        target: chip that it was built for.
        out: becomes the bundle.
        idf: version of ESP-IDF.
        commit: of the sources.
        flash_bytes: size of flash; ``None`` takes it from the build.

    Returns:
        The bundle's folder.

    Raises:
        BundleError: the build is not complete, or is for another chip.
    """
    project = _json(build / "project_description.json")
    if project.get("target") != target:
        raise BundleError(f"{build} was built for {project.get('target')!r}, not {target!r}")
    parts = read_parts(build)
    app = next((part for part in parts if part.file == project.get("app_bin")), None)
    if app is None:
        raise BundleError(f"{project.get('app_bin')!r} is not among the images to flash")
    version, elf_sha256 = describe_app(app.data)
    lock = FIRMWARE / f"dependencies.lock.{target}"
    manifest = {
        "schema": _SCHEMA,
        "target": target,
        "virtual": False,
        "version": version,
        "app_elf_sha256": elf_sha256,
        "idf_version": idf,
        "esp_dl_version": component_version(lock.read_text() if lock.is_file() else "", _COMPONENT),
        "git_commit": commit,
        "flash_bytes": flash_bytes or _flash_bytes(build),
        "parts": [
            {
                "file": part.file,
                "offset": part.offset,
                "size": len(part.data),
                "sha256": hashlib.sha256(part.data).hexdigest(),
            }
            for part in parts
        ],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        fresh = Path(scratch) / "bundle"
        fresh.mkdir()
        for part in parts:
            (fresh / part.file).write_bytes(part.data)
        (fresh / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
        elf = build / str(project.get("app_elf", ""))
        if elf.is_file():  # for decoding panics; not flashed
            shutil.copyfile(elf, fresh / elf.name)
        if out.exists():
            out.rename(Path(scratch) / "old")
        fresh.rename(out)
    return out


def write_zip(bundle: Path) -> Path:
    """Write ``<bundle>.zip``, the same bytes for the same bundle, and return its path."""
    path = bundle.with_name(f"{bundle.name}.zip")
    with tempfile.TemporaryDirectory(dir=bundle.parent) as scratch:
        fresh = Path(scratch) / path.name
        with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(bundle.iterdir()):
                entry = zipfile.ZipInfo(file.name)  # its time is 1980, in every zip
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())
        fresh.replace(path)
    return path


def build_firmware(
    target: str, out: Path, *, flash: str = "", variant: str = "", idf_py: str = "idf.py"
) -> Path:
    """Build for a chip and write its bundle.

    Args:
        target: chip name.
        out: becomes the bundle.
        flash: ``4MB``, ``8MB``, ``16MB``; empty takes the target's default.
        variant: one of ``VARIANTS``; empty takes none.
        idf_py: name or path of ESP-IDF's front end.

    Returns:
        The bundle's folder.

    Raises:
        BundleError: ESP-IDF is missing, too old, or the build failed.
    """
    program = shutil.which(idf_py)
    if program is None:
        raise BundleError(
            f"no {idf_py} on the PATH: install ESP-IDF 5.3 or later and run its export script "
            "(`. $IDF_PATH/export.sh`)"
        )
    idf = check_idf(_output([program, "--version"]), target)
    build = PROJECT / "build" / "idf" / "-".join(filter(None, (target, flash, variant)))
    # ESP-IDF keeps an sdkconfig that is there, and would not see that the defaults changed.
    (build / "sdkconfig").unlink(missing_ok=True)
    command = [program, "-C", str(FIRMWARE), "-B", str(build)]
    command += ["-D", f"IDF_TARGET={target}", "-D", f"SDKCONFIG={build / 'sdkconfig'}"]
    command += ["-D", f"HIL_FLASH={flash}"] if flash else []
    command += ["-D", f"HIL_DEFAULTS=sdkconfig.defaults.{variant}"] if variant else []
    if subprocess.run([*command, "build"], check=False).returncode != 0:
        raise BundleError("the build failed; its messages are above")
    return collect(build, target, out, idf=idf, commit=_commit())


def main(arguments: Sequence[str]) -> int:
    """Build and say where the bundle is; 4 where it cannot be built."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=TARGETS, required=True)
    parser.add_argument("--flash", choices=FLASH_SIZES, default="")
    parser.add_argument("--variant", choices=VARIANTS, default="")
    parser.add_argument("--out", type=Path, help="folder of the bundle")
    parser.add_argument("--zip", action="store_true", help="write it as a zip too")
    options = parser.parse_args(arguments)
    name = "-".join(filter(None, (options.target, options.flash, options.variant)))
    out = options.out or PROJECT / "build" / "firmware" / name
    try:
        bundle = build_firmware(options.target, out, flash=options.flash, variant=options.variant)
    except BundleError as error:
        sys.stderr.write(f"firmware: {error}\n")
        return 4
    if options.zip:
        sys.stdout.write(f"{write_zip(bundle)}\n")
    sys.stdout.write(f"{bundle}\nespdl-hil flash BOARD --firmware {bundle}\n")
    return 0


def _output(command: Sequence[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise BundleError(f"{' '.join(command)}: {result.stderr.strip()}")
    return result.stdout


def _commit() -> str:
    """Of the sources; ``unknown`` where they are no checkout, or git is not there."""
    try:
        return _output(["git", "-C", str(PROJECT), "describe", "--always", "--dirty"]).strip()
    except (BundleError, OSError):
        return "unknown"


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: {error}; is the build complete?") from error
    if not isinstance(content, dict):
        raise BundleError(f"{path}: not a JSON object")
    return content


def _flash_bytes(build: Path) -> int:
    settings = _json(build / "flasher_args.json").get("flash_settings", {})
    size = re.fullmatch(r"(\d+)MB", str(settings.get("flash_size", "")))
    if size is None:
        raise BundleError(f"{build / 'flasher_args.json'}: no flash size")
    return int(size[1]) << 20


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
