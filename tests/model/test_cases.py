"""Every folder of `tests/cases`: what is read, refused, planned."""

import pytest

from tests.model import cases


@pytest.mark.parametrize("name", cases.names())
def test_a_case_comes_out_as_its_files_say(name):
    expected = cases.expected(name)
    assert expected, "say what comes out: python tests/model/cases.py " + name
    assert cases.outcome(name) == expected


def test_there_are_cases_of_both_kinds():
    kinds = {file for name in cases.names() for file in cases.expected(name)}
    assert {"errors.txt", "plan.json", "warnings.txt"} <= kinds
