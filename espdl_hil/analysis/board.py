"""What stands between a file and one board, from what the board says of itself.

The law of this file: it trusts the board's words and warns of nothing that they leave open; a
finding here is certain, so that nothing is uploaded in vain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from espdl_hil.analysis.findings import Finding, Severity
from espdl_hil.analysis.memory import estimate_memory, size_text
from espdl_hil.ir.lowered import LoweredModel
from espdl_hil.ops._releases import FIRST_RELEASE, Version
from espdl_hil.runs import BoardIdentity, Engine

_ARENA, _STORE = "arena", "store"
_HEAPS = ("internal", "psram")
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


def board_findings(
    model: LoweredModel, size_bytes: int, identity: BoardIdentity, engine: Engine | None = None
) -> tuple[Finding, ...]:
    """Why the board that answered cannot run a file; empty where nothing is known against it.

    Args:
        model: as read.
        size_bytes: of the file that would be uploaded.
        identity: what the board said when it was greeted.
        engine: which engine shall compute; ``None`` for the board's default.
    """
    chosen = identity.engines[0] if engine is None else engine
    if chosen not in identity.engines:
        built_in = ", ".join(one.value for one in identity.engines)
        return (
            Finding(
                Severity.ERROR,
                f"the board's firmware has no engine {chosen.value!r}",
                hint=f"it has {built_in}: leave --engine out, or flash another firmware",
            ),
        )
    found = [*_memory(model, size_bytes, identity)]
    if chosen is Engine.ESPDL:
        found += _operators(model, identity.version_of(chosen))
    return tuple(found)


def _memory(model: LoweredModel, size_bytes: int, identity: BoardIdentity) -> Iterator[Finding]:
    regions = {region.name: region for region in identity.memory}
    store = regions.get(_STORE)
    if store is not None and size_bytes > store.total_bytes:
        yield Finding(
            Severity.ERROR,
            f"the file has {size_text(size_bytes)}, the board's model store "
            f"{size_text(store.total_bytes)}",
            hint="use a board with more flash, or a larger model partition",
        )
    free = [regions[name].free_bytes for name in _HEAPS if name in regions]
    arena = regions[_ARENA].total_bytes if _ARENA in regions else 0
    available = max(arena, sum(free))
    needs = estimate_memory(model)
    if available and needs.activations > available:
        yield Finding(
            Severity.ERROR,
            f"activations need at least {size_text(needs.activations)} at node "
            f"{needs.peak_node!r}, the board has {size_text(available)}",
            hint="use a board with PSRAM, smaller inputs, or fewer channels in the first layers",
        )


def _operators(model: LoweredModel, version: str) -> Iterator[Finding]:
    running = _parsed(version)
    if running is None:
        return
    told: set[str] = set()
    for node in model.nodes:
        first = FIRST_RELEASE.get(node.op_type)
        if first is not None and first > running and node.op_type not in told:
            told.add(node.op_type)
            yield Finding(
                Severity.ERROR,
                f"came with ESP-DL {'.'.join(map(str, first))}, the board's firmware has {version}",
                node.name,
                node.op_type,
                "build the runner with a newer ESP-DL, or run it with --engine reference",
            )


def _parsed(version: str) -> Version | None:
    match = _VERSION.search(version)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3] or 0))
