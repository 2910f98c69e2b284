"""What other programs read is documented: no key of a report without its line in docs/json.md."""

from __future__ import annotations

import dataclasses

import pytest

from espdl_hil.results import records
from tests.support.golden import PROJECT

RECORDS = [found for found in vars(records).values() if dataclasses.is_dataclass(found)]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_key_of_a_report_is_documented(record):
    page = (PROJECT / "docs" / "json.md").read_text(encoding="utf-8")
    for field in dataclasses.fields(record):
        assert f"| `{field.name}` | " in page
