"""A trainer opens a class of three from a pasted list and sees all of them become ready, on a page that is never loaded anew."""

from __future__ import annotations

from tests.browser.chromium import until
from tests.journeys.coming_in import TRAINER
from tests.journeys.stage import ROSTER, Stage


def walk(stage: Stage) -> None:
    step, trainer = stage.telling.step, stage.person(TRAINER)
    page = trainer.page
    with step("the trainer pastes a list and is told that it fits"):
        page.goto("/open?blueprint=first-hour")
        page.get_by_role("textbox", name="Learners").fill(ROSTER)
        page.get_by_role("textbox", name="Learners").blur()
        until(lambda: "3 seats fit" in page.locator("#fit").inner_text(), "it fits")
        stage.look("open a class", page)
    with step("a double is marked on its line and nothing is opened"):
        page.get_by_role("textbox", name="Learners").fill(ROSTER + "\nAda again, ada@example.org")
        page.get_by_role("button", name="Open class").click()
        until(lambda: page.locator("#wrong li").count() == 1, "one line is marked")
        assert page.locator("#wrong li").get_attribute("value") == "4"
        assert "Grace Hopper" in page.get_by_role("textbox", name="Learners").input_value()
        stage.look("open, refused", page)
    with step("the trainer opens the class"):
        page.get_by_role("textbox", name="Learners").fill(ROSTER)
        page.get_by_role("button", name="Open class").click()
        page.wait_for_url("**/class/first-hour**")
        page.evaluate("window.neverLoadedAnew = true")
    with step("all three become ready, live"):
        until(lambda: "3 ready" in page.locator("#head").inner_text(), "3 ready", 180)
        assert page.locator("tr.ready").count() == 3
        assert page.evaluate("window.neverLoadedAnew")
        stage.look("board", page)
    with step("the trainer looks at the wall, the journal and the course"):
        for kind, address in PAGES:
            page.goto(address)
            stage.look(kind, page)
        page.goto("/class/first-hour")


PAGES = (
    ("wall", "/class/first-hour/wall"),
    ("journal", "/class/first-hour/journal"),
    ("seat, trainer's", "/class/first-hour/seat/1"),
    ("ask: close", "/class/first-hour/close"),
    ("ask: message", "/class/first-hour/message"),
    ("ask: extend", "/class/first-hour/extend"),
    ("ask: reset", "/class/first-hour/seat/1/reset"),
    ("blueprints", "/blueprints"),
    ("blueprint", "/blueprints/linux-first-steps"),
)
