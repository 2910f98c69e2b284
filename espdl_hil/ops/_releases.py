"""The release of ESP-DL that first ran each operator.

The law of this file: data alone. What is not named here has been there since 3.0.0, the first
release that loads ``.espdl`` files.

Source: esp-dl dl_module_creator.hpp at the tags v3.0.0 to v3.3.9 and at the commits between them
that raised the version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

Version = tuple[int, int, int]

_ADDED: Mapping[Version, str] = MappingProxyType(
    {
        (3, 1, 0): "Equal Gather Greater GreaterOrEqual Less LessOrEqual",
        (3, 1, 1): "Identity ReverseSequence",
        (3, 1, 5): "GRU ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean "
        "ReduceMin ReduceProd ReduceSum ReduceSumSquare Swish",
        (3, 2, 0): "LSTM Neg Pow",
        (3, 2, 1): "DepthToSpace ScatterND SpaceToDepth StreamingCache",
        (3, 2, 2): "InsertZeros LayerNormalization",
        (3, 2, 4): "LogSoftmax Mod",
        (3, 3, 6): "LpNormalization RMSNormalization",
    }
)


def _pairs() -> Iterator[tuple[str, Version]]:
    for version, names in _ADDED.items():
        for name in names.split():
            yield name, version


FIRST_RELEASE: Mapping[str, Version] = MappingProxyType(dict(_pairs()))
"""By operator, as ESP-DL names it; absent where every release has it."""
