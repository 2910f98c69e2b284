"""The worst case of the firmware's stack, from what the compiler says of functions and their calls.

``python tools/stack_bound.py OBJECT_FOLDER --entry NAME [--most BYTES]`` reads the ``.ci`` files
that ``gcc -fcallgraph-info=su`` leaves beside objects, and prints the deepest path from the entry.

It ends with 1 where a function may call itself, directly or in a circle; where a frame has no bound
(a variable-length array, ``alloca``); and where the path is deeper than ``--most``. Calls through
pointers are resolved by ``CALLS_THROUGH``: for each caller, all functions that it may reach. A
caller that is not named there is an error too, so that the table cannot fall behind.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LIBRARY_BYTES = 256
"""Counted for a function without a description: the C library's and the compiler's own."""

_NODE = re.compile(r'^node: \{ title: "([^"]+)" label: "([^"]*)"', re.MULTILINE)
_EDGE = re.compile(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', re.MULTILINE)
_BYTES = re.compile(r"\\n(\d+) bytes \(([a-z,]+)\)")
_INDIRECT = "__indirect_call"

_PORT = r"rv32/hil_rv32_main\.c:port_\w+"
_ENGINE = r"components/hil_ref_engine/hil_ref_engine\.c:\w+"
_LANES = r"hil_mac_(lanes|each|wrap|scalar)_\w+"
# What operators hand to the loops that they share: functions of their own files.
_OWN = (
    r"components/hil_ref_engine/(ops/\S+|hil_(reduce_\w+|compare|pool|sum)\.c)"
    r":(?!eval|prepare|reset)\w+"
)

CALLS_THROUGH: tuple[tuple[str, str], ...] = (
    (r"hil_server_handle", r"components/hil_wire/hil_server\.c:on_\w+|hil_server_on_\w+"),
    # Only ports: these answer, and are called by the observer while an engine runs.
    (r"hil_server_(answer|answer_empty|fail_with|announce|log|tick)", _PORT),
    (r"components/hil_wire/hil_server(_run)?\.c:(on_\w+|node_\w+|now|send_frame)", _PORT),
    (r"hil_put_regions", rf"{_PORT}|components/hil_ref_engine/hil_ref_engine\.c:memory"),
    (r"hil_server_\w+|components/hil_wire/hil_server_model\.c:\w+", rf"{_PORT}|{_ENGINE}"),
    (r"(components/hil_store/\S+:|hil_store_|hil_directory_)\w+", r"rv32/\S+:flash_\w+"),
    (
        r"components/hil_wire/hil_inflate\.c:deliver",
        r"components/hil_wire/hil_server_store\.c:into_store",
    ),
    (
        r"components/hil_ref_engine/hil_ref_engine\.c:run",
        r"components/hil_ref_engine/\S+:eval\w*|hil_\w+_eval|"
        r"components/hil_wire/hil_server_run\.c:node_\w+",
    ),
    (
        r"components/hil_ref_engine/hil_ref_engine\.c:reset",
        r"components/hil_ref_engine/ops/\S+:reset",
    ),
    (r"hil_graph_load", r"components/hil_ref_engine/\S+:prepare\w*|hil_\w+_prepare"),
    (r"hil_mac_run", rf"components/hil_ref_engine/hil_mac_run\.c:pixel_\w+|{_LANES}"),
    (r"components/hil_ref_engine/hil_mac_run\.c:pixel_\w+", _LANES),
    (r"hil_broadcast_rows", rf"components/hil_ref_engine/hil_real_pair\.c:row_of_\w+|{_OWN}"),
    (r"components/hil_ref_engine/hil_real_pair\.c:row_of_\w+", _OWN),
    (r"hil_(pool_each_window|reduce_real_eval|rnn_run|unary_eval)", _OWN),
)


@dataclass(slots=True)
class Function:
    """One function: its frame, and whom it calls."""

    bytes: int = LIBRARY_BYTES
    bounded: bool = True
    calls: set[str] = field(default_factory=set)


class StackError(Exception):
    """There is no bound, or none below the limit."""


def read(folder: Path) -> dict[str, Function]:
    """Every function by its title, which names the file of a static one; pointers resolved.

    Raises:
        StackError: a call through a pointer that ``CALLS_THROUGH`` does not know.
    """
    functions: dict[str, Function] = {}
    for path in sorted(folder.rglob("*.ci")):
        text = path.read_text()
        for title, label in _NODE.findall(text):
            function = functions.setdefault(title, Function())
            usage = _BYTES.search(label)
            if usage:
                function.bytes = int(usage[1])
                function.bounded = usage[2] in ("static", "dynamic,bounded")
        for source, target in _EDGE.findall(text):
            functions.setdefault(source, Function()).calls.add(target)
            functions.setdefault(target, Function())
    functions.pop(_INDIRECT, None)
    for title, function in functions.items():
        if _INDIRECT in function.calls:
            function.calls.remove(_INDIRECT)
            function.calls |= _through(title, functions)
    return functions


def _through(caller: str, functions: Mapping[str, Function]) -> set[str]:
    for callers, targets in CALLS_THROUGH:
        if re.fullmatch(callers, caller):
            found = {title for title in functions if re.fullmatch(targets, title)}
            if found:
                return found
    raise StackError(f"{caller} calls through a pointer that CALLS_THROUGH does not know")


def deepest(functions: Mapping[str, Function], entry: str) -> list[str]:
    """The path from ``entry`` that takes most stack.

    Raises:
        StackError: a circle of calls, or a frame without a bound.
    """
    best: dict[str, tuple[int, str | None]] = {}
    above: list[str] = []

    def depth(title: str) -> int:
        if title in above:
            circle = " → ".join([*above[above.index(title) :], title])
            raise StackError(f"recursion: {circle}")
        if title not in best:
            function = functions[title]
            if not function.bounded:
                raise StackError(f"{title} has a frame without a bound")
            above.append(title)
            # The name breaks ties, so that equal builds print equal paths.
            under = max(((depth(callee), callee) for callee in function.calls), default=(0, None))
            above.pop()
            best[title] = (function.bytes + under[0], under[1])
        return best[title][0]

    if entry not in functions:
        raise StackError(f"there is no function {entry}")
    depth(entry)
    path: list[str] = []
    step: str | None = entry
    while step is not None:
        path.append(step)
        step = best[step][1]
    return path


def main() -> int:
    """Print the deepest path; see the file's own words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--entry", required=True)
    parser.add_argument("--most", type=int, default=sys.maxsize, metavar="BYTES")
    arguments = parser.parse_args()
    try:
        functions = read(arguments.folder)
        path = deepest(functions, arguments.entry)
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    total = sum(functions[title].bytes for title in path)
    for title in path:
        sys.stdout.write(f"{functions[title].bytes:6}  {title}\n")
    sys.stdout.write(f"{total:6}  bytes at most from {arguments.entry}\n")
    return 0 if total <= arguments.most else 1


if __name__ == "__main__":
    sys.exit(main())
