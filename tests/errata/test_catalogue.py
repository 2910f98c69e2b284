"""The list of errata is whole: every entry has a test, every test an entry, and the page is it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

from tests import errata
from tests.errata.catalogue import ERRATA, names_of, page
from tests.support.golden import PROJECT


def citations() -> Iterator[tuple[str, str]]:
    """``(erratum, file::test)`` of every test in this folder."""
    for module_info in pkgutil.iter_modules(errata.__path__):
        if not module_info.name.startswith("test_") or module_info.name == "test_catalogue":
            continue
        module = importlib.import_module(f"{errata.__name__}.{module_info.name}")
        for name, test in vars(module).items():
            if name.startswith("test_"):
                cited = names_of(test)
                assert cited, f"{module_info.name}::{name} cites no erratum"
                for erratum in cited:
                    yield erratum, f"{module_info.name}.py::{name}"


def test_every_erratum_has_a_test():
    shown = {erratum for erratum, _ in citations()}
    assert [erratum.name for erratum in ERRATA if erratum.name not in shown] == []


def test_no_name_stands_twice():
    assert len({erratum.name for erratum in ERRATA}) == len(ERRATA)


def test_the_page_is_current():
    found = (PROJECT / "docs" / "errata.md").read_text(encoding="utf-8")
    assert found == page(citations()), "run `make errata`"


@pytest.mark.parametrize("erratum", ERRATA, ids=lambda erratum: erratum.name)
def test_an_entry_says_what_where_and_what_we_do(erratum):
    assert erratum.defect
    assert erratum.where
    assert erratum.answers
    assert erratum.ours
