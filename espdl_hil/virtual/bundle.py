"""Release bundles of virtual boards' firmware: the images, where they go, and a manifest.

The law of this file: equal sources give equal bytes, in every file of the bundle.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from filelock import FileLock

from espdl_hil import __version__
from espdl_hil.virtual.chips import Chip, chip_named
from espdl_hil.virtual.cpu import Cpu
from espdl_hil.virtual.image import write_image
from espdl_hil.virtual.partitions import (
    APP_KIND,
    TABLE_OFFSET,
    VIRTUAL_LAYOUT,
    write_table,
)
from espdl_hil.virtual.payload import HostProgram, app_image, bootloader_image
from espdl_hil.virtual.toolchain import FIRMWARE, build_runner

MANIFEST = "manifest.json"
APP_ELF = "app.elf"
"""For decoding panics; not flashed."""
_SCHEMA = 1
_BUILD_FOLDER = "runner"
_FOLDER_SUFFIX = {Cpu.HOST: "", Cpu.RV32: "-rv32"}
# Stands in every identity and result: what its latencies count is not time.
_VERSION_SUFFIX = {Cpu.HOST: "", Cpu.RV32: ".rv32.icount"}


def ensure_bundle(
    target: str, out_dir: Path, firmware: Path = FIRMWARE, cpu: Cpu = Cpu.HOST
) -> Path:
    """Build the firmware bundle of a virtual board where it is missing or out of date.

    Args:
        target: chip name.
        out_dir: ``out_dir/TARGET`` becomes the bundle (``TARGET-rv32`` for an emulated
            processor); the compiled runners, which all targets share, stay in ``out_dir/runner``.
        firmware: sources of the runner.
        cpu: what shall execute it.

    Returns:
        The bundle's folder.

    Raises:
        ConfigError: the target cannot be virtual, or the runner does not build.
    """
    chip = chip_named(target)
    runner = build_runner(out_dir / _BUILD_FOLDER, firmware, cpu)
    program = HostProgram(
        runner.path.read_bytes(),
        cpu.machine,
        f"{__version__}+{runner.sources_sha256[:12]}{_VERSION_SUFFIX[cpu]}",
    )
    folder = out_dir / f"{chip.name}{_FOLDER_SUFFIX[cpu]}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(out_dir / f"{folder.name}.lock"):
        write_bundle(chip, program, folder)
    return folder


def write_bundle(chip: Chip, program: HostProgram, folder: Path) -> None:
    """Write the bundle that carries ``program``; files that are right already stay untouched."""
    app_offset = next(part.offset for part in VIRTUAL_LAYOUT if part.kind == APP_KIND)
    parts = (
        (
            "bootloader.bin",
            chip.bootloader_offset,
            write_image(bootloader_image(chip.chip_id, chip.bootloader_address)),
        ),
        ("partition-table.bin", TABLE_OFFSET, write_table(VIRTUAL_LAYOUT)),
        (
            "app.bin",
            app_offset,
            write_image(app_image(program, chip.chip_id, chip.app_address)),
        ),
    )
    manifest = {
        "schema": _SCHEMA,
        "target": chip.name,
        "virtual": True,
        "version": program.version,
        "machine": program.machine,
        "app_elf_sha256": program.sha256,
        "flash_bytes": chip.flash_bytes,
        "parts": [
            {
                "file": name,
                "offset": offset,
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
            for name, offset, data in parts
        ],
    }
    for name, _, data in parts:
        _write_if_changed(folder / name, data)
    _write_if_changed(folder / APP_ELF, program.elf)
    _write_if_changed(folder / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())


def _write_if_changed(path: Path, data: bytes) -> None:
    if path.is_file() and path.read_bytes() == data:
        return
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    partial.replace(path)
