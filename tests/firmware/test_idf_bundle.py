"""Release bundles of chips, collected from a build folder as ESP-IDF leaves it."""

from __future__ import annotations

import importlib.util
import json
import os
import stat
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from espdl_hil.boards.firmware import read_bundle
from espdl_hil.boards.firmware_cache import keep_bundle, kept_bundle
from espdl_hil.boards.flashing import flash
from espdl_hil.boards.inventory import Board
from espdl_hil.cli import flash as cli_flash
from espdl_hil.targets import target_named
from espdl_hil.virtual.launch import VirtualBoard, VirtualBoardSpec

PROJECT = Path(__file__).resolve().parents[2]
ELF_SHA256 = bytes(range(32))
IMAGES = {
    "0x2000": ("bootloader/bootloader.bin", b"boot" * 100),
    "0x8000": ("partition_table/partition-table.bin", b"\xaa\x50" * 100),
}
LOCK = """dependencies:
  espressif/dl_fft:
    component_hash: 00
    version: 0.6.1
  espressif/esp-dl:
    component_hash: 11
    dependencies:
    - name: espressif/dl_fft
    source:
      type: service
    version: 3.3.9
  idf:
    source:
      type: idf
    version: 5.5.1
manifest_hash: 22
"""


def _load() -> ModuleType:
    path = PROJECT / "tools" / "firmware_bundle.py"
    spec = importlib.util.spec_from_file_location("firmware_bundle", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


tool = _load()


def app_image(version: bytes = b"1.2.3-4-gabc") -> bytes:
    """An application image: header, segment header, description, and something more."""
    description = (0xABCD5432).to_bytes(4, "little") + bytes(12) + version.ljust(32, b"\0")
    return bytes(0x20) + description.ljust(144, b"\0") + ELF_SHA256 + b"code" * 1000


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A complete build for esp32p4."""
    folder = tmp_path / "build"
    images = IMAGES | {"0x10000": ("espdl_hil_runner.bin", app_image())}
    for name, data in images.values():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "espdl_hil_runner.elf").write_bytes(b"\x7fELF")
    flasher = {
        "flash_settings": {"flash_size": "16MB"},
        "flash_files": {place: name for place, (name, _) in images.items()},
    }
    (folder / "flasher_args.json").write_text(json.dumps(flasher))
    project = {
        "target": "esp32p4",
        "app_bin": "espdl_hil_runner.bin",
        "app_elf": "espdl_hil_runner.elf",
    }
    (folder / "project_description.json").write_text(json.dumps(project))
    return folder


def collect(build: Path, target: str = "esp32p4") -> Path:
    return tool.collect(build, target, build.parent / "out", idf="v5.5.1", commit="abc")


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_is_collected_is_a_bundle_that_flash_takes(build):
    bundle = read_bundle(collect(build))
    assert (bundle.target, bundle.version, bundle.virtual) == ("esp32p4", "1.2.3-4-gabc", False)
    assert bundle.app_elf_sha256 == ELF_SHA256.hex()
    assert [(part.file, part.offset) for part in bundle.parts] == [
        ("bootloader.bin", 0x2000),
        ("partition-table.bin", 0x8000),
        ("espdl_hil_runner.bin", 0x10000),
    ]
    assert bundle.parts[2].data == app_image()


def test_the_manifest_says_what_it_was_built_from(build):
    out = collect(build)
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["idf_version"], manifest["git_commit"]) == ("v5.5.1", "abc")
    assert manifest["flash_bytes"] == 16 << 20
    assert (out / "espdl_hil_runner.elf").is_file()


def test_an_older_bundle_is_replaced_as_a_whole(build):
    out = collect(build)
    (out / "stale.bin").write_bytes(b"old")
    assert not (collect(build) / "stale.bin").exists()
    assert sorted(path.name for path in out.parent.iterdir()) == ["build", "out"]


def test_the_version_of_a_component_is_read_from_its_lock():
    assert tool.component_version(LOCK, "espressif/esp-dl") == "3.3.9"
    assert tool.component_version(LOCK, "espressif/dl_fft") == "0.6.1"
    assert tool.component_version(LOCK, "espressif/other") == "unknown"


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("ESP-IDF v5.3.1", "esp32"),
        ("ESP-IDF v5.5", "esp32c5"),
        ("ESP-IDF v6.1-dev-6734-g102122904ad", "esp32s31"),
    ],
)
def test_an_idf_that_is_new_enough_is_taken(text, target):
    assert text.endswith(tool.check_idf(text, target))


@pytest.mark.parametrize(
    ("text", "target", "says"),
    [
        ("ESP-IDF v5.2.3", "esp32", "needs ESP-IDF 5.3"),
        ("ESP-IDF v5.4.1", "esp32c5", "needs ESP-IDF 5.5"),
        ("something else", "esp32", "does not say"),
    ],
)
def test_an_idf_that_is_too_old_is_named(text, target, says):
    with pytest.raises(tool.BundleError, match=says):
        tool.check_idf(text, target)


def test_a_build_for_another_chip_is_refused(build):
    with pytest.raises(tool.BundleError, match="built for 'esp32p4', not 'esp32s3'"):
        collect(build, "esp32s3")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda build: (build / "espdl_hil_runner.bin").unlink(), "missing"),
        (lambda build: (build / "flasher_args.json").unlink(), "is the build complete"),
        (lambda build: (build / "flasher_args.json").write_text("{"), "is the build complete"),
        (lambda build: edit(build / "flasher_args.json", flash_files={}), "no flash_files"),
        (lambda build: edit(build / "flasher_args.json", flash_settings={}), "no flash size"),
        (lambda build: edit(build / "project_description.json", app_bin="x"), "not among"),
        (lambda build: (build / "espdl_hil_runner.bin").write_bytes(bytes(999)), "description"),
    ],
)
def test_an_incomplete_build_leaves_the_old_bundle_alone(build, damage, says):
    out = collect(build)
    before = sorted((path.name, path.read_bytes()) for path in out.iterdir())
    damage(build)
    with pytest.raises(tool.BundleError, match=says):
        collect(build)
    assert sorted((path.name, path.read_bytes()) for path in out.iterdir()) == before


def test_without_esp_idf_it_says_how_to_get_it(tmp_path):
    with pytest.raises(tool.BundleError, match=r"export\.sh"):
        tool.build_firmware("esp32", tmp_path / "out", idf_py="no-such-idf.py")


IDF_PY = """#!{python}
import json, pathlib, shutil, sys
arguments = sys.argv[1:]
if arguments == ["--version"]:
    print({version!r})
    sys.exit(0)
record = pathlib.Path({record!r})
record.write_text(json.dumps(arguments))
build = pathlib.Path(arguments[arguments.index("-B") + 1])
assert not (build / "sdkconfig").exists(), "the defaults would not count"
shutil.copytree({product!r}, build, dirs_exist_ok=True)
(build / "sdkconfig").write_text("CONFIG_IDF_TARGET=...")
sys.exit({status})
"""


@pytest.fixture
def idf(tmp_path: Path, build: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts an ``idf.py`` on the PATH whose builds are ``build``; gives where it notes its words."""
    monkeypatch.setattr(tool, "PROJECT", tmp_path / "project")

    def install(version: str = "ESP-IDF v5.5.1", status: int = 0) -> Path:
        record = tmp_path / "arguments.json"
        script = tmp_path / "bin" / "idf.py"
        script.parent.mkdir(exist_ok=True)
        words = {"version": version, "status": status, "record": str(record)}
        script.write_text(IDF_PY.format(python=sys.executable, product=str(build), **words))
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(script.parent), prepend=os.pathsep)
        return record

    return install


def test_from_the_command_line_to_what_esptool_writes(idf, tmp_path, capsys):
    record = idf()
    for _ in range(2):  # the second one meets what the first one left
        assert tool.main(["--target", "esp32p4", "--variant", "usb_cdc", "--zip"]) == 0
    arguments = json.loads(record.read_text())
    assert "IDF_TARGET=esp32p4" in arguments
    assert "HIL_DEFAULTS=sdkconfig.defaults.usb_cdc" in arguments
    out = tmp_path / "project/build/firmware/esp32p4-usb_cdc"
    said = capsys.readouterr().out
    assert f"espdl-hil flash BOARD --firmware {out}" in said
    folder, archive = read_bundle(out), read_bundle(out.with_name(f"{out.name}.zip"))
    assert folder.parts == archive.parts
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["git_commit"] == "unknown"  # this project is no checkout
    with VirtualBoard(VirtualBoardSpec("esp32p4", tmp_path / "board")) as board:
        report = flash(board.port, archive)
    assert report.written == tuple(part.file for part in archive.parts)
    content = (tmp_path / "board/flash.bin").read_bytes()
    for part in archive.parts:
        assert content[part.offset :].startswith(part.data)


def test_the_same_bundle_gives_the_same_zip(build):
    out = collect(build)
    first = tool.write_zip(out).read_bytes()
    assert tool.write_zip(out).read_bytes() == first


def test_a_failed_build_is_an_error_and_leaves_no_bundle(idf, tmp_path, capsys):
    record = idf(status=2)
    assert tool.main(["--target", "esp32p4", "--flash", "8MB"]) == 4
    assert "build failed" in capsys.readouterr().err
    assert {"HIL_FLASH=8MB", "build"} <= set(json.loads(record.read_text()))
    assert not list((tmp_path / "project/build").glob("firmware/*"))


def test_an_old_idf_builds_nothing(idf, capsys):
    record = idf(version="ESP-IDF v5.2")
    assert tool.main(["--target", "esp32p4"]) == 4
    assert "needs ESP-IDF 5.3" in capsys.readouterr().err
    assert not record.exists()


def test_every_variant_has_its_defaults():
    found = {path.suffix[1:] for path in (PROJECT / "firmware").glob("sdkconfig.defaults.*")}
    others = set(tool.TARGETS) | {f"flash_{size}" for size in tool.FLASH_SIZES}
    assert found - others == set(tool.VARIANTS)


# --- Bundles that were flashed before -------------------------------------------------------------


@pytest.mark.parametrize("zipped", [False, True])
def test_a_bundle_is_kept_whole_and_the_last_one_counts(build, tmp_path, zipped):
    cache = tmp_path / "cache"
    assert kept_bundle("esp32p4", cache) is None
    out = collect(build)
    keep_bundle(read_bundle(out), cache)
    (build / "espdl_hil_runner.bin").write_bytes(app_image(b"2.0"))
    newer = read_bundle(tool.write_zip(collect(build)) if zipped else collect(build))
    kept = keep_bundle(newer, cache)
    assert kept_bundle("esp32p4", cache) == kept
    assert kept_bundle("esp32s3", cache) is None
    assert read_bundle(kept).parts == newer.parts
    assert read_bundle(kept).version == "2.0"
    assert [path.name for path in cache.iterdir()] == ["esp32p4.zip"]
    with zipfile.ZipFile(kept) as archive:
        assert "espdl_hil_runner.elf" in archive.namelist()


def test_flash_takes_the_one_named_then_the_entrys_then_the_one_flashed_last(build, tmp_path):
    cache, named = tmp_path / "cache", tmp_path / "named"
    chip = Board("desk", target_named("esp32p4"), virtual=False, port="/dev/ttyUSB0")
    with_bundle = replace(chip, flash=replace(chip.flash, firmware=tmp_path / "entry"))
    assert cli_flash._firmware_for(chip, None, cache) is None
    kept = keep_bundle(read_bundle(collect(build)), cache)
    assert cli_flash._firmware_for(chip, None, cache) == kept
    assert cli_flash._firmware_for(chip, named, cache) == named
    assert cli_flash._firmware_for(with_bundle, None, cache) is None
    assert cli_flash._firmware_for(replace(chip, virtual=True), None, cache) is None
