"""The ESP-IDF project's files hold together: targets, partitions, sources, operators."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from espdl_hil.ops import OPERATORS
from espdl_hil.targets import TARGETS

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
SECTOR = 0x1000
PARTITION_TABLES = sorted(FIRMWARE.glob("partitions_*.csv"))


def _settings(path: Path) -> dict[str, str]:
    lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def _partitions(path: Path) -> list[tuple[str, int, int]]:
    rows = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    fields = [[field.strip() for field in row.split(",")] for row in rows]
    return [(row[0], int(row[3], 0), int(row[4], 0)) for row in fields]


def _defaults(target: str) -> dict[str, str]:
    path = FIRMWARE / f"sdkconfig.defaults.{target}"
    return _settings(FIRMWARE / "sdkconfig.defaults") | _settings(path)


CHIPS = [target.name for target in TARGETS if target.name not in ("c", "esp32c2")]


@pytest.mark.parametrize("target", CHIPS)
def test_every_target_has_defaults_and_a_table_for_its_flash(target):
    settings = _defaults(target)
    table = FIRMWARE / settings["CONFIG_PARTITION_TABLE_CUSTOM_FILENAME"].strip('"')
    sizes = [name for name in settings if name.startswith("CONFIG_ESPTOOLPY_FLASHSIZE_")]
    megabytes = re.search(r"_(\d+)MB", table.name)
    assert megabytes is not None
    assert f"CONFIG_ESPTOOLPY_FLASHSIZE_{megabytes[1]}MB" in sizes
    assert table in PARTITION_TABLES


@pytest.mark.parametrize("table", PARTITION_TABLES, ids=lambda path: path.stem)
def test_partitions_fill_the_flash_without_overlap(table):
    megabytes = re.search(r"_(\d+)MB", table.name)
    assert megabytes is not None
    partitions = _partitions(table)
    assert [name for name, _, _ in partitions] == ["nvs", "phy_init", "factory", "model"]
    end = 0x9000
    for name, offset, size in partitions:
        assert offset == end or name == "model", f"{name}: a hole before it"
        assert offset >= end, f"{name} overlaps"
        assert offset % SECTOR == size % SECTOR == 0
        end = offset + size
    assert end == int(megabytes[1]) << 20
    assert partitions[2][1] % 0x10000 == 0, "an application starts at a page of the MMU"


def test_every_portable_source_is_built_for_the_chip_too():
    for component in sorted((FIRMWARE / "components").iterdir()):
        text = (component / "CMakeLists.txt").read_text()
        names = {path.name for path in component.glob("*.c")} | {
            path.name for path in component.glob("*.cpp")
        }
        if "SRC_DIRS" not in text:
            assert names <= set(re.findall(r"[\w.]+\.c(?:pp)?\b", text)), component.name


def test_no_requirement_depends_on_the_configuration():
    """ESP-IDF resolves requirements before it reads the configuration."""
    for path in [FIRMWARE / "main/CMakeLists.txt", *FIRMWARE.glob("components/*/CMakeLists.txt")]:
        for required in re.findall(r"REQUIRES([^)]*)", path.read_text()):
            assert "$" not in required, path.parent.name


def test_the_espdl_engine_knows_every_operator_that_the_host_can_lower():
    source = (FIRMWARE / "components/hil_espdl_engine/hil_espdl_preflight.c").read_text()
    listed = re.findall(r'^    "(\w+)",$', source, re.MULTILINE)
    assert listed == sorted(set(listed))
    assert set(OPERATORS) <= set(listed)


def test_the_pinned_esp_dl_has_what_the_engine_calls_and_what_the_preflight_lists():
    component = FIRMWARE / "components/hil_espdl_engine"
    pin = re.search(r'esp-dl: ">=(\S+),<(\S+)"', (component / "idf_component.yml").read_text())
    assert pin is not None
    assert pin.groups() == ("3.3.6", "3.4.0")  # 3.3.6: Model::run by stages
    source = (component / "hil_espdl_preflight.c").read_text()
    assert f"ESP-DL {pin[1]} to 3.3.9" in source, "compare the list with the new range's registry"
