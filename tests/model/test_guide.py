"""Guides: blocks into pieces, references into values, and every mistake with its line."""

from __future__ import annotations

import pytest

from api.pages import guide_html
from labctl import errors
from labctl.drivers import shelf, shelf_guide
from labctl.model import guide, guide_values
from labctl.model.plan import Nic, PlannedNetwork, Variable
from tests import fakes
from tests.house.test_promises import TOP


def read(text, machines=("web", "db")):
    (page,) = guide.read({"guide/01-one.md": text}, machines)
    return page


def complaints(text):
    with pytest.raises(errors.BadInput) as refused:
        read(text)
    return [(one.line, one.text) for one in refused.value.complaints]


def test_blocks_become_pieces_in_their_order():
    page = read(
        "---\ntitle: Ports\nminutes: 20\n---\nText *one*.\n\n```run web once\nnmap db\nls\n```\n"
        "```file db /etc/motd\nhello\n```\n```copy\nabc\n```\n```sh\necho\n```\n:::hint The port\nIt is **22**.\n```\n:::\n```\n:::\nEnd.\n"
    )
    assert (page.title, page.minutes) == ("Ports", 20)
    assert page.pieces == (
        guide.Text("Text *one*."),
        guide.Code("run", "nmap db\nls", machine="web", once=True),
        guide.Code("file", "hello", machine="db", path="/etc/motd"),
        guide.Code("copy", "abc"),
        guide.Code("code", "echo", language="sh"),
        guide.Fold("hint", "The port", (guide.Text("It is **22**."), guide.Code("code", ":::"))),
        guide.Text("End."),
    )


def test_pages_come_in_the_order_of_their_names_and_other_files_are_none():
    files = {"guide/02-b.md": "# Second", "guide/01-a.md": "text", "guide/img/01-x.png": "", "guide/notes.md": "", "README.md": ""}
    assert [page.title for page in guide.read(files, ())] == ["01-a", "Second"]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a\n```run\nls\n```", 2, "names its machine"),
        ("```run wep\nls\n```", 1, "did you mean 'web'?"),
        ("```file web\nx\n```", 1, "its machine and its path"),
        ("```\nls", 1, "does not end"),
        ("\n:::hint a\ntext", 2, "does not end"),
        ("x\n:::", 2, "ends nothing"),
        (":::box a\n:::", 1, "there are: hint, note, warning, task"),
        (":::note a\n:::hint b\n:::\n:::", 2, "do not stand in one another"),
        ("\n:::task find\n:::", 2, "there is no task 'find'"),
        (":::task\n:::", 1, "names its task"),
        ("---\nrequires: [find]\n---\n", 2, "there is no task 'find'"),
        ("---\nrequires: find\n---\n", 2, "a list of tasks"),
        ("---\ntabs: web\n---\n", 2, "tabs is a list of tabs; write tabs: [web]"),
        ("---\ntabs: []\n---\n", 2, "a list of tabs"),
        ("---\ntabs: [web, wep]\n---\n", 2, "there is no tab 'wep'; did you mean 'web'?"),
        ("---\ntabs: [desktop:web]\n---\n", 2, "there is no tab 'desktop:web'"),
        ("---\ntitle: x\ntabs:\n  - web\n  - web\n---\n", 5, "named twice"),
        ("---\ntitle: x\n", 1, "does not end"),
        ("---\ntitel: x\n---\n", 2, "there is no key 'titel'"),
        ("---\ntitle: x\nminutes: soon\n---\n", 3, "whole number"),
        ("text\n${lab.seat.name", 2, "is not closed"),
    ],
)
def test_every_mistake_is_said_with_its_line(text, line, said):
    found = complaints(text)
    assert any(at == line and said in why for at, why in found), found


def test_a_page_names_the_tabs_beside_it_in_the_order_in_which_they_are_shown():
    text = "---\ntabs: [shop, desktop:desk, web]\n---\n# One"
    (page,) = guide.read({"guide/01-one.md": text}, ("web",), (), guide.Beside(desktops=("desk",), apps=("shop",)))
    assert page.tabs == ("shop", "desktop:desk", "web")
    assert read("# One").tabs == ()


def test_references_become_the_values_of_the_seat_and_only_those_its_learner_may_see():
    plan = fakes.plan("e1", 3, machines=("web", "db"))
    nic = Nic(index=1, network="lan", vnet="v", mac="m", address="10.10.10.20/24")
    web, db = plan.machines
    plan = plan.model_copy(
        update={
            "machines": (web.model_copy(update={"nics": (*web.nics, nic)}), db.model_copy(update={"hidden": True})),
            "networks": (PlannedNetwork(name="lan", vnet="v", tag=None, cidr="10.10.10.0/24"),),
            "variables": (Variable(name="word", value="tide", shown=True), Variable(name="flag", value="SECRET", shown=False)),
        }
    )
    words = "${lab.seat.login} ${lab.machines.web.address} ${lab.networks.lan.cidr} ${lab.word} ${lab.flag} $${lab.x} $HOME"
    page = read(words + "\n```run web\necho ${lab.word}\n```")
    text, code = guide_values.filled(page, plan).pieces
    assert text.markdown == f"{plan.seat.login} 10.10.10.20 10.10.10.0/24 tide ${{lab.flag}} ${{lab.x}} $HOME"
    assert code.text == "echo tide"
    assert guide_values.value(plan, ("machines", "db", "hostname")) == "${lab.machines.db.hostname}"


@pytest.mark.parametrize(
    ("markdown", "gone"),
    [
        ("<script>alert(1)</script>", "<script"),
        ("<img src=x onerror=alert(1)>", "<img"),
        ("[x](javascript:alert(1))", "<a"),
        ("[x](JaVaScRiPt:alert(1))", "<a"),
        ("[x](data:text/html,<script>)", "<a"),
        ("[x](vbscript:x)", "<a"),
        ("[x](//evil.example/)", "<a"),
        ("<javascript:alert(1)>", "<a"),
        ("![x](https://evil.example/pixel.png)", "evil.example"),
        ('[x](https://a.example "\\" onclick=alert(1)")', '" onclick'),
        ('```x" onload="y\n```', '" onload="'),
    ],
)
def test_nothing_of_an_authors_text_runs_in_a_browser(markdown, gone):
    assert gone not in str(guide_html.text(markdown))


def test_what_is_harmless_is_shown():
    html = str(guide_html.text("# A\n\n| a | b |\n|---|---|\n| `x` | [y](https://example.org/?a=1&b=2) |\n"))
    assert "<h2>A</h2>" in html
    assert "<td><code>x</code></td>" in html
    assert '<a href="https://example.org/?a=1&amp;b=2" rel="noopener noreferrer" target="_blank">y</a>' in html


def test_every_guide_of_the_house_can_be_read():
    books = shelf.Shelf((TOP / "blueprints",), TOP / "nowhere")
    for name in books.names():
        pages, warnings = shelf_guide.read(books.book(name))
        assert pages
        assert not warnings


def test_tasks_stand_where_they_are_placed_and_the_others_follow_on_the_last_page():
    files = {"guide/01-a.md": "A\n\n:::task find\n:::\n", "guide/02-b.md": "---\nrequires: [find]\n---\nB"}
    pages, warnings = guide.checked(files, (), ("find", "fix", "said"))
    assert [(page.tasks, page.requires) for page in pages] == [(("find",), ()), (("fix", "said"), ("find",))]
    assert [(one.file, one.warning) for one in warnings] == [("guide/02-b.md", True)] * 2
    assert guide_values.filled(pages[0], fakes.plan("e000000001", 1)).tasks == ("find",)


def test_tasks_of_a_course_without_a_guide_have_a_page_of_their_own():
    assert [page.tasks for page in guide.read({}, (), ("find",))] == [("find",)]
    assert guide.read({}, (), ()) == ()


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (":::task find\n:::\n:::task find\n:::", 3, "its box is at guide/01-a.md:1 already"),
        (":::task find\nmore\n:::", 1, "no text of its own"),
        (":::task fnid\n:::", 1, "did you mean 'find'?"),
        (":::note x\n:::task find\n:::\n:::", 2, "do not stand in one another"),
    ],
)
def test_a_box_that_is_wrong_is_complained_about_at_its_line(text, line, said):
    with pytest.raises(errors.BadInput) as refused:
        guide.read({"guide/01-a.md": text}, (), ("find",))
    assert [one.line for one in refused.value.complaints if said in one.text] == [line]
