"""Drawing variables: of the promised shape, different per seat, and answers are taken only when they fit."""

import random
import re
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl import errors
from labctl.model import drawing, reading


def lab(variables):
    return reading.parse(
        f"labctl: 1\nabout: {{title: A lab, area: systems}}\nmachines: {{box: {{image: x}}}}\nvariables: {{{variables}}}\n", "f"
    )


def drawn(variable, seed=0, **answers):
    return drawing.draw(lab(f"v: {variable}"), answers, random.Random(seed))["v"]


SHAPES = {
    "{random: password}": r"[a-km-zA-HJ-NP-Z2-9]{14}",
    "{random: password, length: 30}": r"[a-km-zA-HJ-NP-Z2-9]{30}",
    "{random: hex}": r"[0-9a-f]{32}",
    "{random: hex, length: 7}": r"[0-9a-f]{7}",
    "{random: flag}": r"FLAG\{[a-km-zA-HJ-NP-Z2-9]{16}\}",
    "{random: flag, prefix: SHOP, length: 5}": r"SHOP\{[a-km-zA-HJ-NP-Z2-9]{5}\}",
    "{random: words}": r"[a-z]+ [a-z]+",
    "{random: words, length: 4}": r"[a-z]+( [a-z]+){3}",
    "{random: username}": r"[a-z]+[0-9]{3}",
    "{random: choice, choices: [red, blue]}": "red|blue",
}


@pytest.mark.parametrize("variable", SHAPES)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_a_drawn_text_has_the_promised_shape(variable, seed):
    assert re.fullmatch(SHAPES[variable], drawn(variable, seed))


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_a_password_meets_the_rules_of_windows(seed):
    value = drawn("{random: password, length: 8}", seed)
    assert re.search("[a-z]", value)
    assert re.search("[A-Z]", value)
    assert re.search("[0-9]", value)


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_numbers_stay_in_their_range_and_out_of_what_to_avoid(seed):
    assert 1024 <= drawn("{random: port}", seed) <= 60000
    assert drawn("{random: number, min: -1, max: 1, avoid: [0]}", seed) in {-1, 1}


def test_a_uuid_is_one():
    assert uuid.UUID(drawn("{random: uuid}")).version == 4


def test_seats_differ():
    assert len({drawn("{random: flag}", seed) for seed in range(200)}) == 200


def test_a_constant_keeps_its_type():
    assert (drawn("{value: 7}"), drawn("{value: '7'}"), drawn("{value: true}"), drawn("{value: 0.5}")) == (7, "7", True, 0.5)


def test_nothing_left_to_draw_is_refused():
    with pytest.raises(errors.BadInput, match="'v' has no value left"):
        drawn("{random: choice, choices: [a], avoid: [a]}")


@pytest.mark.parametrize(
    ("variable", "answer", "value"),
    [
        ("{ask: text, label: L}", "x y", "x y"),
        ("{ask: text, label: L, default: d}", None, "d"),
        ("{ask: number, label: L, min: 1}", "12", 12),
        ("{ask: number, label: L}", -3, -3),
        ("{ask: choice, label: L, choices: [1.33, b]}", "1.33", 1.33),
        ("{ask: secret, label: L}", "s3cret", "s3cret"),
    ],
)
def test_an_answer_has_the_type_of_its_question(variable, answer, value):
    assert drawn(variable, **({} if answer is None else {"v": answer})) == value


@pytest.mark.parametrize(
    ("variable", "answers", "text"),
    [
        ("{ask: text, label: The name}", {}, "'v' has no answer (The name)"),
        ("{ask: text, label: L, pattern: '[a-z]+'}", {"v": "X"}, "v: 'X' does not match the pattern [a-z]+"),
        ("{ask: secret, label: L, pattern: '[a-z]+'}", {"v": "HUSH"}, "v: the answer does not match the pattern"),
        ("{ask: number, label: L}", {"v": "x"}, "v: 'x' is not a whole number"),
        ("{ask: number, label: L}", {"v": True}, "v: 'True' is not a whole number"),
        ("{ask: number, label: L, max: 3}", {"v": "4"}, "v: 4 is not between -9007199254740991 and 3"),
        ("{ask: choice, label: L, choices: [a, b]}", {"v": "c"}, "v: 'c' is not possible; one of a, b"),
        ("{ask: text, label: L}", {"v": "a\nb"}, "v: the answer holds a line break or another sign that cannot be printed"),
        ("{random: hex}", {"v": "mine"}, "the blueprint does not ask for 'v'"),
        ("{ask: text, label: L, default: x}", {"w": "1"}, "the blueprint does not ask for 'w'; it asks for v"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(variable, answers, text):
    with pytest.raises(errors.BadInput) as caught:
        drawn(variable, **answers)
    assert str(caught.value) == text
    assert "HUSH" not in str(caught.value)
