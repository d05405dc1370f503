"""labctl's refusals are raised in English and said in the language of the page: every one that is translated is still raised somewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from api import texts
from tests.api.browser import Browser

TOP = Path(__file__).resolve().parents[3]


def _plain(text):
    return re.sub(r"\{[^{}]*\}", "{}", text)


def raised():
    """Every text of ours, with `{}` for what is put in; also what such a text is put together from."""
    found = set()
    for file in [*(TOP / "labctl").rglob("*.py"), *(TOP / "api").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.add("".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values))
    return found


# A sentence of two halves, by what stands in the code.
TOGETHER = {
    "one line of the list is not right.": ("one line of the list is", "{} not right."),
    "{} lines of the list are not right.": ("{} lines of the list are", "{} not right."),
    "the address '{}' is already on line {}": ("the address", "{} '{}' is already on line {}"),
    "the login '{}' is already on line {}": ("the login", "{} '{}' is already on line {}"),
    "{} seats are wanted, but only {} of the site's {} plots are free.": (
        "{} seats are wanted, but only {} of the site's {} plots are free",
    ),
    "There is nothing at this address.": ("There is nothing at this address.",),
}


def test_every_sentence_that_is_translated_is_one_that_is_raised():
    known = raised()
    english = {_plain(row["en"]) for key, row in texts.catalogue().items() if key.startswith("error.")}
    assert len(english) > 80
    assert {one for one in english if not all(half in known for half in TOGETHER.get(one, (one,)))} == set()


def test_a_refusal_is_said_in_the_language_of_the_page_with_what_it_is_about():
    said = "class 'mon<b>day' has no spare."
    assert texts.Texts("en").sentence(said) == "Class &#39;mon&lt;b&gt;day&#39; has no spare."
    assert texts.Texts("fr").sentence(said) == "La classe « mon&lt;b&gt;day » n\u2019a pas de place de réserve."
    assert texts.Texts("de").sentence("seat 3 of class 'x' is removing.") == "Platz 3 des Kurses „x“: wird entfernt."


def test_a_sentence_that_nobody_translated_says_that_it_is_english():
    assert texts.Texts("de").sentence("the <moon> is full.") == '<span lang="en">The &lt;moon&gt; is full.</span>'
    assert texts.Texts("de").sentence("") == ""
    assert texts.Texts("en").sentence("chmod 600 file", hint=True) == "chmod 600 file", "a command stays as it is"


def test_whoever_types_a_wrong_code_reads_so_in_their_language(house):
    ada = Browser(house.app)
    ada.headers["Accept-Language"] = "de"
    answer = ada.form("/join", code="zzzzzzzz", who="Ada")
    assert answer.status_code == 403
    assert "Dieser Code gilt nicht (mehr)." in answer.text


def test_a_pasted_list_is_marked_in_the_language_of_the_page(house):
    form = {"blueprint": "hello", "learners": "Ada Lovelace, ada@example.org\nada@example.org\nEva\n"}
    text = house.client("trainer").post("/open", data=form, headers={"Accept-Language": "fr"}).text
    assert "2 lignes de la liste ne sont pas correctes." in text
    assert "L\u2019adresse « ada@example.org » figure déjà à la ligne 1" in text
    assert "Il manque l\u2019adresse e-mail" in text
