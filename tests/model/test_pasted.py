"""Rosters as people paste them."""

from __future__ import annotations

import pytest

from labctl import errors
from labctl.model import pasted, roster


@pytest.mark.parametrize(
    "text",
    [
        "name,email\nAda Lovelace,ada@example.org\n",
        "E-Mail;Name\nada@example.org;Ada Lovelace",
        "Ada Lovelace, ada@example.org",
        "ada@example.org\tAda Lovelace",
        "Ada Lovelace; ada@example.org;",
        "Ada Lovelace <ada@example.org>",
        '"Ada Lovelace" <ada@example.org>,',
        "\r\n  Ada Lovelace <ada@example.org>;  \r\n\r\n",
        "Lovelace, ada@example.org\n".replace("Lovelace", "Ada Lovelace"),
    ],
)
def test_what_people_have_becomes_a_learner(text):
    (learner,) = pasted.parse(text, "roster")
    assert (learner.name, learner.email) == ("Ada Lovelace", "ada@example.org")


def test_an_address_alone_gives_the_name_too():
    (learner,) = pasted.parse("grace.hopper@example.org", "roster")
    assert learner.name == "Grace Hopper"


def test_the_csv_with_a_header_is_read_as_the_roster_reads_it():
    text = 'name,email,login\n"Hopper, Grace",grace@example.org,grace\n'
    assert pasted.parse(text, "roster") == roster.parse(text.encode(), "roster")


def test_complaints_name_the_line_that_was_pasted():
    with pytest.raises(errors.BadInput) as refused:
        pasted.parse("Ada, ada@example.org\n\nGrace\nEve, eve@\n<x>", "roster")
    assert [one.line for one in refused.value.complaints] == [3, 4, 5]


@pytest.mark.parametrize("text", ["", "  \n\n", "name,email", "\0", '"', '"Ada', "a" * 2_000_000])
def test_nonsense_is_refused_in_words(text):
    with pytest.raises(errors.BadInput) as refused:
        pasted.parse(text, "roster")
    assert refused.value.complaints
