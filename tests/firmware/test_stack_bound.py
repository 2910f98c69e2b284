"""The stack's worst case: computed from the compiler's call graph, and measured below it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from espdl_hil.runs import RunRequest
from tests.support.golden import cases
from tests.support.rv32 import erased_flash, image, needs_rv32, talking
from tools.stack_bound import StackError, deepest, read

MOST_BYTES = 4096
"""Of the 16 KiB that the RV32 image and the chips' inference task have."""


def compiled(folder: Path, source: str) -> Path:
    (folder / "code.c").write_text(source)
    subprocess.run(
        ["gcc", "-O0", "-c", "-fcallgraph-info=su", "code.c", "-o", "code.o"],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=60,
    )
    return folder


def test_the_deepest_path_is_found(tmp_path):
    functions = read(
        compiled(
            tmp_path,
            "void leaf(volatile char *p) { p[0] = 1; }\n"
            "void large(void) { volatile char room[3000]; leaf(room); }\n"
            "void small(void) { volatile char room[10]; leaf(room); }\n"
            "void entry(int x) { if (x) large(); else small(); }\n",
        )
    )
    path = deepest(functions, "entry")
    assert path == ["entry", "large", "leaf"]
    assert 3000 < sum(functions[title].bytes for title in path) < 3400


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("int entry(int n) { return n ? entry(n - 1) : 0; }", "recursion: entry → entry"),
        (
            "int b(int);\nint a(int n) { return b(n); }\n"
            "int b(int n) { return n ? a(n - 1) : 0; }\nint entry(int n) { return a(n); }",
            "recursion: a → b → a",
        ),
        (
            "void use(char *);\nvoid entry(int n) { char room[n]; use(room); }",
            "entry has a frame without a bound",
        ),
        ("void entry(void (*f)(void)) { f(); }", "entry calls through a pointer"),
    ],
)
def test_what_has_no_bound_is_named(tmp_path, source, complaint):
    with pytest.raises(StackError, match=complaint):
        deepest(read(compiled(tmp_path, source)), "entry")


@needs_rv32
def test_the_runner_stays_far_below_its_stack_by_count_and_by_measure(tmp_path):
    functions = read(image().parent / "rv32")
    bound = sum(functions[title].bytes for title in deepest(functions, "main"))
    assert bound <= MOST_BYTES
    case = next(case for case in cases("p4_s8") if case.op == "Conv")
    with talking("esp32p4", erased_flash(tmp_path)) as talk:
        found = talk.run(RunRequest(case.path.read_bytes(), case.inputs(case.vectors[0])))
    (stack,) = [region for region in found.memory if region.name == "stack"]
    assert 0 < stack.high_water_bytes <= bound
