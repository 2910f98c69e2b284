"""Every error that espdl-hil raises on purpose, under one base class.

The law of this file: an error has fields, and its message is built from them (what happened, where,
what to do). A wrong output is not an error; it is a ``Comparison`` in a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class EspdlHilError(Exception):
    """Base of all errors; ``exit_code`` is what the command line returns for it."""

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what = what
        self.where = where
        self.hint = hint
        super().__init__(what, where, hint)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  hint: {self.hint}" if self.hint else text


class ConfigError(EspdlHilError):
    """A configuration file, an option or the command line is wrong."""

    def __init__(
        self,
        what: str,
        *,
        file: Path | str | None = None,
        line: int | None = None,
        key: str = "",
        hint: str = "",
    ) -> None:
        self.file = file
        self.line = line
        self.key = key
        place = [str(file)] if file is not None else []
        if line is not None:
            place.append(str(line))
        where = ":".join(place)
        if key:
            where = f"{where}: {key}" if where else key
        super().__init__(what, where=where, hint=hint)


class ModelError(EspdlHilError):
    """The model, or the data given for it, is not what we support."""

    exit_code = 3

    def __init__(self, what: str, *, node: str = "", value: str = "", hint: str = "") -> None:
        self.node = node
        self.value = value
        place = [f"node {node!r}"] if node else []
        if value:
            place.append(f"value {value!r}")
        super().__init__(what, where=", ".join(place), hint=hint)


class UnsupportedOperatorError(ModelError):
    """An operator that the target has no kernel for, and no exact rewriting."""

    def __init__(
        self, op_type: str, *, node: str = "", opset: int | None = None, hint: str = ""
    ) -> None:
        self.op_type = op_type
        self.opset = opset
        version = f" (opset {opset})" if opset is not None else ""
        super().__init__(f"operator {op_type}{version} is not supported", node=node, hint=hint)


class UnsupportedAttributeError(ModelError):
    """A supported operator with an attribute value that the target cannot compute."""

    def __init__(
        self, attribute: str, got: object, allowed: str, *, node: str = "", hint: str = ""
    ) -> None:
        self.attribute = attribute
        self.got = got
        self.allowed = allowed
        super().__init__(f"{attribute}={got!r} is not supported ({allowed})", node=node, hint=hint)


class UnsupportedModelError(ModelError):
    """All findings that stop a model, at once."""

    def __init__(self, findings: Sequence[ModelError], *, hint: str = "") -> None:
        self.findings = tuple(findings)
        lines = [f"{len(self.findings)} finding(s) stop this model:"]
        lines += ["  - " + str(finding).replace("\n", "\n    ") for finding in self.findings]
        super().__init__("\n".join(lines), hint=hint)


class FormatError(EspdlHilError):
    """A malformed ``.espdl`` file: ``offset`` counts bytes from the start of the file."""

    exit_code = 3

    def __init__(self, what: str, *, offset: int, field: str, hint: str = "") -> None:
        self.offset = offset
        self.field = field
        super().__init__(what, where=f"offset {offset} ({field})", hint=hint)


class BoardError(EspdlHilError):
    """The bench failed: cable, port, flashing, protocol or engine; never the model's numbers."""

    exit_code = 4

    def __init__(self, what: str, *, board: str = "", port: str = "", hint: str = "") -> None:
        self.board = board
        self.port = port
        place = [f"board {board!r}"] if board else []
        if port:
            place.append(f"port {port}")
        super().__init__(what, where=", ".join(place), hint=hint)


class BoardNotFoundError(BoardError):
    """No board of that name, target or tag; or its port does not exist."""


class BoardBusyError(BoardError):
    """Another process holds the board's lock."""


class FlashError(BoardError):
    """esptool failed, or what is in flash is not what was written."""


class TransportError(BoardError):
    """Bytes did not get through."""


class DeadlineError(TransportError):
    """The board did not answer in time."""


class DisconnectedError(TransportError):
    """The port went away."""


class BoardRestartedError(BoardError):
    """The board restarted by itself while it was working for us.

    Attributes:
        reason: why, as the board told it: the panic, else the reset; empty where it did not.
        node: the last node that it is known to have begun; empty where none is known.
        backtrace: of a panic, a line for each frame, the innermost first; empty without an ELF.
    """

    def __init__(
        self,
        what: str,
        *,
        reason: str = "",
        node: str = "",
        backtrace: Sequence[str] = (),
        board: str = "",
        port: str = "",
        hint: str = "",
    ) -> None:
        self.reason = reason
        self.node = node
        self.backtrace = tuple(backtrace)
        lines = [f"{what} ({reason})" if reason else what]
        lines += [f"last known node: {node}"] if node else []
        lines += [f"#{at} {frame}" for at, frame in enumerate(self.backtrace)]
        super().__init__("\n  ".join(lines), board=board, port=port, hint=hint)


class StreamLostError(BoardError):
    """The board forgot the stream that a run was to continue: start it anew."""


class LocalProtocolError(BoardError):
    """We broke the protocol: a bug on the host side."""


class RemoteProtocolError(BoardError):
    """The board broke the protocol: other firmware, or a bug there."""


class EngineError(BoardError):
    """The firmware ran and said no: ``status`` names why, ``node`` says where (if it knows)."""

    def __init__(
        self, what: str, *, status: str, node: str = "", board: str = "", port: str = ""
    ) -> None:
        self.status = status
        self.node = node
        at = f" at node {node!r}" if node else ""
        super().__init__(f"{status}{at}: {what}", board=board, port=port)
