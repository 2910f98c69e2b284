"""What ESP-DL's source leaves to a chip's compiler, and by how much results may therefore differ.

The law of this file: a tolerance exists only where an operator declares why its last bit cannot be
read from the source, and only on targets whose toolchain has that freedom; nobody types one in.
ESP-DL is compiled with ``-ffast-math -O3`` (esp-dl 12c0616 CMakeLists.txt).
"""

from __future__ import annotations

from dataclasses import dataclass

from espdl_hil.ir.types import DType
from espdl_hil.targets import Freedom, Target

FLOAT_TOLERANCE = 2e-5
"""Largest difference of an undecided float: absolute up to magnitude 1, relative above.

Source: esp-dl 12c0616 dl_model_base.cpp ``Model::test`` (its epsilon for float32).
"""

QUANTIZED = (DType.INT8, DType.INT16)
REAL = (DType.FLOAT,)
ANY = (*QUANTIZED, *REAL)


@dataclass(frozen=True, slots=True)
class Rule:
    """How far a value may lie from the simulator's on the same inputs.

    Attributes:
        steps: largest difference of an integer element.
        relative: largest difference of a float element: absolute up to magnitude 1, relative above.
        why: what leaves it open; empty where nothing does.
        source: where ESP-DL computes it.
    """

    steps: int = 0
    relative: float = 0.0
    why: str = ""
    source: str = ""


EXACT = Rule()
"""Equal or wrong."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """A path of an operator whose last bit its source does not decide.

    Attributes:
        path: what is computed, for people.
        freedoms: any one of these, on a target that has it, leaves the result open.
        dtypes: of input 0, where the path is taken.
        source: ESP-DL file and function.
        steps: quanta by which the freedom moves an integer result: another last bit of a float32
            decides only between two neighbours.
    """

    path: str
    freedoms: frozenset[Freedom]
    dtypes: tuple[DType, ...]
    source: str
    steps: int = 1

    def taken(self, target: Target) -> frozenset[Freedom]:
        """The freedoms that the target's toolchain has."""
        return self.freedoms & target.freedoms

    def why(self, target: Target) -> str:
        """The reason on ``target``, for people."""
        kinds = ", ".join(sorted(freedom.value for freedom in self.taken(target)))
        return f"{self.path}: {kinds or 'nothing on this target'}"


def undecided(
    path: str, *freedoms: Freedom, dtypes: tuple[DType, ...], source: str
) -> tuple[Undecided, ...]:
    """One declaration, as ``Traits`` holds them; several are joined with ``+``."""
    return (Undecided(path, frozenset(freedoms), dtypes, f"esp-dl 12c0616 {source}"),)
