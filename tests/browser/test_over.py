"""Pages that stay open while their class ends: what labctl would refuse is offered no more, and what was typed stays to be seen."""

from __future__ import annotations

import pytest

from labctl import ports
from tests import world_here
from tests.browser import chromium

pytestmark = pytest.mark.skipif(bool(chromium.lacking()), reason=chromium.lacking() or "there is a browser")

TASKS = """\
tasks:
  - {id: word, title: What is the word, answer: lighthouse, hints: [{text: The sea}]}
  - id: file
    title: Make the file
    checks: [{file: /home/learner/hello, machine: box}]
    solve: [{run: touch hello, machine: box, as: learner}]
"""
OFFERED = "main button:visible, main a[data-ask]:visible, dialog button:visible"


@pytest.fixture
def world(tmp_path):
    made = world_here.World(tmp_path, world_here.BLUEPRINT + TASKS)
    yield made
    made.close()


@pytest.fixture
def browser():
    with chromium.Chromium() as made:
        yield made
        assert made.complaints == []


def somebody(world, browser, name, role, path, environment=None):
    secret = world.wiring.tokens.create(ports.Token(name, role, environment))
    person = browser.person(name, world.api.url, extra_http_headers={"Authorization": f"Bearer {secret}"})
    person.page.goto(path)
    chromium.until(lambda: person.page.locator(OFFERED).count(), "there is something to press")
    return person


def offered(person):
    return [text for text in person.page.locator(OFFERED).all_inner_texts() if text]


def is_over(person):
    chromium.until(lambda: person.page.locator("body.over").count(), f"{person.name}'s page knows")


def test_a_learners_page_that_stays_open_offers_nothing_more_and_keeps_what_was_typed(world, browser):
    environment = world.wiring.desk.seat("monday", 1)[1].id
    ada = somebody(world, browser, "ada", "learner", f"/seat/{environment}", environment)
    ada.sees("$")
    wanted = {"✋ Ask for help", "Get a code for ssh", "Start again…", "Check", "Answer"}
    chromium.until(lambda: wanted <= set(offered(ada)), "all of it is offered")
    ada.page.get_by_label("What is it about?").fill("pipes")
    ada.page.get_by_label("Your answer").fill("a lamp")
    world.wiring.desk.close("monday", who="eva")
    is_over(ada)
    chromium.until(lambda: "The class is over." in ada.page.locator("#state").inner_text(), "it is said")
    chromium.until(lambda: "This seat is closed" in ada.page.locator(".lab-line").inner_text(), "its terminal has ended")
    chromium.until(lambda: offered(ada) == [], "nothing is offered any more")
    for label, text in (("What is it about?", "pipes"), ("Your answer", "a lamp")):
        field = ada.page.get_by_label(label)
        assert field.is_visible()
        assert field.input_value() == text
        assert not field.is_editable()
    ada.page.get_by_label("Your answer").press("Enter")
    ada.page.evaluate("window.stayed = true")
    world.settle()
    ada.page.locator("body.gone").wait_for()
    # Whose place goes with the class may be told so as well.
    ada.page.evaluate("document.dispatchEvent(new Event('left'))")
    ada.page.evaluate("fetch(location.href).then(() => null)")
    assert offered(ada) == []
    assert ada.page.get_by_label("Your answer").input_value() == "a lamp"
    assert ada.page.evaluate("window.stayed") is True


def test_one_that_is_loaded_while_the_class_ends_offers_nothing_either(world, browser):
    environment = world.wiring.desk.seat("monday", 1)[1].id
    world.wiring.desk.close("monday", who="eva")
    secret = world.wiring.tokens.create(ports.Token("ada", "learner", environment))
    plain = {"java_script_enabled": False, "extra_http_headers": {"Authorization": f"Bearer {secret}"}}
    ada = browser.person("ada", world.api.url, **plain)
    ada.page.goto(f"/seat/{environment}")
    assert "The class is over." in ada.page.locator("main").inner_text()
    assert offered(ada) == []


def test_a_trainers_page_of_a_seat_keeps_notes_open_and_nothing_else(world, browser):
    eva = somebody(world, browser, "eva", "trainer", "/class/monday/seat/1?mode=watch")
    eva.page.get_by_label("For trainers; the learner does not see it").fill("Knows pipes")
    eva.page.locator('#now a[href$="/reset"]').click()
    eva.page.locator("dialog[open]").wait_for()
    world.wiring.desk.close("monday", who="eva")
    is_over(eva)
    chromium.until(lambda: not eva.page.locator("dialog[open]").count(), "the question is put away")
    chromium.until(lambda: offered(eva) == ["Keep note"], "only the note is taken still")
    eva.page.get_by_role("button", name="Keep note").click()
    chromium.until(lambda: world.wiring.helping.notes("monday", 1), "it is kept")


def test_a_message_that_is_being_written_while_the_class_ends_stays_to_be_read(world, browser):
    eva = somebody(world, browser, "eva", "trainer", "/class/monday")
    eva.page.get_by_role("link", name="Message").click()
    eva.page.locator("#text").fill("Well done, all of you")
    world.wiring.desk.close("monday", who="eva")
    is_over(eva)
    chromium.until(lambda: offered(eva) == [], "nothing is offered any more")
    assert eva.page.locator("#text").input_value() == "Well done, all of you"
    assert not eva.page.locator("#text").is_editable()
