"""A course with a web app: the trainer opens it for one learner, who sees the app beside the guide."""

from __future__ import annotations

from tests.browser.chromium import until
from tests.journeys.coming_in import TRAINER
from tests.journeys.learning import class_code
from tests.journeys.stage import Stage

EVE, COURSE = "Eve Browser", "web-attack-basics"


def walk(stage: Stage) -> None:
    step, trainer = stage.telling.step, stage.person(TRAINER)
    with step("the trainer opens a class with a web app"):
        trainer.page.goto(f"/open?blueprint={COURSE}")
        trainer.page.get_by_role("textbox", name="Learners").fill(f"{EVE}, eve@example.org")
        trainer.page.get_by_role("button", name="Open class").click()
        trainer.page.wait_for_url(f"**/class/{COURSE}**")
        code = class_code(trainer.page)
    eve = stage.person(EVE)
    page = eve.page
    with step("the learner comes before the machines are ready, and sees how they become so"):
        page.goto("/join")
        page.get_by_label("Code of your class").fill(code)
        page.get_by_label("Your name").fill(EVE)
        page.get_by_role("button", name="Take my seat").click()
        page.wait_for_url("**/seat/**")
        stage.look("learner's seat, not ready", page)
        until(lambda: page.locator("#state .status.ready").count(), "the seat is ready", 300)
    with step("the app is there without a reload, and opens beside the guide"):
        page.get_by_role("tab", name="The shop").click()
        page.get_by_role("button", name="Show The shop here").click()
        shop = page.frame_locator("iframe.app")
        until(lambda: "Lamp & Lantern" in shop.locator("body").inner_text(), "the shop's front")
        stage.look("learner's seat with a web app", page)
    with step("the app answers what is typed into it"):
        shop.locator("input").first.fill("lantern")
        shop.locator("input").first.press("Enter")
        until(lambda: "Storm lantern" in shop.locator("body").inner_text(), "what the shop found")
    stage.house.run("class", "close", COURSE, "--yes")
