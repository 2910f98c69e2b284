"""What to do about ONNX operators that neither ESP-DL nor a rewriting computes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_APPLICATION = "end the model in front of it, and let the application do it"
_UNROLL = "export with fixed shapes, so that the exporter unrolls it"
_EINSUM = "write it as Transpose, Reshape and MatMul"
_SCAN = "a running sum is a MatMul with a triangle of ones"

HINTS: Mapping[str, str] = MappingProxyType(
    {
        "ArgMax": _APPLICATION,
        "ArgMin": _APPLICATION,
        "CumSum": _SCAN,
        "Einsum": _EINSUM,
        "GatherElements": _APPLICATION,
        "GatherND": _APPLICATION,
        "GridSample": _APPLICATION,
        "GroupNormalization": "use BatchNormalization, which folds into the weights",
        "If": _UNROLL,
        "InstanceNormalization": "use BatchNormalization, which folds into the weights",
        "LRN": "use BatchNormalization, which folds into the weights",
        "Loop": _UNROLL,
        "NonMaxSuppression": _APPLICATION,
        "NonZero": _APPLICATION,
        "OneHot": _APPLICATION,
        "RNN": "use GRU or LSTM, which ESP-DL has",
        "RandomNormal": _APPLICATION,
        "RoiAlign": _APPLICATION,
        "STFT": "compute the spectrum in the application",
        "Scan": _UNROLL,
        "ScatterElements": _APPLICATION,
        "Shape": _UNROLL,
        "TopK": _APPLICATION,
        "Unique": _APPLICATION,
    }
)
"""Hints by operator."""
