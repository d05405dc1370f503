"""Without a mouse, on a phone, at 200 %, with less motion."""

from __future__ import annotations

import time
from typing import Any

from tests.browser.chromium import Person, until
from tests.journeys.coming_in import TRAINER
from tests.journeys.learning import ADA
from tests.journeys.stage import Stage

NARROW = ("/", "/open", "/blueprints", "/blueprints/linux-first-steps", "/check", "/account", "/class/first-hour", "/class/first-hour/wall",
          "/class/first-hour/journal", "/class/first-hour/seat/1", "/class/first-hour/close", "/class/first-hour/message")  # fmt: skip


def walk(stage: Stage) -> None:
    step, ada, trainer = stage.telling.step, stage.person(ADA), stage.person(TRAINER)
    with step("with the keyboard alone, from an empty page to an open class in less than a minute"):
        begun = time.monotonic()
        trainer.page.goto("/open")
        _to(trainer, "#blueprint")
        trainer.page.keyboard.type("The first")
        _to(trainer, "#learners")
        trainer.page.keyboard.type("Key Board, key@example.org")
        _to(trainer, "main button.main")
        trainer.page.keyboard.press("Enter")
        trainer.page.wait_for_url("**/class/**")
        assert time.monotonic() - begun < 60
        until(lambda: "1 ready" in trainer.page.locator("#head").inner_text(), "ready", 120)
        stage.house.run("class", "close", trainer.page.url.rpartition("/class/")[2].partition("?")[0], "--yes")
    stage.person(ADA)
    with step("the keyboard leads into the terminal and out again"):
        ada.page.reload()
        ada.sees("learner@box")
        _to(ada, "lab-terminal textarea", most=60)
        ada.page.keyboard.type("echo no-$((0))-mouse\n")
        ada.sees("no-0-mouse")
        ada.page.keyboard.press("Control+Shift+M")
        assert ada.page.evaluate("!document.activeElement.closest('.lab-screen')")
    for width, scale, what in ((360, 1, "360 px wide"), (640, 2, "1280 px at 200 %")):
        # What a browser does at 200 % is to make half as many pixels of its own twice as large.
        with step(f"{what}: no page is wider than its window"):
            _narrow(stage, trainer, width, NARROW)
            _narrow(stage, ada, width, ("/",))
        assert scale
    with step("a phone's keys are there, and Ctrl works"):
        ada.page.set_viewport_size({"width": 360, "height": 740})
        ada.page.goto("/")
        # It lies below the guide there, and begins once it is in sight.
        ada.page.locator("lab-terminal").scroll_into_view_if_needed()
        ada.sees("learner@box")
        ada.page.locator(".lab-keys").get_by_role("button", name="Ctrl").click()
        ada.page.locator(".xterm-helper-textarea").focus()
        ada.page.keyboard.type("l")
        until(lambda: ada.page.locator('.lab-keys [aria-pressed="false"]').count() == 1, "Ctrl is let go")
        stage.look("learner's seat on a phone", ada.page)
        ada.page.set_viewport_size({"width": 1280, "height": 800})
    with step("whoever asks for less motion gets none"):
        ada.page.emulate_media(reduced_motion="reduce")
        moving = "[...document.querySelectorAll('*')].filter(e => parseFloat(getComputedStyle(e).transitionDuration) > 0.01).length"
        assert ada.page.evaluate(moving) == 0
        ada.page.emulate_media(reduced_motion="no-preference")


def _to(person: Person, selector: str, most: int = 40) -> None:
    """Press Tab until it has the focus."""
    for _ in range(most):
        person.page.keyboard.press("Tab")
        if person.page.evaluate("(selector) => document.activeElement?.matches(selector) ?? false", selector):
            return
    msg = f"Tab never comes to {selector}"
    raise AssertionError(msg)


def _narrow(stage: Stage, person: Person, width: int, addresses: Any) -> None:
    stage.person(person.name)
    person.page.set_viewport_size({"width": width, "height": 740})
    too_wide = []
    for address in addresses:
        person.page.goto(address)
        if over := person.wide():
            too_wide.append(f"{address} by {over} px")
    person.page.set_viewport_size({"width": 1280, "height": 800})
    assert not too_wide, ", ".join(too_wide)
