"""Two lowered models side by side, from their outputs back to their inputs.

The law of this file: names of inner values, nodes and parameters do not count; everything else
that the file says of them does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two files say differently.

    Attributes:
        kind: what it is about: ``node``, ``attribute perm``, ``bytes``, ``dims`` …
        where: the operator and input it was met at.
        ours: what our file says.
        peer: what the other one says.
    """

    kind: str
    where: str
    ours: str
    peer: str

    def __str__(self) -> str:
        return f"{self.where}: {self.kind}: ours {self.ours}, peer {self.peer}"


def differences(ours: LoweredModel, peer: LoweredModel) -> list[Difference]:
    """All that differs, in the order met."""
    return list(_Comparison(ours, peer).run())


@dataclass(slots=True)
class _Comparison:
    ours: LoweredModel
    peer: LoweredModel
    seen: set[tuple[str, str]] = field(default_factory=set)

    def run(self) -> Iterator[Difference]:
        for kind in ("inputs", "outputs"):
            mine, theirs = getattr(self.ours, kind), getattr(self.peer, kind)
            yield from _unequal(kind, "graph", sorted(mine), sorted(theirs))
        for name in self.ours.outputs:
            yield from self._value(name, name, f"output {name}")
        theirs = {tensor.name: tensor for tensor in self.peer.test_inputs}
        for tensor in self.ours.test_inputs:
            if tensor.name in theirs:
                yield from _tensor(f"test input {tensor.name}", tensor, theirs[tensor.name])

    def _value(self, mine: str, theirs: str, where: str) -> Iterator[Difference]:
        if not mine or not theirs:
            yield from _unequal("presence", where, bool(mine), bool(theirs))
            return
        if (mine, theirs) in self.seen:
            return
        self.seen.add((mine, theirs))
        if mine in self.ours.parameters and theirs in self.peer.parameters:
            yield from _tensor(where, self.ours.parameters[mine], self.peer.parameters[theirs])
            return
        if mine not in self.ours.values or theirs not in self.peer.values:
            constants = (mine in self.ours.parameters, theirs in self.peer.parameters)
            yield from _unequal("constant", where, *constants)
            return
        a, b = self.ours.values[mine], self.peer.values[theirs]
        yield from _unequal("dtype", where, a.dtype.name, b.dtype.name)
        yield from _unequal("exponents", where, a.exponents, b.exponents)
        yield from _unequal("shape", where, a.shape, b.shape)
        first, second = _maker(self.ours, mine), _maker(self.peer, theirs)
        if first is None or second is None:
            kinds = [node.op_type if node else "graph input" for node in (first, second)]
            yield from _unequal("node", where, *kinds)
            if first is None and second is None:
                yield from _unequal("graph input", where, mine, theirs)
            return
        yield from self._node(first, second, where)

    def _node(self, first: LoweredNode, second: LoweredNode, where: str) -> Iterator[Difference]:
        if first.op_type != second.op_type:
            yield Difference("node", where, _chain(self.ours, first), _chain(self.peer, second))
            return
        here = first.op_type
        for name in sorted({*first.attributes, *second.attributes}):
            yield from self._attribute(
                name, here, first.attributes.get(name), second.attributes.get(name)
            )
        inputs = [list(node.inputs) for node in (first, second)]
        length = max(map(len, inputs))
        for names in inputs:
            names += [""] * (length - len(names))
        for index, (mine, theirs) in enumerate(zip(*inputs, strict=True)):
            yield from self._value(mine, theirs, f"{here} input {index}")

    def _attribute(
        self, name: str, where: str, mine: Attribute | None, theirs: Attribute | None
    ) -> Iterator[Difference]:
        if name == "lut" and mine is not None and theirs is not None:
            tables = self.ours.parameters[_text(mine)], self.peer.parameters[_text(theirs)]
            yield from _tensor(f"{where} lut", *tables)
            return
        values = [None if item is None else (item.kind.name, item.value) for item in (mine, theirs)]
        yield from _unequal(f"attribute {name}", where, *values)


def _text(attribute: Attribute) -> str:
    value = attribute.value
    return value.decode() if isinstance(value, bytes) else str(value)


def _maker(model: LoweredModel, name: str) -> LoweredNode | None:
    return next((node for node in model.nodes if name in node.outputs), None)


def _chain(model: LoweredModel, node: LoweredNode | None) -> str:
    """The node and what stands in front of its first input, nearest first."""
    kinds = []
    while node is not None and len(kinds) < 5:
        kinds.append(node.op_type)
        node = _maker(model, node.inputs[0]) if node.inputs else None
    return " < ".join(kinds)


def _tensor(where: str, ours: Tensor, peer: Tensor) -> Iterator[Difference]:
    yield from _unequal("tensor dtype", where, ours.dtype.name, peer.dtype.name)
    yield from _unequal("tensor exponents", where, ours.exponents, peer.exponents)
    yield from _unequal("dims", where, ours.dims, peer.dims)
    yield from _unequal("layout", where, ours.doc, peer.doc)
    if ours.data != peer.data:
        yield Difference("bytes", where, _unlike(ours, peer), f"{len(peer.data)} bytes")


def _unlike(ours: Tensor, peer: Tensor) -> str:
    if ours.dtype is not peer.dtype or len(ours.data) != len(peer.data):
        return f"{len(ours.data)} bytes"
    a, b = ours.array().ravel(), peer.array().ravel()
    places = [int(i) for i in (a != b).nonzero()[0]]
    pairs = ", ".join(f"[{i}] {a[i]} for {b[i]}" for i in places[:3])
    return f"{len(places)} of {a.size} elements: {pairs}"


def _unequal(kind: str, where: str, ours: object, peer: object) -> Iterator[Difference]:
    if ours != peer:
        yield Difference(kind, where, str(ours), str(peer))
