"""The C reference engine, built by make and called through ctypes.

The engine computes in memory that this file owns: one arena per model, grown until the model fits.
"""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from espdl_hil.errors import EspdlHilError
from espdl_hil.targets import Target

PROJECT = Path(__file__).resolve().parents[2]

DTYPES: Mapping[int, np.dtype[Any]] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.uint8),
    3: np.dtype(np.int8),
    4: np.dtype(np.uint16),
    5: np.dtype(np.int16),
    6: np.dtype(np.int32),
    7: np.dtype(np.int64),
    9: np.dtype(np.bool_),
    11: np.dtype(np.float64),
    12: np.dtype(np.uint32),
    13: np.dtype(np.uint64),
}
KERNELS = {"c": 0, "s3": 1, "p4": 2}

_FIRST_ARENA = 4 << 20
_LARGEST_ARENA = 1 << 30
_BUILD_DEADLINE_S = 600


class Status(IntEnum):
    """The statuses of ``hil_status.h`` that an engine gives."""

    OK = 0
    FORMAT = 1
    UNSUPPORTED = 2
    SHAPE = 3
    MEMORY = 4
    TARGET = 5
    STATE = 6
    ARGUMENT = 7
    INTERNAL = 12


class Rounding(IntEnum):
    """Seeded fault: which rounding to compute with (``hil_rounding_t``)."""

    TARGET = 0
    HALF_UP = 1
    HALF_EVEN = 2
    DOWN = 3


class ReferenceEngineError(EspdlHilError):
    """The engine said no: its status, its text, and for malformed files the byte offset."""

    def __init__(self, status: Status, text: str, offset: int) -> None:
        super().__init__(f"{status.name}: {text} (offset {offset})", where="C reference engine")
        self.status = status
        self.text = text
        self.offset = offset


@dataclass(frozen=True)
class TensorInfo:
    """A graph input or output as the engine describes it."""

    name: str
    dtype: np.dtype
    exponent: int
    shape: tuple[int, ...]
    size_bytes: int


@dataclass(frozen=True)
class NodeOutput:
    """One output of one node, in execution order."""

    node: str
    value: str
    exponent: int
    array: np.ndarray


_OUTPUT_CALLBACK = ctypes.CFUNCTYPE(
    None,
    ctypes.c_uint32,
    ctypes.c_uint32,
    ctypes.c_void_p,
    ctypes.c_uint32,
    ctypes.c_void_p,
    ctypes.c_uint32,
    ctypes.c_int32,
    ctypes.c_int32,
    ctypes.c_uint32,
    ctypes.POINTER(ctypes.c_uint32),
    ctypes.c_void_p,
    ctypes.c_uint32,
)


def build(goal: str, product: str) -> Path:
    """Make one product of ``firmware/Makefile`` and return its path.

    ``ESPDL_HIL_HOST_BUILD`` names the output folder; the default is ``build/host``.
    """
    out = Path(os.environ.get("ESPDL_HIL_HOST_BUILD", PROJECT / "build" / "host"))
    result = subprocess.run(
        ["make", "-C", str(PROJECT / "firmware"), goal, f"OUT={out}"],
        capture_output=True,
        text=True,
        timeout=_BUILD_DEADLINE_S,
        check=False,
    )
    if result.returncode != 0:
        pytest.fail(f"make {goal} failed:\n{result.stderr[-4000:]}", pytrace=False)
    return out / product


@functools.cache
def library() -> ctypes.CDLL:
    """The shared library of the engine, built once per session."""
    lib = ctypes.CDLL(str(build("engine", "libhil_ref_engine.so")))
    lib.hil_shared_size.restype = ctypes.c_size_t
    lib.hil_shared_load.argtypes = [
        ctypes.c_void_p,
        ctypes.c_int32,
        ctypes.c_char_p,
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_void_p,
        ctypes.c_size_t,
    ]
    lib.hil_shared_write_input.argtypes = [
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_void_p,
        ctypes.c_size_t,
    ]
    lib.hil_shared_error.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.POINTER(ctypes.c_uint32),
    ]
    return lib


def _aligned(size: int) -> np.ndarray:
    """A buffer of ``size`` bytes at a 16-byte aligned address."""
    raw = np.zeros(size + 16, dtype=np.uint8)
    start = -raw.ctypes.data % 16
    return raw[start : start + size]


def _text(data: int | None, size: int) -> str:
    return ctypes.string_at(data, size).decode() if data and size else ""


class ReferenceEngine:
    """A model loaded into the C reference engine.

    Args:
        model: the bytes of an ``.espdl`` file.
        target: whose integers to compute.
        arena_size: bytes of the arena; by default as much as the model needs.
        rounding: a seeded fault, see `Rounding`.
        misalign: bytes by which the model's address is off a 16-byte boundary.

    Raises:
        ReferenceEngineError: the engine refuses the model.
    """

    def __init__(
        self,
        model: bytes,
        target: Target,
        *,
        arena_size: int | None = None,
        rounding: Rounding = Rounding.TARGET,
        misalign: int = 0,
    ) -> None:
        self._lib = library()
        self._handle = _aligned(self._lib.hil_shared_size())
        self._model = _aligned(len(model) + misalign)[misalign:]
        self._model[:] = np.frombuffer(model, dtype=np.uint8)
        self._target = target
        self._rounding = rounding
        self.node_order: list[str] = []
        size = arena_size or max(_FIRST_ARENA, 2 * len(model))
        while True:
            status = self._load(size)
            if status != Status.MEMORY or arena_size is not None or size > _LARGEST_ARENA:
                break
            size *= 4
        self._check(status)
        self.inputs = self._infos(outputs=False)
        self.outputs = self._infos(outputs=True)

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run once; every node output by value name. ``node_order`` names the nodes as they ran."""
        return {output.value: output.array for output in self.run_nodes(inputs)}

    def run_nodes(self, inputs: Mapping[str, np.ndarray]) -> list[NodeOutput]:
        """Run once; every node output in execution order.

        Args:
            inputs: by name, in stored layout and dtype, every graph input.
        """
        for index, info in enumerate(self.inputs):
            array = np.ascontiguousarray(inputs[info.name])
            assert array.dtype == info.dtype, f"{info.name}: {array.dtype} is not {info.dtype}"
            assert array.nbytes == info.size_bytes, f"{info.name}: {array.shape} vs {info.shape}"
            status = self._lib.hil_shared_write_input(
                self._pointer, index, array.ctypes.data, array.nbytes
            )
            self._check(Status(status))
        return self._run_observed()

    def run_test_inputs(self) -> list[NodeOutput]:
        """Run once with the file's own test inputs."""
        self._check(Status(self._lib.hil_shared_use_test_inputs(self._pointer)))
        return self._run_observed()

    def run_unobserved(self) -> None:
        """Run once more on whatever the inputs hold; for timing."""
        self._check(Status(self._lib.hil_shared_run(self._pointer, None)))

    def reset(self) -> None:
        """Forget what persists between runs."""
        self._lib.hil_shared_reset(self._pointer)

    def memory(self) -> tuple[int, int]:
        """Bytes used by the loaded model, and the high-water mark."""
        used = ctypes.c_uint32()
        high_water = ctypes.c_uint32()
        self._lib.hil_shared_memory(self._pointer, ctypes.byref(used), ctypes.byref(high_water))
        return used.value, high_water.value

    @property
    def _pointer(self) -> ctypes.c_void_p:
        return ctypes.c_void_p(self._handle.ctypes.data)

    def _load(self, arena_size: int) -> Status:
        self._arena = _aligned(arena_size)
        self._lib.hil_shared_init(self._pointer, int(self._rounding))
        return Status(
            self._lib.hil_shared_load(
                self._pointer,
                KERNELS[self._target.kernels],
                self._target.name.encode(),
                self._arena.ctypes.data,
                arena_size,
                self._model.ctypes.data,
                self._model.size,
            )
        )

    def _check(self, status: Status) -> None:
        if status != Status.OK:
            text = ctypes.create_string_buffer(400)
            offset = ctypes.c_uint32()
            self._lib.hil_shared_error(self._pointer, text, 400, ctypes.byref(offset))
            raise ReferenceEngineError(
                status, text.value.decode(errors="backslashreplace"), offset.value
            )

    def _infos(self, *, outputs: bool) -> list[TensorInfo]:
        infos: list[TensorInfo] = []
        name = ctypes.c_void_p()
        name_size, rank, size_bytes = (ctypes.c_uint32() for _ in range(3))
        dtype, exponent = ctypes.c_int32(), ctypes.c_int32()
        dims = (ctypes.c_uint32 * 8)()
        fields = (name, name_size, dtype, exponent, rank, dims, size_bytes)
        references = [field if field is dims else ctypes.byref(field) for field in fields]
        while True:
            status = self._lib.hil_shared_info(self._pointer, int(outputs), len(infos), *references)
            if status != Status.OK:
                return infos
            infos.append(
                TensorInfo(
                    name=_text(name.value, name_size.value),
                    dtype=DTYPES[dtype.value],
                    exponent=exponent.value,
                    shape=tuple(dims[: rank.value]),
                    size_bytes=size_bytes.value,
                )
            )

    def _run_observed(self) -> list[NodeOutput]:
        seen: list[NodeOutput] = []

        def observe(
            _node_index: int,
            _output_index: int,
            node: int | None,
            node_size: int,
            value: int | None,
            value_size: int,
            dtype: int,
            exponent: int,
            rank: int,
            dims: ctypes._Pointer[ctypes.c_uint32],
            data: int,
            size_bytes: int,
        ) -> None:
            array = np.frombuffer(ctypes.string_at(data, size_bytes), dtype=DTYPES[dtype])
            seen.append(
                NodeOutput(
                    node=_text(node, node_size),
                    value=_text(value, value_size),
                    exponent=exponent,
                    array=array.reshape(tuple(dims[:rank])),
                )
            )

        callback = _OUTPUT_CALLBACK(observe)
        self._check(Status(self._lib.hil_shared_run(self._pointer, callback)))
        self.node_order = list(dict.fromkeys(output.node for output in seen))
        return seen
