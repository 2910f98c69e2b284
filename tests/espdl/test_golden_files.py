"""Every file of the shared golden data is read, and written and read again equal."""

from __future__ import annotations

import pytest

from espdl_hil.espdl import read, read_file, write
from tests.support import golden


@pytest.mark.parametrize("suite", [*golden.SUITES, "zoo"])
def test_every_file_is_read_and_written_again_equal(suite: str) -> None:
    count = 0
    for case in golden.cases(suite):
        model = read_file(case.path)
        data = write(model)
        assert read(data) == model, case.path
        assert write(model) == data, case.path
        _check_against_the_index(case, model)
        count += 1
    assert count


def _check_against_the_index(case: golden.GoldenCase, model) -> None:
    """The names and shapes of the vectors come from another program that read the same file."""
    for vector in case.vectors[:1]:
        for name, array in case.inputs(vector).items():
            assert name in model.inputs
            assert model.values[name].dtype.numpy == array.dtype
            assert model.values[name].dims == array.shape
        for name in case.outputs(vector):
            assert name in model.values
