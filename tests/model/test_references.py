"""References: taken apart, refused, resolved."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.model import reading, references

VALUES = {("flag",): "a.b*", ("rows",): 7, ("on",): True, ("none",): None}


def lookup(path):
    return VALUES[path]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain $HOME ${HOME} $5", "plain $HOME ${HOME} $5"),
        ("${lab.rows}", 7),
        ("${lab.on}", True),
        ("x ${lab.rows}/${lab.flag}", "x 7/a.b*"),
        ("is ${lab.on}", "is true"),
        ("$${lab.rows}", "${lab.rows}"),
        ("$${lab.rows} ${lab.rows}", "${lab.rows} 7"),
        ("${lab.rows}${lab.rows}", "77"),
        ("$$${lab.rows}", "$${lab.rows}"),
        ({"a": ["${lab.rows}", 3, None]}, {"a": [7, 3, None]}),
    ],
)
def test_references_become_values(text, value):
    made = references.resolve(text, lookup)
    assert made == value
    assert type(made) is type(value)


def test_in_a_pattern_the_value_is_escaped_and_the_rest_is_not():
    assert references.resolve("^${lab.flag}.$", lookup, re.escape) == r"^a\.b\*.$"
    assert references.resolve("${lab.rows}", lookup, re.escape) == "7"


@pytest.mark.parametrize("text", ["${lab.flag", "x ${lab.", "${lab.flag }", "a ${lab.flag-${lab.rows}"])
def test_a_reference_that_is_not_closed_is_refused(text):
    with pytest.raises(references.Unclosed, match="is not closed with }"):
        references.paths(text)


@given(st.text(alphabet="${}lab.x "))
def test_text_without_our_prefix_is_never_touched(text):
    if "${lab." not in text:
        assert references.resolve(text, lookup) == text


@pytest.mark.parametrize(
    ("variable", "safe"),
    [
        ("{random: password}", True),
        ("{random: flag}", True),
        ("{random: words}", False),
        ("{random: choice, choices: [red, v1.2, a/b]}", True),
        ("{random: choice, choices: [red, light blue]}", False),
        ("{ask: text, label: x}", False),
        ('{ask: text, label: x, pattern: "[a-z]{3}"}', True),
        ('{ask: text, label: x, pattern: "[a-z ]{3}"}', False),
        ('{ask: text, label: x, pattern: "[^a]+"}', False),
        ('{ask: text, label: x, pattern: ".*"}', False),
        ('{ask: text, label: x, pattern: "[!-z]+"}', False),
        ('{ask: text, label: x, pattern: "[+-z]+"}', False),
        ('{ask: text, label: x, pattern: "[A-z]+"}', False),
        ('{ask: text, label: x, pattern: "[a-z(]+"}', False),
        ('{ask: text, label: x, pattern: "x|[a-z0-9_.-]{1,9}@lab\\\\.test"}', True),
        ("{ask: number, label: x}", True),
        ("{ask: secret, label: x}", False),
        ("{value: a-b_c}", True),
        ("{value: a b}", False),
        ("{value: a;b}", False),
        ("{value: $(id)}", False),
    ],
)
def test_only_values_that_no_shell_takes_apart_go_into_commands(variable, safe):
    text = f"labctl: 1\nabout: {{title: A lab, area: systems}}\nmachines: {{box: {{image: x}}}}\nvariables:\n  v: {variable}\n"
    assert references.safe_in_command(reading.parse(text, "f"), ("v",)) is safe
