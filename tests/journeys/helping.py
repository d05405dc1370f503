"""A trainer sees the hand, watches (and the learner is told), joins when the learner allows it, and gives the seat a fresh start."""

from __future__ import annotations

from tests.browser.chromium import until
from tests.journeys.coming_in import TRAINER
from tests.journeys.learning import ADA
from tests.journeys.stage import Stage


def walk(stage: Stage) -> None:
    step, ada, trainer = stage.telling.step, stage.person(ADA), stage.person(TRAINER)
    page = trainer.page
    told = ada.page.locator(".lab-with")
    with step("the hand stands in the queue of the board"):
        page.goto("/class/first-hour")
        ada.page.goto("/")
        until(lambda: "Ada Lovelace" in page.locator("#queue").inner_text(), "Ada waits")
        stage.look("board with a hand", page)
    with step("the trainer watches: sees the learner's screen, and the learner is told"):
        page.locator("#queue").get_by_role("link", name=ADA).click()
        page.get_by_role("link", name="Watch", exact=True).click()
        trainer.sees("by-42-hand")
        until(lambda: f"{TRAINER} is watching" in told.inner_text(), "the learner is told")
        stage.look("seat, watched", page)
    with step("what the trainer types while watching goes nowhere"):
        page.locator(".xterm-screen").click()
        page.keyboard.type("echo from-the-$((1+1))nd-chair\n")
        ada.page.locator(".xterm-screen").click()
        ada.page.keyboard.type("echo still-$((6*7))-mine\n")
        ada.sees("still-42-mine")
        assert "2nd-chair" not in ada.screen()
    with step("the trainer asks to join; the learner allows it; the trainer types"):
        page.get_by_role("link", name="Join", exact=True).click()
        trainer.sees("still-42-mine")
        stage.person(ADA)
        until(lambda: f"{TRAINER} asks to type along" in told.inner_text(), "the learner is asked")
        ada.page.locator("#state").get_by_role("button", name="Allow").click()
        until(lambda: f"{TRAINER} is typing along" in told.inner_text(), "it is allowed")
        page.locator(".xterm-screen").click()
        page.keyboard.type("echo from-the-$((1+1))nd-chair\n")
        ada.sees("from-the-2nd-chair")
    stage.person(TRAINER)
    with step("the trainer says that it is done"):
        page.get_by_role("button", name="Helped").click()
        until(lambda: page.get_by_role("button", name="Helped").count() == 0, "the hand is down")
    with step("the learner may ask again, on a page that was not loaded anew"):
        until(lambda: ada.page.get_by_role("button", name="Ask for help").count(), "the learner's hand is down")
    with step("the trainer resets the seat; the learner's page says so"):
        page.goto("/class/first-hour/seat/1/reset")
        page.locator("main form button.danger").click()
        until(lambda: "by-42-hand" not in ada.screen(), "the old shell is gone", 60)
    stage.person(ADA)
    with step("the learner's terminal comes back with a fresh machine, by itself"):
        until(lambda: ada.page.locator("#state .status.ready").count(), "ready again", 90)
        ada.sees("learner@box", 60)
        ada.page.locator(".xterm-screen").click()
        ada.page.keyboard.type("ls letter.txt\n")
        ada.sees("letter.txt")
