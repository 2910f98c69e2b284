"""What pyproject.toml cannot say: a wheel carries the C sources of the virtual boards' firmware.

They stand once in the repository, in ``firmware/``; building copies those that the runner is built
from to ``espdl_hil/virtual/firmware``, where ``espdl_hil.virtual.toolchain`` looks first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
SOURCES = ROOT / "firmware"
PLACE = Path("espdl_hil", "virtual", "firmware")
SUFFIXES = {".c", ".h", ".S", ".ld", ".mk"}
NOT_NEEDED = {"test", "main", "hil_espdl_engine", "hil_port"}  # as in toolchain.py


class BuildWithFirmware(build_py):
    """``build_py``, and the firmware's sources; not in editable mode, which uses the checkout."""

    def run(self) -> None:
        """Copy the packages, then the sources."""
        super().run()
        if not self.editable_mode:
            for source, target in self._firmware():
                self.mkpath(str(target.parent))
                self.copy_file(str(source), str(target), preserve_mode=False)

    def get_source_files(self) -> list[str]:
        """Name the sources too, so that a source distribution has them."""
        firmware = [str(source.relative_to(ROOT)) for source, _ in self._firmware()]
        return [*super().get_source_files(), *firmware]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Name the copies too, so that they can be uninstalled."""
        outputs: list[str] = super().get_outputs(include_bytecode)
        if self.editable_mode:
            return outputs
        return [*outputs, *(str(target) for _, target in self._firmware())]

    def _firmware(self) -> Iterator[tuple[Path, Path]]:
        """Yield what the runner is built from, and where it goes."""
        for path in sorted(SOURCES.rglob("*")):
            place = path.relative_to(SOURCES)
            wanted = path.suffix in SUFFIXES or path.name == "Makefile"
            if wanted and path.is_file() and NOT_NEEDED.isdisjoint(place.parts):
                yield path, Path(self.build_lib) / PLACE / place


setup(cmdclass={"build_py": BuildWithFirmware})
