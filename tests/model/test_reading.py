"""Reading blueprints: whatever somebody writes, a blueprint or complaints with a place come out, nothing else."""

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labctl import errors
from labctl.model import marked, reading
from tests.model import cases

BOX = "labctl: 1\nabout: {title: A lab, area: systems}\nmachines:\n  box: {image: debian-12}\n"
WHOLE = (cases.CASES / "everything" / "blueprint.yaml").read_text()


def complaints(text):
    with pytest.raises(errors.BadInput) as caught:
        reading.parse(text, "f.yaml")
    return [str(complaint) for complaint in caught.value.complaints]


def refusal(text):
    try:
        reading.parse(text, "f.yaml")
    except errors.BadInput as error:
        return error
    return None


def holds(text):
    """The promise of the reader for any text at all."""
    refused = refusal(text)
    if refused is None:
        return
    assert refused.complaints
    assert list(refused.complaints) == sorted(refused.complaints)
    lines = text.split("\n")
    for complaint in refused.complaints:
        assert 1 <= complaint.line <= len(lines) + 1
        assert complaint.column >= 1
        assert complaint.text


@given(st.text())
@example("\ud800")
@example("a: \ufeff")
@example("\x85")
@example("? ")
@example("%YAML 1.1\n---\n")
@example("- - - ?")
@example("labctl: 1\nmachines: {[]: {}}\n")
@example("labctl: 1\n? {a: b}\n: c\n")
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_blueprint_or_complaints_with_a_place(text):
    holds(text)


@given(st.integers(0, len(WHOLE)), st.integers(0, 40), st.text(alphabet="{}[]:,-#&*!|>'\"%@`?~ \n\t${}lab.01naé<", max_size=12))
@settings(max_examples=300, deadline=None)
def test_a_damaged_blueprint_is_a_blueprint_or_complaints_with_a_place(at, cut, put):
    holds(WHOLE[:at] + put + WHOLE[at + cut :])


WORDS = "labctl about machines networks variables configure ready times box lan image kind nics random run hosts title"


@given(
    st.recursive(
        st.none() | st.sampled_from(["x", "1", "no", "4G", "${lab.a}", "auto", "10.10.10.0/24"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS.split()), inner, max_size=4),
        max_leaves=25,
    )
)
@settings(max_examples=200, deadline=None)
def test_any_tree_of_known_words_is_a_blueprint_or_complaints(tree):
    blocks = tree if isinstance(tree, dict) else {"about": tree}
    holds("labctl: 1\n" + "".join(f"{key}: {flow(value)}\n" for key, value in blocks.items() if key != "labctl"))


def flow(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return "null" if value is None else f'"{value}"' if "$" in value else value


def test_quoted_numbers_are_fine_where_numbers_go():
    read = reading.parse(BOX.replace("debian-12}", "debian-12, cpus: '2', memory: \"4G\"}"), "f")
    assert (read.machines["box"].cpus, read.machines["box"].memory) == (2, 4096)


@pytest.mark.parametrize("written", ["no", "0755", "1.30", "2026-01-01", "1:30", "on", "0o17", "22:22", "1_000", "y"])
def test_a_text_stays_what_it_looks_like(written):
    assert reading.parse(BOX.replace("A lab", f"x {written}"), "f").about.title == f"x {written}"
    assert reading.parse(BOX.replace("systems}", f"systems, tags: [{written}]}}"), "f").about.tags == (written,)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("null", None),
        ("~", None),
        ("12", 12),
        ("-3", -3),
        ("0.25", 0.25),
        ("'no'", "no"),
        ("'1.30'", "1.30"),
        ("2026-01-01", "2026-01-01"),
        ("1:30", "1:30"),
        ("v1.2", "v1.2"),
        ("[1, a]", [1, "a"]),
        ("{b: 0}", {"b": 0}),
    ],
)
def test_vars_take_the_core_types_of_yaml(written, value):
    text = BOX + f"configure:\n  - {{role: a, vars: {{x: {written}}}}}\n"
    made = reading.parse(text, "f").configure[0].vars["x"]
    assert made == value
    assert type(made) is type(value)


@pytest.mark.parametrize(
    "written",
    [
        "no",
        "Yes",
        "on",
        "1.30",
        "1.0",
        "0755",
        "0x1F",
        "1e3",
        "+1",
        ".5",
        "5.",
        ".nan",
        "-.inf",
        "NULL",
        "1e400",
        "9" * 30,
        "0." + "1" * 40,
    ],
)
def test_vars_refuse_what_could_be_read_in_two_ways(written):
    text = BOX + f"configure:\n  - {{role: a, vars: {{x: {written}}}}}\n"
    nested = text.replace(written + "}", f"[1, {{b: {written}}}]}}")
    assert complaints(nested) == [complaints(text)[0].replace(":25:", ":33:")]
    (complaint,) = complaints(text)
    assert complaint.startswith("f.yaml:6:25: '")
    assert complaint.endswith("put it in quotes")
    assert reading.parse(text.replace(f"x: {written}", f"x: '{written}'"), "f").configure[0].vars["x"] == written


def test_all_errors_come_at_once_and_in_order():
    text = BOX.replace("debian-12}", "debian-12, cpus: 020, memory: 46, sudo: no}") + "firewall: []\nnetwork: {}\n"
    assert complaints(text) == [
        "f.yaml:4:33: '020' begins with a zero; write 20",
        "f.yaml:4:46: '46' has no unit; write 46M, 46G or 46T",
        "f.yaml:4:56: write true or false, not 'no'",
        "f.yaml:5:1: 'firewall' is not supported yet",
        "f.yaml:6:1: unknown key 'network'; did you mean 'networks'?",
    ]


def test_a_complaint_is_not_followed_by_its_consequences():
    text = BOX.replace("debian-12}", "debian-12, cpus: x, after: [nobody]}")
    assert complaints(text) == ["f.yaml:4:33: 'x' is not a whole number"]


def test_what_is_not_utf8_says_where():
    with pytest.raises(errors.BadInput) as caught:
        marked.decode(b"labctl: 1\nabout: {title: caf\xe9}\n", "f.yaml")
    assert str(caught.value.complaints[0]) == "f.yaml:2:19: byte 0xe9 is not UTF-8; save the file as UTF-8"


def test_a_byte_order_mark_is_fine():
    assert reading.parse(marked.decode(b"\xef\xbb\xbf" + BOX.encode(), "f"), "f").about.title == "A lab"


def test_a_file_that_is_too_large_is_refused_before_it_is_read():
    with pytest.raises(errors.BadInput) as caught:
        marked.decode(b"#" * (marked.MOST_BYTES + 1), "f.yaml")
    assert "at most 256 KiB" in caught.value.complaints[0].text
    assert complaints("#" * (marked.MOST_BYTES + 1)) == ["f.yaml:1:1: a blueprint has at most 256 KiB"]


def test_nesting_without_end_is_refused():
    assert complaints("labctl: 1\nabout: " + "[" * 100_000) != []
    assert complaints("labctl: 1\nabout: " + "{a: " * 2000 + "}" * 2000)[0].endswith("nested deeper than 32 levels")


def test_a_blueprint_is_frozen():
    blueprint = reading.parse(BOX, "f")
    with pytest.raises(ValueError, match="frozen"):
        blueprint.machines["box"].cpus = 3


def test_key_order_and_layout_do_not_matter():
    lines = ["labctl: 1", "about: {area: systems, title: A lab}", "machines: {box: {image: debian-12}}"]
    for seed in range(6):
        shuffled = random.Random(seed).sample(lines, 3)
        assert reading.parse("# a comment\n" + "\n\n".join(shuffled) + "\n", "f") == reading.parse(BOX, "f")
