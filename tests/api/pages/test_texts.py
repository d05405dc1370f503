"""The catalogue is whole: every text in every language, with the same values, none missing and none for nobody."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from api import texts
from labctl.model import lifecycle

TOP = Path(__file__).resolve().parents[3]
SOURCES = [*(TOP / "api" / "templates").rglob("*.html"), *(TOP / "api").rglob("*.py")]
# Keys made of a family and a word: `t("status." + word)`, `t.word("status", …)`, `t.known("said", …)`.
FAMILIES = (
    "task.state.",
    "status.",
    "said.",
    "problem.",
    "news.",
    "ask.",
    "class.sort-",
    "head.",
    "guide.",
    "terminal.",
    "desktop.",
    "invited.",
    "role.",
    "joining.",
    "console.",
    "error.",
    "note.",
    "notes.",
    "step.",
    "people.link-",
)


def used():
    found = set()
    for file in SOURCES:
        text = file.read_text()
        found |= set(re.findall(r"""\bt\(["']([a-z][a-z0-9.-]+[a-z0-9])["'][,)]""", text))
        for key in re.findall(r"""\bt\.count\(["']([a-z.-]+)["']""", text):
            found |= {f"{key}.one", f"{key}.other"}
        found |= set(re.findall(r"""asking\.done\(.*"([a-z-]+)"\)""", text)) and {
            f"said.{word}" for word in re.findall(r"""asking\.done\(.*"([a-z-]+)"\)""", text)
        }
    return found


def test_every_text_is_there_in_every_language():
    for key, row in texts.catalogue().items():
        assert set(row) == set(texts.LANGUAGES), key
        assert all(text.strip() for text in row.values()), key


def test_every_language_puts_in_the_same_values():
    for key, row in texts.catalogue().items():
        values = {language: {name for _, name, _, _ in string.Formatter().parse(text) if name} for language, text in row.items()}
        # A refusal or a note may say less in another language: its heading says the rest.
        same = (
            all(names <= values["en"] for names in values.values())
            if key.startswith(("error.", "note."))
            else len(set(map(frozenset, values.values()))) == 1
        )
        assert same, (key, values)


def test_every_key_that_is_used_is_there_and_every_other_belongs_to_a_family():
    known = set(texts.catalogue())
    assert len(used()) > 100
    assert used() - known == set()
    assert {key for key in known - used() if not key.startswith(FAMILIES)} == set()


def test_every_status_word_and_every_problem_has_its_text():
    known = set(texts.catalogue())
    assert {f"status.{word.value}" for word in lifecycle.Status} <= known
    assert {f"problem.{status}" for status in (400, 401, 403, 404, 409, 422, 500, 503)} <= known


def test_a_word_beside_a_number_has_the_form_for_so_many():
    french = texts.Texts("fr")
    assert [french.word("status", "ready", number) for number in (0, 1, 3)] == ["prêt", "prêt", "prêts"]
    assert (french.word("status", "building", 3), french.word("status", "new-one", 3)) == ("construction", "new-one")
    assert texts.Texts("en").word("status", "ready", 3) == "ready"


def test_a_value_is_escaped_and_the_text_is_not():
    assert "&lt;b&gt;" in texts.Texts("en")("head.who", name="<b>")


@pytest.mark.parametrize(
    ("wanted", "chosen", "spoken"),
    [
        ("", None, "en"),
        ("fr", None, "fr"),
        ("de-CH,fr;q=0.9", None, "de"),
        ("it;q=1, fr;q=0.3, de;q=0.7", None, "de"),
        ("fr;q=0, de;q=0.1", None, "de"),
        ("fr;q=zero", None, "en"),
        ("*", None, "en"),
        ("fr", "de", "de"),
        ("fr", "xx", "fr"),
        ("," * 10_000, None, "en"),
    ],
)
def test_the_language_spoken_is_the_best_that_was_asked_for(wanted, chosen, spoken):
    assert texts.best(wanted, chosen) == spoken
