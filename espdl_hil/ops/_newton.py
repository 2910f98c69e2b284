"""ESP-DL's square root by iteration, which is not the correctly rounded one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError

_STEP = np.float32(0.00001)
_TURNS = 200  # more than any float32 needs to come as near as it ever does


def root(x: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """The square root of float32 values, element by element as the board iterates.

    Raises:
        ModelError: the iteration does not end, as for large values whose neighbours lie further
            apart than its absolute tolerance; the board would hang.

    Source: esp-dl 12c0616 dl_math.hpp ``sqrt_newton``.
    """
    values = np.asarray(x, dtype=np.float32).ravel()
    result = values.copy()
    going = values != 0
    for _ in range(_TURNS):
        if not going.any():
            return result.reshape(np.shape(x))
        last = result[going]
        sums = last + values[going] / last
        found = (sums.astype(np.float64) * 0.5).astype(np.float32)
        moved = np.abs(found - last) > _STEP
        result[going] = found
        still = going.copy()
        still[going] = moved
        going = still
    raise ModelError(
        "ESP-DL's square root does not end for these values",
        hint="reduce the range of the values, so that their squares stay below about 1e4",
    )
