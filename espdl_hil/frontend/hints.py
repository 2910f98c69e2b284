"""What to do about ONNX operators that neither ESP-DL nor a rewriting computes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_APPLICATION = (
    "end the model in front of it (--end-at VALUE, outputs=[...]), and let the application do it"
)
_LOGIC = "compute with numbers: Mul for and, Max for or, 1 - x for not"
_UNROLL = "export with fixed shapes, so that the exporter unrolls it"

HINTS: Mapping[str, str] = MappingProxyType(
    {
        "And": _LOGIC,
        "ArgMax": _APPLICATION,
        "ArgMin": _APPLICATION,
        "Cast": "a board computes with its integers: leave casts to the application",
        "Compress": _APPLICATION,
        "DFT": "compute the spectrum in the application",
        "Det": _APPLICATION,
        "GridSample": _APPLICATION,
        "Hardmax": _APPLICATION,
        "If": _UNROLL,
        "LRN": "use BatchNormalization, which folds into the weights",
        "Loop": _UNROLL,
        "NonMaxSuppression": _APPLICATION,
        "NonZero": _APPLICATION,
        "Not": _LOGIC,
        "OneHot": _APPLICATION,
        "Or": _LOGIC,
        "RandomNormal": _APPLICATION,
        "RoiAlign": _APPLICATION,
        "STFT": "compute the spectrum in the application",
        "RotaryEmbedding": "write it as Mul, Neg, Concat and Add",
        "Scan": _UNROLL,
        "ScatterElements": _APPLICATION,
        "Shape": _UNROLL,
        "TopK": _APPLICATION,
        "Unique": _APPLICATION,
        "Xor": _LOGIC,
    }
)
"""Hints by operator."""
