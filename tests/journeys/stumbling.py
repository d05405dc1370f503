"""What goes wrong at the door: each gets a sentence and a button that works, and nothing typed is lost."""

from __future__ import annotations

from typing import Any

from tests.browser.chromium import until
from tests.journeys.coming_in import TRAINER
from tests.journeys.stage import Stage


def walk(stage: Stage) -> None:
    step, bob, trainer = stage.telling.step, stage.person("Bob"), stage.person(TRAINER)
    stage.person("Bob")
    with step("a wrong code: a sentence, and what was typed is still there"):
        bob.page.goto("/join")
        bob.page.get_by_label("Code of your class").fill("wr0ngc0de")
        bob.page.get_by_label("Your name").fill("Bob Builder")
        bob.page.get_by_role("button", name="Take my seat").click()
        assert bob.page.get_by_role("alert").inner_text()
        assert bob.page.get_by_label("Your name").input_value() == "Bob Builder"
        stage.look("join, refused", bob.page)
    with step("an expired link: a sentence, and a button to the sign-in page"):
        bob.page.goto("/invitation/there-was-never-such-a-link")
        _sentence_and_button(bob.page)
        bob.page.get_by_role("link", name="sign-in").first.click()
        bob.page.wait_for_url("**/sign-in**")
    with step("an unknown seat asks to sign in first"):
        bob.page.goto("/seat/nowhere")
        bob.page.wait_for_url("**/sign-in?next=**")
    stage.person(TRAINER)
    with step("an unknown seat, class and address: a sentence, and a button that works"):
        for address in ("/seat/nowhere", "/class/nowhere", "/class/first-hour/seat/99", "/nowhere"):
            trainer.page.goto(address)
            _sentence_and_button(trainer.page)
        stage.look("problem", trainer.page)
        trainer.page.locator("main .button").last.click()
        trainer.page.wait_for_url(f"{stage.origin}/")
    with step("a reload loses nothing of what was typed to open a class"):
        trainer.page.goto("/open?blueprint=first-hour")
        trainer.page.get_by_role("textbox", name="Learners").fill("Typed Once, typed@example.org")
        trainer.page.get_by_label("Spare seats").fill("2")
        trainer.page.reload()
        until(lambda: "typed@example.org" in trainer.page.get_by_role("textbox", name="Learners").input_value(), "the list is still there")
        assert trainer.page.get_by_label("Spare seats").input_value() == "2"
        # What stays typed would be in the next journey's way.
        trainer.page.get_by_role("textbox", name="Learners").fill("")
        trainer.page.get_by_label("Spare seats").fill("0")
    stage.person("Bob")
    with step("the browser check says what this browser can do"):
        bob.page.goto("/check")
        lines = bob.page.locator("#checks li").count()
        until(lambda: bob.page.locator("#checks .good").count() == lines, "page, scripts, WebSocket, where apps have addresses their names")
        stage.look("browser check", bob.page)


def _sentence_and_button(page: Any) -> None:
    assert len(page.get_by_role("alert").inner_text()) > 20
    assert page.locator("main .button").count() >= 1
