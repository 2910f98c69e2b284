"""The chips, as the numbers see them.

The law of this file: whatever a chip changes is a field here. Code elsewhere never asks for a
chip's name; if it needs an ``if``, the missing thing is a field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from espdl_hil.errors import ConfigError


class Rounding(Enum):
    """What a right shift and a float-to-integer conversion do at a tie."""

    HALF_UP = "half_up"
    HALF_EVEN = "half_even"


class Overflow(Enum):
    """What an accumulator does when a sum leaves its width."""

    WRAP = "wrap"
    SATURATE = "saturate"


class Freedom(Enum):
    """What a chip's toolchain may do to a float expression; the value says it to people."""

    REORDERING = "-ffast-math may reorder sums and products, and multiply with a reciprocal"
    CONTRACTION = "a product and a sum may be rounded once (fused multiply-add)"
    ESTIMATE = "divisions and roots may start from the FPU's estimates"
    LIBRARY = "expf, logf and powf are the C library's"


@dataclass(frozen=True, slots=True)
class Accumulator:
    """One accumulator register: its width in bits and its behaviour at every addition."""

    bits: int
    overflow: Overflow


@dataclass(frozen=True, slots=True)
class MacArithmetic:
    """How one integer width multiplies and accumulates on a target.

    Attributes:
        lane: accumulator of output channels that fill a vector register, and of depthwise channels.
        tail: accumulator of the remaining ``N % filter_block`` output channels of a dense
            convolution, Gemm or MatMul.
        bias_bits: width that a bias is clipped to when it is quantized.
        filter_block: output channels per block of the packed filter; 1 where filters are stored
            plainly (NHWC; depthwise HWCN).
        largest_shift: bits by which a lane can be shifted right; the shift register of a vector
            unit has few bits, and a larger shift is silently another one, see ``taken_shift``.
    """

    lane: Accumulator
    tail: Accumulator
    bias_bits: int
    filter_block: int
    largest_shift: int

    def taken_shift(self, shift: int) -> int:
        """The bits by which a lane is shifted when the register is given ``shift`` (0 or more).

        The register keeps the low 5 or 6 bits. Where half up is made by one bit more (first all
        but one bit, then one), that bit stands outside the register.
        """
        span = 32 if self.largest_shift <= 32 else 64
        outside = self.largest_shift - (span - 1)
        return shift if shift < outside else (shift - outside) % span + outside


@dataclass(frozen=True, slots=True)
class NegativeSlope:
    """How the kernel of a per-channel PRelu treats its products and its positive values.

    Attributes:
        rounds: products are rounded as everything else; otherwise they are shifted down (floor).
        rescales: positive values are brought to the output's exponent; otherwise copied as they
            are, whatever the exponents say.
        overflow: what a product does that does not fit the output.
    """

    rounds: bool
    rescales: bool
    overflow: Overflow


@dataclass(frozen=True, slots=True)
class RequantizeLimits:
    """How far a vector kernel can shift left when the output has the smaller exponent.

    Attributes:
        narrow: largest ``e_in - e_out`` for int8 from int8.
        widen: the same for int16 from int8.
        shrink: the same for int8 from int16.
        whole_blocks: whether int16 from int8 leaves 8 elements unwritten where 8 remain after
            blocks of 16.
    """

    narrow: int
    widen: int
    shrink: int
    whole_blocks: bool


@dataclass(frozen=True, slots=True)
class Target:
    """A chip as the numbers see it.

    Attributes:
        name: the name in ``boards.yaml``, file metadata and on the command line.
        kernels: which of ESP-DL's three kernel families computes; shared by relatives
            (``"c"``, ``"s3"``, ``"p4"``). For messages and file comparison, not for branching.
        rounding: rounding of every shift and float conversion.
        vector: whether a vector unit (PIE) computes; decides alignment-dependent paths.
        per_channel_weights: whether Conv and Gemm weights may have one exponent per channel.
        mac: arithmetic by integer width in bits (8, 16).
        prelu: per-channel PRelu by integer width in bits.
        requantize: limits of the vector kernels; ``None`` where floats compute exactly.
        resize_rounds: whether the nearest Resize kernel says how its right shift rounds; otherwise
            the rounding is left over from whatever ran before it.
        freedoms: what the toolchain may do to ESP-DL's float expressions (``-ffast-math``); without
            an FPU there is no fused multiply-add, and RISC-V divides without estimates.
        chip_id: the chip identifier in the application image header (esptool's numbering).
        idf_target: the ESP-IDF target name.
        metadata_names: values of the file metadata key ``target`` that mean this target.
    """

    name: str
    kernels: str
    rounding: Rounding
    vector: bool
    per_channel_weights: bool
    mac: Mapping[int, MacArithmetic]
    prelu: Mapping[int, NegativeSlope]
    requantize: RequantizeLimits | None
    resize_rounds: bool
    freedoms: frozenset[Freedom]
    chip_id: int
    idf_target: str
    metadata_names: tuple[str, ...]

    def __hash__(self) -> int:
        return hash(self.name)


_FLOORS = NegativeSlope(rounds=False, rescales=False, overflow=Overflow.SATURATE)
_FLOORS_AND_WRAPS = NegativeSlope(rounds=False, rescales=False, overflow=Overflow.WRAP)
_ROUNDS = NegativeSlope(rounds=True, rescales=True, overflow=Overflow.SATURATE)


_SOFT_FLOAT = frozenset({Freedom.REORDERING, Freedom.LIBRARY})
_RISCV_FPU = _SOFT_FLOAT | {Freedom.CONTRACTION}
_XTENSA_FPU = _RISCV_FPU | {Freedom.ESTIMATE}


def _plain(name: str, chip_id: int, freedoms: frozenset[Freedom] = _SOFT_FLOAT) -> Target:
    return Target(
        name=name,
        kernels="c",
        rounding=Rounding.HALF_UP,
        vector=False,
        per_channel_weights=False,
        mac=MappingProxyType(
            {
                8: MacArithmetic(
                    lane=Accumulator(32, Overflow.WRAP),
                    tail=Accumulator(32, Overflow.WRAP),
                    bias_bits=32,
                    filter_block=1,
                    largest_shift=63,
                ),
                16: MacArithmetic(
                    lane=Accumulator(64, Overflow.WRAP),
                    tail=Accumulator(64, Overflow.WRAP),
                    bias_bits=64,
                    filter_block=1,
                    largest_shift=63,
                ),
            }
        ),
        prelu=MappingProxyType({8: _FLOORS, 16: _FLOORS}),
        requantize=None,
        resize_rounds=True,
        freedoms=freedoms,
        chip_id=chip_id,
        idf_target=name,
        metadata_names=(name, "c"),
    )


_S3_MAC = MappingProxyType(
    {
        8: MacArithmetic(
            lane=Accumulator(20, Overflow.SATURATE),
            tail=Accumulator(40, Overflow.SATURATE),
            bias_bits=20,
            filter_block=16,
            largest_shift=32,
        ),
        16: MacArithmetic(
            lane=Accumulator(40, Overflow.SATURATE),
            tail=Accumulator(40, Overflow.SATURATE),
            bias_bits=40,
            filter_block=8,
            largest_shift=63,
        ),
    }
)

_P4_MAC = MappingProxyType(
    {
        8: MacArithmetic(
            lane=Accumulator(32, Overflow.SATURATE),
            tail=Accumulator(40, Overflow.SATURATE),
            bias_bits=32,
            filter_block=16,
            largest_shift=31,
        ),
        16: MacArithmetic(
            lane=Accumulator(64, Overflow.SATURATE),
            tail=Accumulator(40, Overflow.SATURATE),
            bias_bits=40,
            filter_block=8,
            largest_shift=63,
        ),
    }
)


def _p4_like(name: str, chip_id: int) -> Target:
    return Target(
        name=name,
        kernels="p4",
        rounding=Rounding.HALF_EVEN,
        vector=True,
        per_channel_weights=True,
        mac=_P4_MAC,
        prelu=MappingProxyType({8: _ROUNDS, 16: _FLOORS}),
        requantize=RequantizeLimits(narrow=14, widen=14, shrink=14, whole_blocks=False),
        resize_rounds=False,
        freedoms=_RISCV_FPU,
        chip_id=chip_id,
        idf_target=name,
        metadata_names=(name,),
    )


TARGETS: tuple[Target, ...] = (
    _plain("esp32", 0, _XTENSA_FPU),
    _plain("esp32s2", 2),
    _plain("esp32c2", 12),
    _plain("esp32c3", 5),
    _plain("esp32c5", 23),
    _plain("esp32c6", 13),
    Target(
        name="esp32s3",
        kernels="s3",
        rounding=Rounding.HALF_UP,
        vector=True,
        per_channel_weights=False,
        mac=_S3_MAC,
        prelu=MappingProxyType({8: _ROUNDS, 16: _FLOORS_AND_WRAPS}),
        requantize=RequantizeLimits(narrow=6, widen=14, shrink=4, whole_blocks=True),
        resize_rounds=True,
        freedoms=_XTENSA_FPU,
        chip_id=9,
        idf_target="esp32s3",
        metadata_names=("esp32s3",),
    ),
    _p4_like("esp32p4", 18),
    _p4_like("esp32s31", 32),
)
"""Every known target; the first of a kernel family stands for the family."""

FAMILY_TARGETS: tuple[Target, ...] = tuple(
    target
    for at, target in enumerate(TARGETS)
    if target.kernels not in {other.kernels for other in TARGETS[:at]}
)
"""One target of each kernel family."""


def target_named(name: str) -> Target:
    """Return the target called ``name``; esp-ppq's ``"c"`` means the esp32 class.

    Raises:
        ConfigError: no such target; the message lists the known ones.
    """
    for target in TARGETS:
        if target.name == name or (name == "c" and target.name == "esp32"):
            return target
    known = ", ".join(target.name for target in TARGETS)
    raise ConfigError(f"unknown target {name!r}", hint=f"known targets: {known}, c")
