"""What the pools share: their window, parsed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy.typing as npt

from espdl_hil.errors import ModelError, UnsupportedAttributeError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.operator import LoweredOperator, LoweringSite, Operator
from espdl_hil.ops._window import Window, explicit_pads, spatial

Pooled = TypeVar("Pooled", bound="Pool")


@dataclass(frozen=True, slots=True)
class Pool(Operator):
    """A pool over windows.

    Attributes:
        kernel_shape: per spatial axis.
        strides: per spatial axis; empty means ones.
        pads: begins, then ends; empty means zeros.
        dilations: per spatial axis; the board ignores them.
        ceil_mode: whether ONNX rounds output sizes up; the board rounds down.
    """

    kernel_shape: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    ceil_mode: int

    @classmethod
    def from_attributes(cls: type[Pooled], attributes: Attributes) -> Pooled:
        """Parse; what is absent stays empty."""
        return cls(
            kernel_shape=attributes.integers("kernel_shape"),
            strides=spatial(attributes, "strides"),
            pads=explicit_pads(attributes),
            dilations=spatial(attributes, "dilations"),
            ceil_mode=attributes.integer("ceil_mode", 0),
        )

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes, defaults written out."""
        rank = len(self.kernel_shape)
        return {
            "ceil_mode": Attribute.of(self.ceil_mode),
            "dilations": Attribute.of(self.dilations or (1,) * rank),
            "kernel_shape": Attribute.of(self.kernel_shape),
            "pads": Attribute.of(self.pads or (0,) * (2 * rank)),
            "strides": Attribute.of(self.strides or (1,) * rank),
        }

    def check(self, site: LoweringSite) -> None:
        """Refuse what the board's pools do not do: rounding sizes up, dilation, indices."""
        x, y = site.inputs[0], site.outputs[0]
        assert x is not None
        if len(site.outputs) > 1:
            raise ModelError("the indices of the largest elements are used")
        if any(step != 1 for step in self.dilations):
            raise UnsupportedAttributeError("dilations", self.dilations, "only 1")
        if len(x.shape) not in (3, 4):
            raise ModelError(f"a pool over {len(x.shape) - 2} axes", hint="only 1-D and 2-D exist")
        window = Window.of(self.kernel_shape, self.strides, (), self.pads)
        size = x.shape[2:] if len(x.shape) == 4 else (1, x.shape[2])
        window.refuse_unsafe(size)
        if window.output_size(size)[-len(y.shape[2:]) :] != y.shape[2:]:
            raise UnsupportedAttributeError(
                "ceil_mode",
                self.ceil_mode,
                "sizes are rounded down",
                hint="pad the end so that the size divides",
            )

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """Attributes written out; ``ceil_mode`` changes nothing here and is dropped."""
        attributes = {**self.to_attributes(), "ceil_mode": Attribute.of(0)}
        return LoweredOperator(self.op_type, attributes, {})

    def window(self, image: npt.NDArray[Any]) -> Window:
        """The window as the board slides it, checked against an input ``[H, W, C]``.

        Raises:
            ModelError: ESP-DL would read past the tensor, or the window does not fit.
        """
        window = Window.of(self.kernel_shape, self.strides, (), self.pads)
        if any(pad >= window.kernel[axis % 2] for axis, pad in enumerate(window.pads)):
            raise ModelError(
                f"pads {self.pads} are not smaller than the kernel {self.kernel_shape}: a window "
                "without any element has no value"
            )
        window.refuse_unsafe((image.shape[0], image.shape[1]))
        window.output_size((image.shape[0], image.shape[1]))
        return window
