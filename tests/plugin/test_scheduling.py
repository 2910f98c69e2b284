"""Which board a test id belongs to, from nothing but the id."""

from __future__ import annotations

import pytest

from pytest_espdl_hil.scheduling import board_of

BOARDS = ("s3", "virtual-s3", "virtual-s3-2", "desk")


@pytest.mark.parametrize(
    ("node_id", "board"),
    [
        ("demo.hil.yaml::digits[virtual-s3]", "virtual-s3"),
        ("demo.hil.yaml::digits[s3]", "s3"),
        ("a.py::test_x[virtual-s3-2]", "virtual-s3-2"),
        ("a.py::test_x[2-virtual-s3]", "virtual-s3"),
        ("a.py::test_x[desk-3-words]", "desk"),
        ("a.py::test_x[3-4]", None),
        ("a.py::test_x[mys3]", None),
        ("a.py::test_x", None),
        ("a.py::test_desk", None),
        ("a.py::TestDesk[x]::test_x", None),
    ],
)
def test_the_longest_whole_name_in_the_brackets_wins(node_id, board):
    assert board_of(node_id, BOARDS) == board
