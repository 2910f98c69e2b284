"""What every operator is: a frozen value with its behaviours as methods.

One file in ``espdl_hil/ops`` per operator fills this in. Graph-wide stages ask ``traits``; they
never compare ``op_type`` with a string.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import ClassVar

from espdl_hil.errors import ModelError, UnsupportedOperatorError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.freedom import EXACT, FLOAT_TOLERANCE, Rule, Undecided
from espdl_hil.ir.lowered import Tensor, ValueInfo
from espdl_hil.ir.types import Array, DType, Floats, QuantParams
from espdl_hil.targets import Target


class LayoutRule(Enum):
    """What an operator does with the stored axis order of its inputs (NHWC or ONNX order)."""

    CHANNELS_LAST = auto()
    """Demands NWC / NHWC and gives it (Conv, pools)."""
    PASSIVE = auto()
    """Works in any order; the output has the order of input 0."""
    BROADCAST = auto()
    """Elementwise on two inputs, which must agree; constants are permuted with them."""
    AXIS = auto()
    """Works in any order once its axis attribute is mapped to the stored order."""
    JOIN = auto()
    """Several inputs that must agree, and an axis (Concat)."""
    ONNX = auto()
    """Demands the ONNX order and gives it (Reshape, MatMul, Gemm, Transpose …)."""


class ExponentRule(Enum):
    """Where the output's exponent comes from."""

    CALIBRATED = auto()
    """Its own range."""
    PASSIVE = auto()
    """Same integers: the output has the exponent of input 0."""
    ALIGNED = auto()
    """Raw integer arithmetic: every input is requantized to the output's exponent."""
    COMPARED = auto()
    """Raw integers are compared: the inputs are requantized to one exponent; the output is BOOL."""
    FLOAT = auto()
    """The output is float32 on the board."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What the graph-wide stages need to know of an operator.

    Attributes:
        layout: treatment of the stored axis order.
        exponents: origin of the output's exponent.
        multiplies: has weights (input 1) and perhaps a bias (input 2): BatchNorm, bias additions
            and Relu fold into it.
        products: its output is a shifted product of inputs 0 and 1 (Mul, PRelu; every
            ``multiplies`` operator is one anyway): its exponent may not be below the sum of
            theirs, and a constant input has its own.
        channelwise: its weights and bias may have one exponent per output channel, on targets with
            ``per_channel_weights``.
        rectifies: is Relu: folds into a preceding ``multiplies`` operator.
        bounds: cuts its input at bounds (Relu, Clip): what computes its input needs no more range
            than its output, and shares its exponent.
        flat: reads its input only in memory order (Reshape, Flatten): a permutation that moves
            nothing but axes of size 1 need not be undone for it.
        tabulates: one input, one output, elementwise: becomes a 256-entry table in int8.
        index_inputs: inputs that carry shapes, axes or bounds: constant, never quantized.
        float_inputs: constants that stay float32 on the board.
        fixed_inputs: ``(index, quantization)`` of inputs that the board takes in one form only.
        fixed_outputs: ``(index, quantization)`` of outputs that it gives in one form only.
        tied_inputs: inputs that have the exponent of output 0 (initial states); the other outputs
            that are not fixed share it too.
        attribute_inputs: ``(name, index)`` of attributes in older opsets that are inputs today.
        undecided: paths whose last bit ESP-DL's source leaves to the chip's compiler.
        latches: inputs that the runtime reads in its first run only, where they are one int8.
    """

    layout: LayoutRule
    exponents: ExponentRule
    multiplies: bool = False
    products: bool = False
    channelwise: bool = False
    rectifies: bool = False
    bounds: bool = False
    flat: bool = False
    tabulates: bool = False
    index_inputs: tuple[int, ...] = ()
    float_inputs: tuple[int, ...] = ()
    fixed_inputs: tuple[tuple[int, QuantParams], ...] = ()
    fixed_outputs: tuple[tuple[int, QuantParams], ...] = ()
    tied_inputs: tuple[int, ...] = ()
    attribute_inputs: tuple[tuple[str, int], ...] = ()
    undecided: tuple[Undecided, ...] = ()
    latches: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Operand:
    """One input of a node at execution.

    Attributes:
        array: stored layout. Activations: the shape the board sees. Packed parameters: the file's
            dims, which do not order the elements (see ``espdl_hil.ir.layouts``).
        exponents: one, or one per output channel.
        tensor: the parameter as stored, where the input is one.
    """

    array: Array
    exponents: tuple[int, ...]
    tensor: Tensor | None = None

    @property
    def exponent(self) -> int:
        """The exponent of a per-tensor operand."""
        if len(self.exponents) != 1:
            raise ModelError(f"expected one exponent, found {len(self.exponents)}")
        return self.exponents[0]


@dataclass(slots=True)
class Execution:
    """Where a node runs: target, tables, and a memory that lives as long as the simulator.

    Attributes:
        target: whose integers to compute.
        tables: parameters that attributes refer to (``lut``), by name.
        memo: scratch of this node for work to do once (unpacked filters); empty at first.
        state: what persists between runs until ``reset`` (StreamingCache).
    """

    target: Target
    tables: Mapping[str, Tensor]
    memo: dict[str, object]
    state: dict[str, Array]


@dataclass(frozen=True, slots=True)
class Site:
    """One value at a node, as the lowering sees it.

    Attributes:
        name: value name.
        shape: ONNX axis order.
        perm: stored axis ``i`` is ONNX axis ``perm[i]``; identity where not permuted.
        quant: what the *node* wants; ``None`` where the value is float or an index.
        constant: float (or integer index) elements in ONNX order, for constants.
    """

    name: str
    shape: tuple[int, ...]
    perm: tuple[int, ...]
    quant: QuantParams | None
    constant: Array | None = None


@dataclass(frozen=True, slots=True)
class LoweringSite:
    """Everything an operator may know when it is lowered; it never sees the graph."""

    node: str
    target: Target
    bits: int
    inputs: tuple[Site | None, ...]
    outputs: tuple[Site, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """A node that the lowering puts before an operator: it moves elements and changes none.

    Attributes:
        op: what moves them, in stored axes.
        shape: of the result.
        sources: which values it reads: 0 is the operator's input, ``n`` the n-th move's result.
        parameters: constant inputs behind those, raw.
    """

    op: Operator
    shape: tuple[int, ...]
    sources: tuple[int, ...]
    parameters: tuple[Tensor, ...] = ()


@dataclass(frozen=True, slots=True)
class LoweredOperator:
    """What one operator becomes.

    Attributes:
        op_type: as ESP-DL registers it.
        attributes: without ``quant_type``, which the stage adds.
        parameters: replacement of constant inputs by index, packed and quantized; ``None`` omits
            the input.
        tables: further parameters that attributes refer to by name.
        moves: what happens to an activation, by input index, before this operator reads the
            last result.
    """

    op_type: str
    attributes: Mapping[str, Attribute]
    parameters: Mapping[int, Tensor | None]
    tables: tuple[Tensor, ...] = ()
    moves: Mapping[int, tuple[Move, ...]] = field(default_factory=dict)


Declared = ValueInfo | Tensor
"""What a file says of a node's input: an activation, or a parameter."""


@dataclass(frozen=True, slots=True)
class Operator(ABC):
    """An operator value: attributes parsed once, behaviours as methods."""

    op_type: ClassVar[str]
    traits: ClassVar[Traits]

    @classmethod
    @abstractmethod
    def from_attributes(cls, attributes: Attributes) -> Operator:
        """Parse ONNX or ``.espdl`` attributes (they share their spelling).

        Raises:
            ModelError: an attribute is missing, of the wrong kind, or unsupported.
        """

    @abstractmethod
    def to_attributes(self) -> Mapping[str, Attribute]:
        """The attributes in ONNX spelling, complete: defaults are written out."""

    @abstractmethod
    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Compute the outputs with the target's integers, in the stored layout.

        Args:
            inputs: in node order; ``None`` for an omitted one.
            outputs: dtype and exponent that the file declares; shapes may be missing.
            at: target, tables and memory.

        The simulator calls this with floating point errors ignored: infinities and NaN are values
        like others, as on the board.
        """

    def evaluate(self, x: Floats) -> Floats:
        """The real function of a ``tabulates`` operator, in float32 as tables are made."""
        raise NotImplementedError(f"{self.op_type} is not a function of one value")

    def weight_axis(self) -> int:
        """The ONNX axis of a ``multiplies`` operator's weights (input 1) that counts outputs."""
        raise NotImplementedError(f"{self.op_type} has no weights")

    def rectified(self) -> Operator:
        """This ``multiplies`` operator with a Relu after it."""
        raise NotImplementedError(f"{self.op_type} takes no activation")

    def permuted(self, perm: tuple[int, ...]) -> Operator:
        """This operator with its axis moved from ONNX order to stored order."""
        return self

    def check(self, site: LoweringSite) -> None:  # noqa: B027 -- most operators refuse nothing
        """Refuse, with a reason and a hint, what the target's kernels compute wrongly or not.

        Raises:
            ModelError: the finding; the caller collects those of all nodes.
        """

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """What this operator becomes in the file of ``site.target``.

        Constant inputs that ``parameters`` does not replace are stored by the caller: quantized
        where ``site`` has a quantization, permuted as the activations beside them.

        Raises:
            UnsupportedOperatorError: the operator runs from a file, but is not quantized yet.
        """
        raise UnsupportedOperatorError(self.op_type, node=site.node, hint="it cannot be quantized")

    def unchanged(self) -> LoweredOperator:
        """For ``lower``: this operator with all its attributes; the caller stores constants."""
        return LoweredOperator(self.op_type, self.to_attributes(), {})

    def settled(self, inputs: Sequence[Declared | None], outputs: Sequence[ValueInfo]) -> bool:
        """Whether this node's own numbers leave nothing open that ``traits.undecided`` declares.

        So it is where a table is looked up, or where every factor is a power of two.
        """
        return False

    def _settled(self, inputs: Sequence[Declared | None], outputs: Sequence[ValueInfo]) -> bool:
        try:
            return self.settled(inputs, outputs)
        except ModelError:  # a file without shapes: then nothing is known to be settled
            return False

    def rules(
        self,
        inputs: Sequence[Declared | None],
        outputs: Sequence[ValueInfo],
        target: Target,
        *,
        integers: bool,
    ) -> tuple[Rule, ...]:
        """How far each output on a board may lie from ``simulate`` on the same inputs.

        Args:
            inputs: what the file says of them; ``None`` for an omitted one.
            outputs: what the file says of them.
            target: whose toolchain compiled ESP-DL.
            integers: whether that toolchain and its options made the engine, so that integers are
                as open as the source leaves them; floats also depend on the C library of whatever
                runs it.
        """
        x = inputs[0] if inputs else None
        if x is None or not self.traits.undecided or self._settled(inputs, outputs):
            return (EXACT,) * len(outputs)
        taken = [item for item in self.traits.undecided if x.dtype in item.dtypes]
        open_here = [item for item in taken if item.taken(target)]
        rules = []
        for output in outputs:
            if output.dtype is DType.FLOAT and taken:
                item = (open_here or taken)[0]
                rules.append(Rule(0, FLOAT_TOLERANCE, item.why(target), item.source))
            elif open_here and integers:
                item = open_here[0]
                rules.append(Rule(item.steps, 0.0, item.why(target), item.source))
            else:
                rules.append(EXACT)
        return tuple(rules)

    @classmethod
    def can_be_lowered(cls) -> bool:
        """Whether models with this operator can be quantized."""
        return cls.lower is not Operator.lower
