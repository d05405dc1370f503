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


def test_names_alone_are_learners_whose_logins_are_their_own():
    found = pasted.parse("Ada Lovelace\n  Eva Müller\nÉva Muller\n\n佐藤 花子\nJean-Luc St. Clair\n", "roster")
    assert [one.name for one in found] == ["Ada Lovelace", "Eva Müller", "Éva Muller", "佐藤 花子", "Jean-Luc St. Clair"]
    assert [one.login for one in found] == ["ada-lovelace", "eva-muller", "eva-muller-2", "learner", "jean-luc-st-clair"]
    assert len({one.email for one in found}) == 5
    assert all(one.email.endswith(pasted.NAMED) for one in found)


def test_the_csv_with_a_header_is_read_as_the_roster_reads_it():
    text = 'name,email,login\n"Hopper, Grace",grace@example.org,grace\n'
    assert pasted.parse(text, "roster") == roster.parse(text.encode(), "roster")


def test_complaints_name_the_line_that_was_pasted():
    with pytest.raises(errors.BadInput) as refused:
        pasted.parse("Ada, ada@example.org\n\nGrace\nEve, eve@\n<x>", "roster")
    assert [one.line for one in refused.value.complaints] == [3, 4, 5]


@pytest.mark.parametrize(
    ("text", "message", "said"),
    [
        ("Ada Lovelace, 030 123", "one line of the list is not right.", [(1, "there is no mail address")]),
        (
            "Ada\nEva Müller\n\neva  müller\n",
            "one line of the list is not right.",
            [(4, "the name 'eva müller' is already on line 2")],
        ),
        (
            "Ada, ada@example.org\n\nGrace\nAda, ada@example.org\nada@",
            "3 lines of the list are not right.",
            [
                (3, "there is no mail address"),
                (4, "the address 'ada@example.org' is already on line 1"),
                (5, "'ada@' is not an email address"),
            ],
        ),
        (" \n", "nobody is on the list.", [(1, "the list is empty")]),
        ("900 seats", "one line of the list is not right.", [(1, "the roster has 900 learners; a class has at most 500")]),
    ],
)
def test_a_list_that_is_not_csv_is_refused_without_a_word_of_csv(text, message, said):
    with pytest.raises(errors.BadInput) as refused:
        pasted.parse(text, "roster")
    error = refused.value
    assert (error.message, [(one.line, one.text) for one in error.complaints]) == (message, said)
    assert "CSV" not in f"{error.message} {error.hint}"
    assert error.hint.startswith("Each line is for one learner: Ada Lovelace, ada@example.org.")


def test_of_pasted_csv_its_header_is_spoken_of():
    with pytest.raises(errors.BadInput) as refused:
        pasted.parse("name,phone\nAda,1", "roster")
    assert "CSV" in refused.value.hint
    assert [one.text for one in refused.value.complaints] == ["the column 'email' is missing; the header has: name, phone"]


@pytest.mark.parametrize("text", ["", "  \n\n", "name,email", "\0", '"', '"Ada', "a" * 2_000_000])
def test_nonsense_is_refused_in_words(text):
    with pytest.raises(errors.BadInput) as refused:
        pasted.parse(text, "roster")
    assert refused.value.complaints
