"""``nn.Module`` → bytes of an ONNX model: the door for models that are not exported yet.

The law of this file: only it imports torch, and only when it is called; the module comes back as it
was.
"""

from __future__ import annotations

import inspect
import io
import logging
import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from espdl_hil.errors import ConfigError, ModelError
from espdl_hil.ir.types import Array

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_EXPORTER_LOGS = ("torch.onnx", "onnxscript", "onnx_ir")


def export_module(
    module: nn.Module,
    shapes: Sequence[Sequence[int]],
    *,
    names: Sequence[str] = (),
    dynamo: bool = True,
    opset: int = 18,
) -> bytes:
    """A module as ONNX, traced in evaluation mode on the CPU with inputs of fixed shapes.

    Args:
        module: with float32 parameters; its mode is restored, nothing else is touched.
        shapes: of each input, batch (1) first.
        names: of the inputs in the exported model; the exporter's own by default.
        dynamo: torch's newer exporter (needs the package onnxscript), or the older one.
        opset: of the exported model; the newer exporter may choose a higher one.

    Raises:
        ConfigError: torch, or what its exporter needs, is not installed.
        ModelError: torch cannot export the module.
    """
    try:
        import torch
    except ImportError as error:
        raise ConfigError(
            "torch is not installed",
            hint="taking torch modules needs an extra: pip install 'espdl-hil[torch]'",
        ) from error
    inputs = tuple(torch.zeros(tuple(shape), dtype=torch.float32) for shape in shapes)
    options: dict[str, Any] = {"opset_version": opset, "dynamo": dynamo}
    if names:
        options["input_names"] = list(names)
    if dynamo:
        options["verbose"] = False
    training = {part for part in module.modules() if part.training}
    buffer = io.BytesIO()
    try:
        module.eval()
        with torch.no_grad(), _quiet(), _plain_attention():
            source = module if dynamo else _closed(module, len(inputs))
            program = torch.onnx.export(source, inputs, None if dynamo else buffer, **options)
            if program is not None:
                program.save(buffer)
    except ImportError as error:
        raise ConfigError(
            f"torch's exporter needs {error.name}",
            hint="pip install 'espdl-hil[torch]', or dynamo=False",
        ) from error
    except Exception as error:  # the exporters' exceptions share no base but Exception
        reason = _COLOURS.sub("", str(error)).strip().partition("\n")[0]
        raise ModelError(
            f"torch cannot export the module: {reason}",
            hint="try the other exporter (dynamo), or export it yourself and give the .onnx",
        ) from error
    finally:
        for part in training:
            part.training = True
    return buffer.getvalue()


def export_samples(module: nn.Module, samples: Mapping[str, Array] | None) -> bytes:
    """A module as ONNX, with inputs named and shaped as in ``samples``.

    Args:
        module: as for ``export_module``.
        samples: arrays by input name in the order of ``forward``, samples first, batch (1) second.

    Raises:
        ConfigError: no samples; a package is not installed.
        ModelError: torch cannot export the module.
    """
    if not samples:
        raise ConfigError(
            "a torch module does not say the shapes of its inputs",
            key="calibration",
            hint="give calibration samples, or export_module(module, shapes) and quantize that",
        )
    shapes = [np.asarray(array).shape[1:] for array in samples.values()]
    return export_module(module, shapes, names=tuple(samples))


def is_module(source: object) -> TypeGuard[nn.Module]:
    """Whether ``source`` is an ``nn.Module``, told without importing torch."""
    return any(
        kind.__module__ == "torch.nn.modules.module" and kind.__name__ == "Module"
        for kind in type(source).__mro__
    )


def _closed(module: nn.Module, inputs: int) -> nn.Module:
    """The module without further arguments, which the older exporter takes for inputs.

    Before: ``forward(src, src_mask=None, is_causal=False)``; after: ``forward(src)``.
    """
    from torch import nn

    if len(inspect.signature(module.forward).parameters) <= inputs:
        return module

    class Closed(nn.Module):  # type: ignore[misc]
        """One call of the module."""

        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, *given: object) -> object:
            """The module's result."""
            return self.module(*given)

    return Closed().train(module.training)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' warnings about themselves."""
    loggers = [logging.getLogger(name) for name in _EXPORTER_LOGS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Without torch's fused attention and encoder layers, which no exporter knows."""
    import torch

    enabled = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)
