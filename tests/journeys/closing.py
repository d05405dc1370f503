"""The class closes while a learner is at work: the terminal says so. IT signs in and sees it happen."""

from __future__ import annotations

from typing import Any

from tests.browser.chromium import until
from tests.journeys.coming_in import IT, TRAINER
from tests.journeys.learning import ADA
from tests.journeys.stage import Stage

KEEP = """() => {
  window.left = '';
  new MutationObserver(() => { window.left += document.querySelector('#leaving ul')?.textContent ?? ''; })
    .observe(document.body, {childList: true, subtree: true, characterData: true});
}"""
"""Machines may be gone within a second: what the page shows meanwhile is kept."""


def walk(stage: Stage) -> None:
    step, ada, trainer, it = stage.telling.step, stage.person(ADA), stage.person(TRAINER), stage.person(IT)
    with step("IT sees the running class and every part of labctl well"):
        ada.page.goto("/")
        ada.sees("learner@box")
        it.page.goto("/it")
        assert "first-hour" in it.page.locator("main").inner_text()
        assert it.page.locator(".checks .bad").count() == 0
        stage.look("IT today", it.page)
        it.page.evaluate("window.neverLoadedAnew = true")
        it.page.evaluate(KEEP)
    stage.person(TRAINER)
    with step("the trainer writes to everybody; the learner reads it at once"):
        trainer.page.goto("/class/first-hour/message")
        trainer.page.get_by_label("text").fill("Five minutes left.")
        trainer.page.locator("main form button").click()
        until(lambda: "Five minutes left." in ada.page.locator("#state").inner_text(), "the message is there")
    with step("the trainer closes the class"):
        trainer.page.goto("/class/first-hour/close")
        trainer.page.locator("main form button").click()
        trainer.page.wait_for_url("**/class/first-hour?**")
    stage.person(ADA)
    with step("the learner's terminal says so"):
        until(lambda: "closed" in ada.page.locator(".lab-line").inner_text(), "the terminal is closed")
    stage.person(IT)
    with step("IT sees the removals, live"):
        until(lambda: "first-hour" in it.page.evaluate("window.left") or _over(it.page), "they are being removed, or are gone already", 30)
    stage.person(TRAINER)
    with step("the trainer sees that everything is gone"):
        until(lambda: "3 gone" in trainer.page.locator("#head").inner_text(), "3 gone", 120)
        stage.look("board, closed", trainer.page)
    stage.person(IT)
    with step("and so does IT, on a page that was never loaded anew"):
        until(lambda: "first-hour" not in it.page.locator("#leaving").inner_text(), "nothing is left", 60)
        assert it.page.evaluate("window.neverLoadedAnew")


def _over(page: Any) -> bool:
    """Whether the class is among the running ones no more."""
    return bool(page.locator('#now h3 a[href="/class/first-hour"]').count() == 0)
