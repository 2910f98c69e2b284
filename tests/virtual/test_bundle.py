"""Firmware bundles: reproducible, complete, checked when read."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile

import pytest

from espdl_hil.boards.firmware import read_bundle
from espdl_hil.errors import ConfigError
from espdl_hil.virtual.bundle import ensure_bundle
from espdl_hil.virtual.chips import chip_named
from espdl_hil.virtual.payload import HostProgram
from tests.virtual.bench import bundle_of

PROGRAM = HostProgram(b"\x7fELF" + bytes(1000), "x86_64", "1.2.3")

MAKEFILE = """
runner:
\t@test ! -e broken || { echo "cannot compile this"; exit 1; }
\tcat runner.c > $(OUT)/hil_runner
\techo built >> builds
.PHONY: runner
"""


@pytest.fixture
def bundle(tmp_path):
    return bundle_of(PROGRAM, chip_named("esp32p4"), tmp_path / "bundle")


@pytest.fixture
def firmware(tmp_path):
    folder = tmp_path / "firmware"
    folder.mkdir()
    (folder / "Makefile").write_text(MAKEFILE)
    (folder / "runner.c").write_text("pretend to be a program\n")
    return folder


def test_a_bundle_says_who_its_application_is(bundle):
    assert (bundle.target, bundle.version, bundle.virtual) == ("esp32p4", "1.2.3", True)
    assert bundle.app_elf_sha256 == hashlib.sha256(PROGRAM.elf).hexdigest()
    assert [part.offset for part in bundle.parts] == [0x2000, 0x8000, 0x10000]


def test_equal_programs_give_equal_bytes(bundle, tmp_path):
    again = bundle_of(PROGRAM, chip_named("esp32p4"), tmp_path / "again")
    assert again.parts == bundle.parts
    manifests = [(path.source / "manifest.json").read_bytes() for path in (bundle, again)]
    assert manifests[0] == manifests[1]


def test_a_zip_is_as_good_as_a_folder(bundle, tmp_path):
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in bundle.source.iterdir():
            archive.write(file, file.name)
    assert read_bundle(path).parts == bundle.parts


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda m: m.update(schema=2), "schema"),
        (lambda m: m.update(target="esp99"), "unknown target"),
        (lambda m: m.update(virtual=1), "virtual"),
        (lambda m: m.update(app_elf_sha256="AB"), "SHA-256"),
        (lambda m: m.update(parts=[]), "no files"),
        (lambda m: m.pop("version"), "version"),
        (lambda m: m["parts"][0].update(file="../app.bin"), "plain file name"),
        (lambda m: m["parts"][0].update(file="gone.bin"), "gone.bin"),
        (lambda m: m["parts"][0].update(offset=0x8001), "sector"),
        (lambda m: m["parts"][0].update(offset=0x8000), "overlap"),
        (lambda m: m["parts"][0].update(size=True), "size"),
        (lambda m: m["parts"][1].update(sha256="0" * 64), "damaged"),
        (lambda m: m.update(parts="x"), "parts"),
        (lambda m: m.update(parts=["x"]), "object"),
    ],
)
def test_a_manifest_that_does_not_hold_is_refused(bundle, change, text):
    path = bundle.source / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    with pytest.raises(ConfigError, match=text):
        read_bundle(bundle.source)


def test_a_damaged_file_is_refused(bundle):
    path = bundle.source / "app.bin"
    data = bytearray(path.read_bytes())
    data[500] ^= 4
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"app\.bin.*damaged"):
        read_bundle(bundle.source)


def test_what_is_no_bundle_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "notes.txt"):
        with pytest.raises(ConfigError, match=r"manifest\.json"):
            read_bundle(path)


def test_the_runner_is_built_again_only_when_a_source_changed(firmware, tmp_path):
    out = tmp_path / "out"
    first = read_bundle(ensure_bundle("esp32", out, firmware))
    ensure_bundle("esp32s3", out, firmware)
    assert (firmware / "builds").read_text() == "built\n"
    (firmware / "runner.c").write_text("pretend to be another program\n")
    second = read_bundle(ensure_bundle("esp32", out, firmware))
    assert (firmware / "builds").read_text() == "built\nbuilt\n"
    assert second.app_elf_sha256 != first.app_elf_sha256
    assert second.version != first.version


def test_a_folder_whose_name_make_would_split_keeps_builds_as_well(firmware, tmp_path):
    out_dir = tmp_path / "Müller & Söhne: 100 %"
    bundle = ensure_bundle("esp32", out_dir, firmware)
    assert ensure_bundle("esp32", out_dir, firmware) == bundle
    assert (firmware / "builds").read_text() == "built\n"
    assert read_bundle(bundle).target == "esp32"


def test_a_build_that_fails_says_why_and_is_tried_again(firmware, tmp_path):
    (firmware / "broken").touch()
    with pytest.raises(ConfigError, match="cannot compile this"):
        ensure_bundle("esp32", tmp_path / "out", firmware)
    (firmware / "broken").unlink()
    assert read_bundle(ensure_bundle("esp32", tmp_path / "out", firmware)).target == "esp32"


def test_missing_sources_and_targets_that_cannot_be_virtual_are_named(firmware, tmp_path):
    with pytest.raises(ConfigError, match="esp32c3"):
        ensure_bundle("esp32c3", tmp_path / "out", firmware)
    shutil.rmtree(firmware)
    with pytest.raises(ConfigError, match="sources"):
        ensure_bundle("esp32", tmp_path / "out", firmware)
