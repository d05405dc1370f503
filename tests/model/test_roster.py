"""Rosters as spreadsheets write them: learners, or every mistake with its line."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl import errors
from labctl.model import roster
from labctl.model.classroom import Learner

GOOD = "name,email\nAda Lovelace,ada@example.org\nGrace Hopper,grace.hopper@example.org\n"
ADA = Learner("Ada Lovelace", "ada@example.org", "ada")
GRACE = Learner("Grace Hopper", "grace.hopper@example.org", "grace-hopper")


def complaints(data):
    with pytest.raises(errors.BadInput) as caught:
        roster.parse(data if isinstance(data, bytes) else data.encode(), "class.csv")
    assert caught.value.hint
    return [str(complaint) for complaint in caught.value.complaints]


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        "\ufeff" + GOOD,
        GOOD.rstrip("\n"),
        GOOD.replace("\n", "\n\n"),
        GOOD.replace("name,email", " Name , E-Mail "),
        "email,group,name\nada@example.org,1,Ada Lovelace\ngrace.hopper@example.org,2,Grace Hopper\n",
        'name,email\n"Ada Lovelace","ada@example.org"\n"Grace Hopper",grace.hopper@example.org\n',
        GOOD + ",\n",
    ],
)
def test_a_roster_is_read_however_a_spreadsheet_wrote_it(text):
    assert roster.parse(text.encode(), "class.csv") == (ADA, GRACE)


def test_a_name_may_hold_the_delimiter_and_any_letters():
    (learner,) = roster.parse('name,email\n"Müller-Lüdenscheidt, Zoë",zoe@example.org\n'.encode(), "f")
    assert learner.name == "Müller-Lüdenscheidt, Zoë"


def test_logins_are_taken_where_given_and_made_where_not():
    text = "name,email,login\nAda,ada@a.org,countess\nBob,ada@b.org,\nCec,ada@c.org,\nEva,ada+lab@d.org,ada-2\n1,7@e.org,\n"
    assert [learner.login for learner in roster.parse(text.encode(), "f")] == ["countess", "ada", "ada-3", "ada-2", "learner"]


@given(
    st.lists(
        st.from_regex(r"[a-z0-9._+-]{1,30}", fullmatch=True).filter(lambda part: ".." not in part and part.strip(".") == part),
        min_size=1,
        max_size=20,
        unique=True,
    )
)
@settings(max_examples=100, deadline=None)
def test_made_logins_are_legal_and_unique(parts):
    text = "name,email\n" + "".join(f"Some Body,{part}@example.org\n" for part in parts)
    logins = [learner.login for learner in roster.parse(text.encode(), "f")]
    assert len(set(logins)) == len(parts)
    assert all(re.fullmatch(roster.LOGIN, login) for login in logins)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1:1: the file is empty"]),
        ("\n\n", ["1:1: the file is empty"]),
        ("name,email\n", ["1:1: the roster has no learner"]),
        ("name,mails\nAda,ada@a.org\n", ["1:1: the column 'email' is missing; the header has: name, mails"]),
        (
            "Ada,ada@a.org\nBob,bob@a.org\n",
            [
                "1:1: the column 'email' is missing; the header has: Ada, ada@a.org",
                "1:1: the column 'name' is missing; the header has: Ada, ada@a.org",
            ],
        ),
        ("name,email,mail\nAda,a@a.org,b@a.org\n", ["1:1: the column 'email' stands twice"]),
        (GOOD + "Ada L,ADA@example.org\n", ["4:1: the address 'ada@example.org' is already on line 2"]),
        ("name,email,login\nA,a@a.org,ada\nB,b@a.org,ada\n", ["3:1: the login 'ada' is already on line 2"]),
        (
            "name,email\n,a@a.org\nBob,\nCec,cec at a.org\nDan,dan@a..org\nEva,.eva@a.org\n",
            [
                "2:1: there is no name",
                "3:1: there is no mail address",
                "4:1: 'cec at a.org' is not an email address",
                "5:1: 'dan@a..org' is not an email address",
                "6:1: '.eva@a.org' is not an email address",
            ],
        ),
        (
            "name,email,login\nA,a@a.org,Ada L\n",
            ["2:1: 'Ada L' is not a login: small letters, digits and '-', beginning with a letter, 2 to 24"],
        ),
        ("name,email\n\n\nAda,x\n", ["4:1: 'x' is not an email address"]),
        (
            'name,email\n"Ada\nL",a@a.org\nB,b\n',
            ["2:1: the name is longer than 100 or holds signs that cannot be printed", "4:1: 'b' is not an email address"],
        ),
        ('name,email\n"Ada,a@a.org\n', ["2:1: this is not CSV: unexpected end of data"]),
        (b"name,email\nJos\xe9,jose@a.org\n", ["2:4: byte 0xe9 is not UTF-8; save the file as UTF-8"]),
        (GOOD.encode("utf-16"), ["1:1: the file is UTF-16; save it as UTF-8"]),
        (b"PK\x03\x04rest", ["1:1: this is a spreadsheet, not CSV; save it as 'CSV UTF-8'"]),
        (b"name,email\nA\0da,a@a.org\n", ["2:1: the file holds binary data, not CSV"]),
    ],
)
def test_a_wrong_roster_says_where(text, expected):
    assert complaints(text) == [f"class.csv:{line}" for line in expected]


def test_too_many_learners_are_refused():
    rows = "".join(f"L{number},l{number}@a.org\n" for number in range(roster.MOST + 1))
    assert complaints("name,email\n" + rows) == ["class.csv:502:1: the roster has 501 learners; a class has at most 500"]


def test_a_file_that_is_too_large_is_refused():
    assert "a roster has at most 1024" in complaints(b"x" * (roster.MOST_BYTES + 1))[0]


@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.text(alphabet='name,email\n;"@.ax ').map(lambda text: b"name,email\n" + text.encode())
)
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_learners_or_complaints(data):
    found = learners_or_complaints(data)
    assert found
    assert all(isinstance(one, Learner) or (one.line >= 1 and one.column >= 1) for one in found)


def learners_or_complaints(data):
    try:
        return roster.parse(data, "f")
    except errors.BadInput as error:
        return error.complaints
