"""YAML files read with their line numbers: every complaint names file, line and key.

The law of this file: it knows YAML and types, and nothing of what a document means. A reader takes
the keys it knows from a ``Section`` and calls ``finish``, which refuses the rest: a misspelt key is
an error, not a default.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from espdl_hil.errors import ConfigError

Scalar = str | int | float | bool | None


@dataclass(slots=True)
class Section:
    """One mapping of a document.

    Attributes:
        file: where it was read.
        line: line of its first key, from 1.
        path: dotted keys that lead here, for messages.
        nodes: the YAML nodes by key.
        lines: the line of each key.
    """

    file: Path
    line: int
    path: str
    nodes: Mapping[str, yaml.Node]
    lines: Mapping[str, int]
    _taken: set[str] = field(default_factory=set)

    def __contains__(self, key: str) -> bool:
        return key in self.nodes

    def line_of(self, key: str) -> int:
        """The line of a key; of the section where the key is absent."""
        return self.lines.get(key, self.line)

    def error(self, what: str, key: str = "", hint: str = "") -> ConfigError:
        """The error for something wrong with ``key``, or with the whole section."""
        return ConfigError(
            what, file=self.file, line=self.line_of(key), key=self._path_to(key), hint=hint
        )

    def text(self, key: str, default: str | None = None) -> str:
        """A string; demanded where there is no default."""
        value = self._scalar(key, default)
        if not isinstance(value, str):
            raise self.error(f"expected text, found {value!r}", key)
        return value

    def integer(
        self,
        key: str,
        default: int | None = None,
        *,
        low: int | None = None,
        high: int | None = None,
    ) -> int:
        """A whole number, from ``low`` to ``high``."""
        value = self._scalar(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(f"expected a whole number, found {value!r}", key)
        if low is not None and value < low:
            raise self.error(f"expected at least {low}, found {value}", key)
        if high is not None and value > high:
            raise self.error(f"expected at most {high}, found {value}", key)
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number."""
        value = self._scalar(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.error(f"expected a number, found {value!r}", key)
        if value != value or value in (float("inf"), float("-inf")):
            raise self.error(f"expected a finite number, found {value!r}", key)
        return float(value)

    def flag(self, key: str, default: bool | None = None) -> bool:
        """``true`` or ``false``."""
        value = self._scalar(key, default)
        if not isinstance(value, bool):
            raise self.error(f"expected true or false, found {value!r}", key)
        return value

    def choice(self, key: str, choices: Sequence[str], default: str | None = None) -> str:
        """One of a few words."""
        value = self.text(key, default)
        if value not in choices:
            raise self.error(
                f"{value!r} is not one of {', '.join(choices)}", key, _near(value, choices)
            )
        return value

    def texts(self, key: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """A list of strings; a single string stands for a list of one."""
        self._taken.add(key)
        node = self.nodes.get(key)
        if node is None:
            if default is None:
                raise self._missing(key)
            return tuple(default)
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        values = [_scalar_of(item) if isinstance(item, yaml.ScalarNode) else None for item in items]
        for item, value in zip(items, values, strict=True):
            if not isinstance(value, str):
                raise ConfigError(
                    "expected a list of words",
                    file=self.file,
                    line=_line(item),
                    key=self._path_to(key),
                )
        return tuple(str(value) for value in values)

    def file_path(self, key: str) -> Path:
        """A path, relative to the document's folder; the file must exist."""
        path = self.file.parent / self.text(key)
        if not path.is_file():
            raise self.error(f"no such file: {path}", key)
        return path

    def section(self, key: str) -> Section:
        """A mapping inside this one; demanded."""
        self._taken.add(key)
        node = self.nodes.get(key)
        if node is None:
            raise self._missing(key)
        return _section(self.file, node, self._path_to(key))

    def sections(self) -> Iterator[tuple[str, Section]]:
        """Every key of this section, each of which must hold a mapping."""
        for key in self.nodes:
            yield key, self.section(key)

    def take(self, key: str) -> None:
        """Count ``key`` as known, for a reader that looks at ``nodes`` itself."""
        self._taken.add(key)

    def refuse_misspelt(self, *wanted: str) -> None:
        """Name a key that nobody asked for yet and that looks like one of ``wanted``.

        For a reader that is about to say that they are missing.

        Raises:
            ConfigError: there is such a key.
        """
        for key in wanted:
            unknown = [found for found in self.nodes if found not in self._taken]
            for found in difflib.get_close_matches(key, unknown, n=1):
                raise self.error("unknown key", found, f"did you mean {key!r}?")

    def finish(self) -> None:
        """Refuse keys that nobody asked for.

        Raises:
            ConfigError: the first unknown key, with the nearest known one.
        """
        for key in self.nodes:
            if key not in self._taken:
                hint = (
                    _near(key, sorted(self._taken))
                    or f"known keys: {', '.join(sorted(self._taken))}"
                )
                raise self.error("unknown key", key, hint)

    def _scalar(self, key: str, default: Scalar) -> Scalar:
        self._taken.add(key)
        node = self.nodes.get(key)
        if node is None:
            if default is None:
                raise self._missing(key)
            return default
        if not isinstance(node, yaml.ScalarNode):
            raise self.error("expected one value", key)
        return _scalar_of(node)

    def _missing(self, key: str) -> ConfigError:
        self.refuse_misspelt(key)
        return ConfigError("is missing", file=self.file, line=self.line, key=self._path_to(key))

    def _path_to(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path and key else self.path or key


def read_document(path: Path) -> Section:
    """Read a YAML file whose top is a mapping.

    Raises:
        ConfigError: unreadable, not UTF-8, not YAML, not a mapping, or a key twice.
    """
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=path) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"is not UTF-8 text: {error.reason}", file=path) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise ConfigError(f"is not YAML: {error.problem}", file=path, line=line) from error
    except RecursionError as error:
        raise ConfigError("is nested too deeply", file=path) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"is not YAML: {error}", file=path) from error
    if node is None:
        raise ConfigError("is empty", file=path)
    return _section(path, node, "")


def _section(file: Path, node: yaml.Node, path: str) -> Section:
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError("expected keys and values", file=file, line=_line(node), key=path)
    nodes: dict[str, yaml.Node] = {}
    lines: dict[str, int] = {}
    for key_node, value_node in node.value:
        key = _scalar_of(key_node) if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, (str, int)) or isinstance(key, bool):
            raise ConfigError("a key must be a word", file=file, line=_line(key_node), key=path)
        if str(key) in nodes:
            raise ConfigError("appears twice", file=file, line=_line(key_node), key=str(key))
        nodes[str(key)] = value_node
        lines[str(key)] = _line(key_node)
    return Section(file, _line(node), path, nodes, lines)


def _scalar_of(node: yaml.ScalarNode) -> Scalar:
    """The plain value of a scalar, by YAML's own rules; ``None`` for what no reader here wants."""
    try:
        value = yaml.SafeLoader("").construct_object(node)
    except (yaml.YAMLError, ValueError):  # an unknown tag, or a date that is none
        return None
    return value if isinstance(value, (str, int, float, bool)) else None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _near(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else ""
