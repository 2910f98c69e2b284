"""What GRU and LSTM share: dot products to int16, gate tables, and the walk over time.

Source: esp-dl 12c0616 dl_module_gru.hpp, dl_module_lstm.hpp, dl_base_dotprod.cpp, dl_math.hpp.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Execution, Operand, Operator
from espdl_hil.ir.types import Array, Ints
from espdl_hil.numerics import round_float, saturate, saturating_sums, scale_of, shift_round
from espdl_hil.ops._plain import required
from espdl_hil.ops._table import Float32s
from espdl_hil.ops.sigmoid import logistic
from espdl_hil.targets import Target

_SIGMOID_BOUND = np.float32(6.3)
_TANH_BOUND = np.float32(3.5)
_FINEST_GATE = -15
_LARGEST_SHIFT = 31  # upstream forms 1 << shift in 32 bits

GATE_SUMS = "gate_sums"
"""Where ``Execution.memo`` may hold a ``GateSums`` that wants to see the sums of a layer."""


@dataclass(slots=True)
class GateSums:
    """What the runs of one layer have shown of its scalar accumulator.

    Attributes:
        reached: the largest magnitude of a partial sum in the worst order of additions.
        left: how many sums left the accumulator.
        missing_bits: how many bits it lacked for them.
    """

    reached: int = 0
    left: int = 0
    missing_bits: int = 0

    def see(self, products: Ints, terms: Ints, left: npt.NDArray[np.bool_], bits: int) -> None:
        """Note the sums of one product of matrix and vector, ``terms`` as the kernel adds them."""
        high = int(np.maximum(products, 0).sum(axis=1).max(initial=0))
        low = int(np.minimum(products, 0).sum(axis=1).min(initial=0))
        self.reached = max(self.reached, high, -low)
        self.left += int(left.sum())
        if left.any():
            partial = np.cumsum(terms[left], axis=1)
            largest = max(int(partial.max()), -int(partial.min()) - 1)
            self.missing_bits = max(self.missing_bits, largest.bit_length() - (bits - 1))


def gates_in_accumulator(length: int, bits: int, target: Target) -> bool:
    """Whether a vector kernel sums dot products of ``length``: in the scalar accumulator."""
    return target.vector and length % target.mac[bits].filter_block == 0


@dataclass(frozen=True, slots=True)
class GateTables:
    """The board's tables of sigmoid and tanh at a gate exponent, flat beyond their bounds."""

    sigmoid: Float32s
    tanh: Float32s

    @classmethod
    def at(cls, exponent: int) -> GateTables:
        """Tables of float32 entries at ``i * 2**exponent``."""
        scale = scale_of(exponent)
        sigmoid = np.arange(int(_SIGMOID_BOUND / scale) + 2).astype(np.float32) * scale
        tanh = np.arange(int(_TANH_BOUND / scale) + 2).astype(np.float32) * scale
        return cls(
            logistic(sigmoid), np.float32(2) * logistic(np.float32(2) * tanh) - np.float32(1)
        )

    def sigmoid_of(self, index: npt.NDArray[Any]) -> Float32s:
        """Sigmoid at integer indices."""
        entry = _nearest_entry(self.sigmoid, index)
        return np.where(index >= 0, entry, np.float32(1) - entry)

    def tanh_of(self, index: npt.NDArray[Any]) -> Float32s:
        """Tanh at integer indices."""
        entry = _nearest_entry(self.tanh, index)
        return np.where(index >= 0, entry, -entry)


def _nearest_entry(table: Float32s, index: npt.NDArray[Any]) -> Float32s:
    """The entry at the magnitude of each index, the last one beyond the end."""
    # Wide first: in int16 the magnitude of the most negative index would be negative again.
    entry: Float32s = table[np.minimum(np.abs(index.astype(np.int64)), len(table) - 1)]
    return entry


def dot_products(matrix: Ints, vector: Ints, shift: int, at: Execution) -> npt.NDArray[np.int16]:
    """Rows of ``matrix`` times ``vector``, shifted right and saturated to int16.

    A vector kernel computes exactly, in the scalar accumulator; where the length does not fill
    its registers, and without a vector unit, the sum is converted to float32 first.
    """
    bits = 8 * matrix.dtype.itemsize
    products = matrix.astype(np.int64) * vector.astype(np.int64)
    sums = products.sum(axis=1)
    if shift >= 0 and gates_in_accumulator(len(vector), bits, at.target):
        if shift > _LARGEST_SHIFT:
            raise ModelError(f"a gate shift by {shift} bits: the kernel shifts by up to 31")
        tail, block = at.target.mac[bits].tail, at.target.mac[bits].filter_block
        start = np.zeros(len(matrix), dtype=np.int64)
        terms = products.reshape(len(matrix), -1, block).sum(axis=2)
        left, values = saturating_sums(start, terms, tail.bits)
        sums[left] = values
        watcher = at.memo.get(GATE_SUMS)
        if isinstance(watcher, GateSums):
            watcher.see(products, terms, left, tail.bits)
        return saturate(shift_round(sums, shift, at.target.rounding), np.int16).astype(np.int16)
    scaled = sums.astype(np.float32) * scale_of(-shift)
    return saturate(round_float(scaled, at.target.rounding), np.int16).astype(np.int16)


@dataclass(frozen=True, slots=True)
class Recurrent(Operator):
    """A recurrent layer for one sample; no state survives a run.

    Attributes:
        hidden_size: elements of the hidden state.
        direction: ``"forward"`` or ``"bidirectional"``.
        layout: 0 for time first, 1 for batch first; the same bytes for one sample.
        gate_exponent: exponent of the int16 gates and of the bias.
        linear_before_reset: GRU only: the board computes 1.
    """

    hidden_size: int
    direction: str
    layout: int
    gate_exponent: int
    linear_before_reset: int = field(default=1, kw_only=True)

    @staticmethod
    def common(attributes: Attributes) -> tuple[int, str, int, int]:
        """Parse what both layers have."""
        direction = attributes.text("direction", "forward")
        if direction not in ("forward", "bidirectional"):
            raise attributes.unsupported("direction", direction, "forward or bidirectional")
        gate_exponent = attributes.integer("gate_exponent", -8)
        if not _FINEST_GATE <= gate_exponent <= 0:
            allowed = f"{_FINEST_GATE} to 0: gates are int16"
            raise attributes.unsupported("gate_exponent", gate_exponent, allowed)
        return (
            attributes.integer("hidden_size"),
            direction,
            attributes.integer("layout", 0),
            gate_exponent,
        )

    def to_attributes(self) -> Mapping[str, Attribute]:
        """What both layers have."""
        return {
            "direction": Attribute.of(self.direction),
            "gate_exponent": Attribute.of(self.gate_exponent),
            "hidden_size": Attribute.of(self.hidden_size),
            "layout": Attribute.of(self.layout),
        }

    @abstractmethod
    def step(self, gates: Gates, state: dict[str, Ints], outputs: Sequence[ValueInfo]) -> None:
        """Bring ``state`` ("h", and "c" if any) from one time step to the next."""

    @abstractmethod
    def step_real(self, sums: RealSums, state: dict[str, Float32s]) -> None:
        """The same in float32, where the whole layer is float."""

    @property
    def _directions(self) -> int:
        return 2 if self.direction == "bidirectional" else 1

    def _times(self, x: Operand, w: Operand, r: Operand, gate_count: int) -> Array:
        """The input of each time step; ``ModelError`` where the shapes do not fit."""
        hidden, size = self.hidden_size, x.array.shape[-1]
        batch = x.array.shape[0 if self.layout else 1] if x.array.ndim == 3 else 0
        if batch != 1:
            raise ModelError(f"x is {list(x.array.shape)}: the board takes one sample")
        rows = (self._directions, gate_count * hidden)
        if w.array.shape != (*rows, size) or r.array.shape != (*rows, hidden):
            raise ModelError(f"W {list(w.array.shape)} and R {list(r.array.shape)} do not fit")
        return x.array.reshape(-1, size)

    def _walk_real(
        self, inputs: Sequence[Operand | None], gate_count: int, states: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """All time steps of all directions in float32.

        Source: esp-dl 12c0616 dl_module_gru.hpp, dl_module_lstm.hpp ``forward_float``.
        """
        x, w, r = (required(inputs, index) for index in range(3))
        hidden, rows = self.hidden_size, gate_count * self.hidden_size
        times = self._times(x, w, r, gate_count)
        y = np.zeros((len(times), self._directions, 1, hidden), dtype=np.float32)
        last: dict[str, list[Float32s]] = {name: [] for name in states}
        for direction in range(self._directions):
            both = _real(inputs, 3, direction, 2 * rows)
            state = {
                name: _real(inputs, index, direction, hidden) for name, index in states.items()
            }
            for time in range(len(times))[:: -1 if direction else 1]:
                self.step_real(
                    RealSums(
                        _real_products(w.array[direction], times[time]) + both[:rows],
                        _real_products(r.array[direction], state["h"]),
                        both[rows:],
                        hidden,
                    ),
                    state,
                )
                y[time, direction, 0] = state["h"]
            for name in states:
                last[name].append(state[name])
        return (y, *(np.stack(last[name])[:, None] for name in states))

    def walk(
        self,
        inputs: Sequence[Operand | None],
        outputs: Sequence[ValueInfo],
        at: Execution,
        gate_count: int,
        states: Mapping[str, int],
    ) -> tuple[Array, ...]:
        """All time steps of all directions.

        Args:
            inputs: X, W, R, B, lengths (not read by the board), then initial states.
            outputs: Y, then the last states.
            at: target.
            gate_count: gates per hidden element.
            states: input index of each state's initial value, by name.
        """
        x, w, r = (required(inputs, index) for index in range(3))
        kind = x.array.dtype
        if kind == np.float32:
            return self._walk_real(inputs, gate_count, states)
        if kind not in (np.int8, np.int16) or not kind == w.array.dtype == r.array.dtype:
            raise ModelError(
                f"x {kind}, W {w.array.dtype}, R {r.array.dtype}: expected one of int8, int16"
            )
        directions, hidden = self._directions, self.hidden_size
        times = self._times(x, w, r, gate_count)
        y = np.zeros((len(times), directions, 1, hidden), dtype=kind)
        last = {name: [] for name in states}  # type: dict[str, list[Ints]]
        tables = GateTables.at(self.gate_exponent)
        shifts = (
            self.gate_exponent - x.exponent - w.exponent,
            self.gate_exponent - outputs[1].exponent - r.exponent,
        )
        for direction in range(directions):
            bias = _bias(inputs, direction, gate_count * hidden)
            state = {
                name: _initial(inputs, index, direction, hidden, kind if name == "h" else np.int16)
                for name, index in states.items()
            }
            for time in range(len(times))[:: -1 if direction else 1]:
                from_input = dot_products(w.array[direction], times[time], shifts[0], at)
                from_state = dot_products(r.array[direction], state["h"], shifts[1], at)
                gates = Gates(from_input, from_state, bias, tables, hidden, at)
                self.step(gates, state, outputs)
                y[time, direction, 0] = state["h"]
            for name in states:
                last[name].append(state[name])
        return (y, *(np.stack(last[name])[:, None] for name in states))


@dataclass(frozen=True, slots=True)
class RealSums:
    """The gates of one time step of a float layer, before their functions.

    Attributes:
        from_input: ``W @ x`` and its bias.
        from_state: ``R @ h`` without its bias.
        state_bias: the bias of R.
        hidden: elements per gate.
    """

    from_input: Float32s
    from_state: Float32s
    state_bias: Float32s
    hidden: int


def _real_products(matrix: Array, vector: Array) -> Float32s:
    """Rows times vector, added one after the other in float32."""
    products = matrix.astype(np.float32) * vector.astype(np.float32)
    sums: Float32s = np.add.accumulate(products, axis=1)[:, -1]
    return sums


def _real(inputs: Sequence[Operand | None], index: int, direction: int, length: int) -> Float32s:
    """A float bias or initial state of one direction; zeros where the node omits it."""
    operand = inputs[index] if index < len(inputs) else None
    if operand is None:
        return np.zeros(length, dtype=np.float32)
    if operand.array.dtype != np.float32:
        raise ModelError(f"input {index} of a float layer is {operand.array.dtype}")
    given: Float32s = operand.array.reshape(-1, length)[direction].astype(np.float32)
    return given


@dataclass(frozen=True, slots=True)
class Gates:
    """The gates of one time step before their functions.

    Attributes:
        from_input: ``W @ x``, int16.
        from_state: ``R @ h``, int16.
        bias: of W, then of R; int16.
        tables: sigmoid and tanh.
        hidden: elements per gate.
        at: target.
    """

    from_input: npt.NDArray[np.int16]
    from_state: npt.NDArray[np.int16]
    bias: tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]
    tables: GateTables
    hidden: int
    at: Execution

    def rounded(self, x: Float32s) -> npt.NDArray[np.int64]:
        """Floats as integers, with the target's rounding."""
        return round_float(x, self.at.target.rounding).astype(np.int64)


def _bias(
    inputs: Sequence[Operand | None], direction: int, length: int
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    operand = inputs[3] if len(inputs) > 3 else None
    if operand is None:
        nothing = np.zeros(length, dtype=np.int16)
        return nothing, nothing
    if operand.array.dtype != np.int16 or operand.array.shape[-1] != 2 * length:
        raise ModelError(f"the bias is {operand.array.dtype} {list(operand.array.shape)}")
    both = operand.array[direction].astype(np.int16)
    return both[:length], both[length:]


def _initial(
    inputs: Sequence[Operand | None], index: int, direction: int, hidden: int, kind: npt.DTypeLike
) -> Ints:
    operand = inputs[index] if index < len(inputs) else None
    if operand is None:
        return np.zeros(hidden, dtype=kind)
    if operand.array.dtype != np.dtype(kind):
        raise ModelError(f"initial state {index} is {operand.array.dtype}, not {np.dtype(kind)}")
    given: Ints = operand.array.reshape(-1, hidden)[direction].astype(kind)
    return given
