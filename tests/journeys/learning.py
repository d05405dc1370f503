"""A learner with nothing but a code: joins, follows the guide, types, turns the page, raises a hand."""

from __future__ import annotations

from tests.browser.chromium import until
from tests.journeys.stage import Stage

ADA = "Ada Lovelace"


def walk(stage: Stage) -> None:
    step = stage.telling.step
    code = stage.house.run("invite", "code", "first-hour").stdout.split()[0]
    ada = stage.person(ADA)
    page = ada.page
    with step("a learner types the class's code and a name"):
        page.goto("/join")
        stage.look("join", page)
        page.get_by_label("Code of your class").fill(code)
        page.get_by_label("Your name").fill(ADA)
        page.get_by_role("button", name="Take my seat").click()
        page.wait_for_url("**/seat/**")
    with step("the terminal opens, and fits the page"):
        ada.sees("learner@box")
        height = page.locator("lab-terminal").bounding_box()["height"]
        page.wait_for_timeout(500)
        assert page.locator("lab-terminal").bounding_box()["height"] == height, "the terminal grows"
        stage.look("learner's seat", page)
    with step("a block of the guide is typed into the terminal"):
        page.get_by_role("button", name="Type it on box").click()
        ada.sees("found-42")
    with step("the learner types"):
        page.keyboard.type("echo by-$((40+2))-hand\n")
        ada.sees("by-42-hand")
    with step("the next page of the guide; the same shell"):
        page.get_by_role("button", name="Next").click()
        until(lambda: "Page 2 of 2" in page.locator("#guide").inner_text(), "page 2")
        ada.sees("by-42-hand")
    with step("a hand goes up"):
        page.get_by_label("What is it about?").fill("Where is my file?")
        page.get_by_role("button", name="Ask for help").click()
        until(lambda: page.get_by_role("button", name="I do not need it any more").count(), "the hand is up")
        ada.sees("by-42-hand")
    with step("a code for plain ssh"):
        page.get_by_role("button", name="Get a code").click()
        assert len(page.locator(".big").inner_text()) >= 8
        stage.look("code for ssh", page)
        page.goto("/")
        ada.sees("by-42-hand")
