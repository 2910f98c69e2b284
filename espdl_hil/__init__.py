"""espdl-hil: quantize for ESP-DL, simulate the chip's integers, run on boards, sign off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from espdl_hil.front import quantize
    from espdl_hil.pipeline import simulate

__all__ = ["__version__", "quantize", "simulate"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- the signature that PEP 562 prescribes
    """Import the front door on first use, so that importing the package costs nothing."""
    if name == "quantize":
        from espdl_hil.front import quantize

        return quantize
    if name == "simulate":
        from espdl_hil.pipeline import simulate

        return simulate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What there is, imported or not yet."""
    return sorted({*globals(), *__all__})
