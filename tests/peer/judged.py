"""What a judged difference is, how it is matched, and what is left over on either side.

The law of this file: an entry explains what it names and nothing beside it; one that explains
nothing, anywhere that it names, is itself a finding.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from tests.peer.agreement import Met
from tests.peer.exports import BITS, TARGETS

EVERY_TARGET = tuple(TARGETS)


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted difference.

    Attributes:
        operators: our node's type, space-separated where the same is true of several.
        field: as ``Difference.field``.
        ours: what our file says; ``*`` stands for anything.
        peer: what the peer's says; ``*`` stands for anything.
        cases: the cases it may be met in, space-separated; empty for every one.
        targets: as the peer calls them.
        bits: the widths.
        steps: by how much elements may differ at most.
        share: by which part of their value they may differ at most.
    """

    operators: str
    field: str
    ours: str
    peer: str
    cases: str = ""
    targets: tuple[str, ...] = EVERY_TARGET
    bits: tuple[int, ...] = BITS
    steps: float | None = None
    share: float | None = None

    def explains(self, met: Met) -> bool:
        """Whether ``met`` is what this entry names."""
        found = met.difference
        return (
            found.operator in self.operators.split()
            and found.field == self.field
            and met.target in self.targets
            and met.bits in self.bits
            and (not self.cases or met.case in self.cases.split())
            and _fits(self.ours, found.ours)
            and _fits(self.peer, found.peer)
            and (self.steps is None or 0 < found.apart <= self.steps)
            and (self.share is None or 0 < found.share <= self.share)
        )

    def unmet(self, explained: Sequence[Met], ran: Collection[str]) -> list[str]:
        """Where this entry says that it is met, and is not; ``ran`` are the cases that were."""
        rest = []
        cases = [case for case in self.cases.split() if case in ran]
        if self.cases and not cases:
            return []
        for label, wanted, found in (
            ("operator", self.operators.split(), {met.difference.operator for met in explained}),
            ("case", cases, {met.case for met in explained}),
            ("target", self.targets, {met.target for met in explained}),
            ("width", self.bits, {met.bits for met in explained}),
        ):
            rest += [f"{label} {item}" for item in wanted if item not in found]
        return rest

    def __str__(self) -> str:
        where = f" in {self.cases}" if self.cases else ""
        return f"{self.operators}: {self.field}: ours {self.ours}, peer {self.peer}{where}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Differences with one reason.

    Attributes:
        title: in a few words.
        reason: why ours stays as it is.
        source: where that can be seen.
        entries: the differences.
    """

    title: str
    reason: str
    source: str
    entries: tuple[Entry, ...]


def _fits(pattern: str, text: str) -> bool:
    parts = (re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(".*".join(parts), text, re.DOTALL) is not None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is left of a comparison.

    Attributes:
        judged: how many differences entries explain.
        unjudged: the others.
        stale: entries that are not met where they say so.
    """

    judged: int
    unjudged: list[Met]
    stale: list[str]


def verdict(met: Iterable[Met], judgements: Iterable[Judgement], ran: Collection[str]) -> Verdict:
    """Each difference against every entry, and the other way round."""
    entries = [entry for judgement in judgements for entry in judgement.entries]
    explained: list[list[Met]] = [[] for _ in entries]
    unjudged = []
    judged = 0
    for item in met:
        hits = [index for index, entry in enumerate(entries) if entry.explains(item)]
        for index in hits:
            explained[index].append(item)
        judged += bool(hits)
        if not hits:
            unjudged.append(item)
    stale = [
        f"{entry}: not met for {', '.join(rest)}"
        for entry, found in zip(entries, explained, strict=True)
        if (rest := entry.unmet(found, ran))
    ]
    return Verdict(judged, unjudged, stale)
