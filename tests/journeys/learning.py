"""A learner with nothing but a code: joins, follows the guide, types, turns the page, does its tasks, raises a hand."""

from __future__ import annotations

from typing import Any

from tests.browser.chromium import until
from tests.journeys.coming_in import TRAINER
from tests.journeys.stage import Stage

ADA = "Ada Lovelace"


def walk(stage: Stage) -> None:
    step, trainer = stage.telling.step, stage.person(TRAINER)
    with step("the trainer makes a code for the class on its board"):
        trainer.page.goto("/class/first-hour")
        code = class_code(trainer.page)
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
    with step("a check says what is missing"):
        task = page.locator("#task-done")
        task.get_by_role("button", name="Check", exact=True).click()
        until(lambda: "There is no done.txt in your home yet." in task.inner_text(), "what is missing")
        stage.look("learner's seat with tasks", page)
    with step("the learner does it, and passes the check"):
        page.get_by_role("button", name="Type it on box").click()
        ada.sees("done.txt")
        task.get_by_role("button", name="Check", exact=True).click()
        until(lambda: "✓" in task.inner_text(), "the task is done")
        stage.look("learner's seat with a task done", page)
    with step("an answer in the learner's own words: wrong, and still there to be put right"):
        answer = page.locator("#task-letter")
        answer.get_by_label("Your answer").fill("nothing of the kind")
        answer.get_by_role("button", name="Answer", exact=True).click()
        until(lambda: "That is not it." in answer.inner_text(), "it is wrong")
        assert answer.get_by_label("Your answer").is_visible()
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


def class_code(board: Any) -> str:
    """A code, made on the board: what the trainer reads to the class."""
    if not board.locator(".ways[open]").count():
        board.locator(".ways summary").click()
    board.locator(".ways").get_by_role("button", name="Make a code").click()
    shown: str = board.locator(".ways .big code").inner_text()
    return shown
