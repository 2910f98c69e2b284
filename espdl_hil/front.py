"""The front door for people who write Python: names and files become values, stages do the rest.

The law of this file: it decides nothing; every setting that it does not take has its usual value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from espdl_hil import pipeline
from espdl_hil.archives import read_arrays
from espdl_hil.ir.types import Array
from espdl_hil.pipeline import Quantized, Source
from espdl_hil.quantizer import QuantizeConfig
from espdl_hil.targets import Target, target_named


def quantize(
    model: str | Source,
    target: str | Target,
    *,
    bits: int = 8,
    calibration: Mapping[str, Array] | str | Path | None = None,
    random_samples: int = 0,
    seed: int = 0,
    outputs: Sequence[str] = (),
    compare: int = 0,
) -> Quantized:
    """Quantize a float model for a chip; ``write`` of the result makes the ``.espdl`` file.

    ``espdl_hil.pipeline.quantize`` with a ``QuantizeConfig`` takes all other settings.

    Args:
        model: an ``.onnx`` file (path or bytes), or a torch module; only read. A module's inputs
            get the names of ``calibration``, in the order of ``forward``.
        target: chip, such as ``"esp32p4"``.
        bits: width of activations and weights, 8 or 16.
        calibration: real inputs by name, samples first, or the ``.npz`` file that holds them. A
            sample has its input's shape, with or without the batch dimension of 1; of a torch
            module always with it: ``(samples, 1, channels, height, width)``.
        random_samples: how many random samples to take where there is no ``calibration``: for
            trying things out, not for a model that ships.
        seed: of the random samples.
        outputs: values, inner ones too, at which the model shall end; where it ends by default.
        compare: how many calibration samples to simulate against the float model, for ``quality``.

    Raises:
        ConfigError: no such target or file; no calibration data and no random samples asked for; a
            package is missing.
        ModelError: the model or the data is not what we support; all findings at once.
    """
    config = QuantizeConfig(
        target_named(target) if isinstance(target, str) else target,
        bits,
        random_samples=random_samples,
        seed=seed,
    )
    source = Path(model) if isinstance(model, str) else model
    if isinstance(calibration, str | Path):
        calibration = read_arrays(Path(calibration))
    return pipeline.quantize(source, config, calibration, outputs=outputs, compare=compare)
