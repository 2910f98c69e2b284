"""Two lowered models side by side, node by node.

The law of this file: names that lowering makes up do not count, everything else does, and nothing
is passed over: every node and every parameter of either file is held against its twin or stands in
a difference. Nodes are twins when they give a value of the same name; what either exporter inserted
in between is compared along the way, or spelled out where the two ways are not the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo

ABSENT = "absent"
_SPELLED = 8
"""Constants of up to so many elements are spelled out where two ways differ."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two files say differently.

    Attributes:
        operator: of our node at which it was met; ``graph`` for what belongs to no node.
        field: what it is about: ``operator``, ``attribute perm``, ``input 1 bytes`` …
        ours: what our file says.
        peer: what the other one says.
        place: the value whose node it was met at.
        apart: how far elements are from each other at most; 0 where none are compared.
        share: the same as a part of their value.
    """

    operator: str
    field: str
    ours: str
    peer: str
    place: str
    apart: float = 0.0
    share: float = 0.0

    def __str__(self) -> str:
        return f"{self.operator} {self.place}: {self.field}: ours {self.ours}, peer {self.peer}"


def differences(ours: LoweredModel, peer: LoweredModel) -> list[Difference]:
    """All that differs, in the order met."""
    return list(_Comparison(_Side(ours), _Side(peer)).run())


@dataclass(slots=True)
class _Side:
    """One file, and what of it was compared already."""

    model: LoweredModel
    makers: dict[str, LoweredNode] = field(init=False)
    nodes: set[str] = field(default_factory=set)
    parameters: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.makers = {out: node for node in self.model.nodes for out in node.outputs if out}

    def known(self, name: str) -> bool:
        """Whether ``name`` is a graph input or some node's result."""
        return name in self.makers or name in self.model.inputs

    def tensor(self, name: str) -> Tensor:
        """The parameter ``name``, which counts as compared from now on."""
        self.parameters.add(name)
        return self.model.parameters[name]


@dataclass(slots=True)
class _Comparison:
    ours: _Side
    peer: _Side
    seen: set[tuple[str, str]] = field(default_factory=set)

    def run(self) -> Iterator[Difference]:
        yield from self._graph()
        for name in self.ours.model.values:
            if self._anchor(name):
                yield from self._value(name, name)
        yield from self._left_over()

    def _anchor(self, name: str) -> bool:
        """Whether both files know the value ``name``."""
        return self.ours.known(name) and self.peer.known(name)

    def _graph(self) -> Iterator[Difference]:
        a, b = self.ours.model, self.peer.model
        for kind in ("name", "ir_version", "model_version", "opset_imports"):
            yield from _unequal("graph", kind, getattr(a, kind), getattr(b, kind), "")
        for kind in ("inputs", "outputs"):  # in the peer's files their order is that of a set
            yield from _unequal("graph", kind, *(sorted(getattr(m, kind)) for m in (a, b)), "")
        for key in sorted({*a.metadata, *b.metadata}):
            values = [model.metadata.get(key, ABSENT) for model in (a, b)]
            label, _, place = key.partition(".")
            yield from _unequal("graph", f"metadata {label}", *values, place)
        theirs = {tensor.name: tensor for tensor in b.test_inputs}
        for tensor in a.test_inputs:
            yield from _tensor("graph", "test input ", tensor, theirs.get(tensor.name), tensor.name)
        given = [
            sorted(name for name in side.model.values if not side.known(name))
            for side in (self.ours, self.peer)
        ]
        yield from _unequal("graph", "values that nothing gives", *given, "")

    def _value(self, mine: str, theirs: str) -> Iterator[Difference]:
        """What the files say of one value, and the nodes that give it."""
        if (mine, theirs) in self.seen:
            return
        self.seen.add((mine, theirs))
        first, second = self.ours.makers.get(mine), self.peer.makers.get(theirs)
        operator = "graph" if first is None else first.op_type
        infos = self.ours.model.values.get(mine), self.peer.model.values.get(theirs)
        yield from _info(operator, infos[0], infos[1], mine)
        if first is None or second is None:
            if first is not None or second is not None:
                yield from self._ways(operator, "operator", mine, theirs, mine)
            return
        if first.op_type != second.op_type:
            yield from self._ways(operator, "operator", mine, theirs, mine)
            return
        yield from self._nodes(first, second, mine)

    def _nodes(self, first: LoweredNode, second: LoweredNode, place: str) -> Iterator[Difference]:
        if first.name in self.ours.nodes and second.name in self.peer.nodes:
            return
        self.ours.nodes.add(first.name)
        self.peer.nodes.add(second.name)
        operator = first.op_type
        for name in sorted({*first.attributes, *second.attributes}):
            pair = first.attributes.get(name), second.attributes.get(name)
            yield from self._attribute(operator, name, pair[0], pair[1], place)
        for kind, names in (
            ("output", _padded(first.outputs, second.outputs)),
            ("input", _padded(first.inputs, second.inputs)),
        ):
            for index, (mine, theirs) in enumerate(zip(*names, strict=True)):
                label = f"{kind} {index}"
                if bool(mine) != bool(theirs):
                    yield from self._presence(operator, label, mine, theirs, place)
                elif mine and kind == "input":
                    yield from self._input(operator, label, mine, theirs, place)
                elif mine:
                    yield from self._value(mine, theirs)

    def _presence(
        self, operator: str, label: str, mine: str, theirs: str, place: str
    ) -> Iterator[Difference]:
        ours = self._spelled(self.ours, mine) if mine else ABSENT
        peer = self._spelled(self.peer, theirs) if theirs else ABSENT
        yield Difference(operator, label, ours, peer, place)

    def _input(
        self, operator: str, label: str, mine: str, theirs: str, place: str
    ) -> Iterator[Difference]:
        if mine in self.ours.model.parameters and theirs in self.peer.model.parameters:
            tensors = self.ours.tensor(mine), self.peer.tensor(theirs)
            yield from _tensor(operator, f"{label} ", *tensors, place)
            return
        if mine == theirs and self._anchor(mine):
            return  # compared where it is given
        first, second = self.ours.makers.get(mine), self.peer.makers.get(theirs)
        alike = first is not None and second is not None and first.op_type == second.op_type
        if alike and not self._anchor(mine) and not self._anchor(theirs):
            yield from self._value(mine, theirs)
            return
        yield from self._ways(operator, label, mine, theirs, place)

    def _ways(
        self, operator: str, label: str, mine: str, theirs: str, place: str
    ) -> Iterator[Difference]:
        """Two ways to a value that differ, spelled out; constants of one name are compared."""
        constants: list[dict[str, Tensor]] = [{}, {}]
        ours = self._spelled(self.ours, mine, constants[0], first=True)
        peer = self._spelled(self.peer, theirs, constants[1], first=True)
        yield Difference(operator, label, ours, peer, place)
        for name in sorted(constants[0].keys() & constants[1].keys()):
            yield from _tensor(operator, "constant ", constants[0][name], constants[1][name], place)

    def _spelled(
        self,
        side: _Side,
        name: str,
        constants: dict[str, Tensor] | None = None,
        *,
        first: bool = False,
    ) -> str:
        """How ``name`` comes from values that both files know, as text."""
        if not name:
            return "-"
        if name in side.model.parameters:
            tensor = side.tensor(name)
            if constants is not None:
                constants[name] = tensor
            return _constant(tensor)
        node = side.makers.get(name)
        if node is None or (self._anchor(name) and not first):
            return name
        side.nodes.add(node.name)
        given = ", ".join(self._spelled(side, value, constants) for value in node.inputs)
        attributes = "".join(
            f" {key}={self._plain(side, key, value)}"
            for key, value in sorted(node.attributes.items())
            if key != "quant_type"
        )
        info = side.model.values[name]
        shape = ",".join(map(str, info.shape or ()))
        return f"{node.op_type}{attributes} ({given})→{_kind(info)}[{shape}]"

    def _plain(self, side: _Side, key: str, attribute: Attribute) -> str:
        if key == "lut":
            return _constant(side.tensor(_text(attribute)))
        value = attribute.value
        return value.decode() if isinstance(value, bytes) else str(value)

    def _attribute(
        self, operator: str, name: str, mine: Attribute | None, theirs: Attribute | None, place: str
    ) -> Iterator[Difference]:
        if name == "lut":
            tables = [
                None if item is None else side.tensor(_text(item))
                for side, item in ((self.ours, mine), (self.peer, theirs))
            ]
            yield from _tensor(operator, "lut ", *tables, place)
            return
        values = [
            ABSENT if item is None else f"{item.kind.name} {self._plain(self.ours, '', item)}"
            for item in (mine, theirs)
        ]
        yield from _unequal(operator, f"attribute {name}", *values, place)

    def _left_over(self) -> Iterator[Difference]:
        """What no twin was found for."""
        for kind in ("nodes", "parameters"):
            rest: list[list[str]] = []
            for side in (self.ours, self.peer):
                done: set[str] = getattr(side, kind)
                names = [node.name for node in side.model.nodes]
                known = names if kind == "nodes" else list(side.model.parameters)
                rest.append([name for name in known if name not in done])
            yield from _unequal("graph", f"{kind} without a twin", rest[0], rest[1], "")
            if rest[0] and rest[0] == rest[1]:
                yield Difference("graph", f"{kind} not compared", str(rest[0]), str(rest[1]), "")


def _padded(
    mine: tuple[str, ...], theirs: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    length = max(len(mine), len(theirs))
    return (
        mine + ("",) * (length - len(mine)),
        theirs + ("",) * (length - len(theirs)),
    )


def _text(attribute: Attribute) -> str:
    value = attribute.value
    return value.decode() if isinstance(value, bytes) else str(value)


def _kind(item: Tensor | ValueInfo) -> str:
    exponents = "" if set(item.exponents) == {0} else f"e{','.join(map(str, item.exponents))}"
    return f"{item.dtype.name.lower()}{exponents}"


def _constant(tensor: Tensor) -> str:
    array = tensor.array()
    if array.size <= _SPELLED:
        return f"{_kind(tensor)}{array.tolist()}"
    return f"{_kind(tensor)}[{','.join(map(str, tensor.dims))}]"


def _info(
    operator: str, ours: ValueInfo | None, peer: ValueInfo | None, place: str
) -> Iterator[Difference]:
    if ours is None or peer is None:
        yield from _unequal(operator, "value", ours is not None, peer is not None, place)
        return
    yield from _unequal(operator, "value dtype", ours.dtype.name, peer.dtype.name, place)
    yield from _unequal(operator, "value exponents", ours.exponents, peer.exponents, place)
    yield from _unequal(operator, "value shape", ours.shape, peer.shape, place)


def _tensor(
    operator: str, label: str, ours: Tensor | None, peer: Tensor | None, place: str
) -> Iterator[Difference]:
    if ours is None or peer is None:
        texts = [ABSENT if tensor is None else _constant(tensor) for tensor in (ours, peer)]
        yield from _unequal(operator, label.strip(), *texts, place)
        return
    yield from _unequal(operator, f"{label}dtype", ours.dtype.name, peer.dtype.name, place)
    yield from _unequal(operator, f"{label}exponents", ours.exponents, peer.exponents, place)
    yield from _unequal(operator, f"{label}dims", ours.dims, peer.dims, place)
    yield from _unequal(operator, f"{label}layout", ours.doc, peer.doc, place)
    if ours.data != peer.data:
        yield _unlike(operator, f"{label}bytes", ours, peer, place)


def _unlike(operator: str, label: str, ours: Tensor, peer: Tensor, place: str) -> Difference:
    """The elements that differ, all of them where they are few."""
    if ours.dtype is not peer.dtype or len(ours.data) != len(peer.data):
        return Difference(operator, label, _constant(ours), _constant(peer), place)
    a, b = ours.array().ravel(), peer.array().ravel()
    places = [int(i) for i in (a != b).nonzero()[0]]
    texts = [
        str(array.tolist())
        if a.size <= _SPELLED
        else f"{len(places)} of {a.size}: " + ", ".join(f"[{i}] {array[i]}" for i in places[:3])
        for array in (a, b)
    ]
    pairs = [(float(a[i]), float(b[i])) for i in places]
    apart = max(abs(x - y) for x, y in pairs)
    share = max(abs(x - y) / max(abs(x), abs(y)) for x, y in pairs)
    return Difference(operator, label, texts[0], texts[1], place, apart, share)


def _unequal(
    operator: str, label: str, ours: object, peer: object, place: str
) -> Iterator[Difference]:
    if ours != peer:
        yield Difference(operator, label, str(ours), str(peer), place)
