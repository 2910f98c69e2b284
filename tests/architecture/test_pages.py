"""Pages and recipes can be found: links lead somewhere, the index and the help are complete."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.support.golden import PROJECT

PAGES = sorted(
    [PROJECT / "README.md", *PROJECT.glob("docs/**/*.md"), *PROJECT.glob("examples/**/*.md")]
)
ROOMS = ("espdl_hil", "pytest_plugin", "firmware", "tests", "tools", "benchmarks", "examples")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_every_link_of_a_page_leads_to_a_file(page):
    links = LINK.findall(page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_links_every_page_and_the_decisions_every_decision():
    linked = set(LINK.findall((PROJECT / "README.md").read_text()))
    pages = {page.relative_to(PROJECT).as_posix() for page in PROJECT.glob("docs/*.md")}
    assert pages - linked == set()
    folder = PROJECT / "docs" / "adr"
    listed = set(LINK.findall((folder / "README.md").read_text()))
    assert {page.name for page in folder.glob("0*.md")} == listed


def test_paths_of_our_files_in_pages_exist():
    named = re.compile(rf"`((?:{'|'.join(ROOMS)})/[\w./-]+)`")
    wrong = [
        f"{page.name}: {path}"
        for page in PAGES
        for path in named.findall(page.read_text())
        if not (PROJECT / path).exists()
    ]
    assert wrong == []


def test_make_help_lists_every_goal_and_no_other():
    text = (PROJECT / "Makefile").read_text()
    goals = set(" ".join(re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)).split())
    done = subprocess.run(
        ["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60
    )
    assert set(re.findall(r"^make ([\w-]+)", done.stdout, re.MULTILINE)) == goals - {"help"}


def test_pages_name_goals_that_exist():
    goals = set(re.findall(r"^([\w-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    wrong = [
        f"{page.name}: {goal}"
        for page in PAGES
        for goal in re.findall(r"`make ([a-z][\w-]*)", page.read_text())
        if goal not in goals
    ]
    assert wrong == []
