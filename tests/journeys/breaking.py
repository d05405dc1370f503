"""The API is killed while a learner types, and comes back: same shell, nothing lost. Two tabs show the same."""

from __future__ import annotations

from tests.browser.chromium import until
from tests.journeys.learning import ADA
from tests.journeys.stage import Stage


def walk(stage: Stage) -> None:
    step, ada = stage.telling.step, stage.person(ADA)
    page = ada.page
    with step("a shell with something in it"):
        page.goto("/")
        ada.sees("learner@box")
        page.locator(".xterm-screen").click()
        page.keyboard.type("mine=$((6*7)); echo set-$mine\n")
        ada.sees("set-42")
        page.keyboard.type("for i in $(seq 1 60); do echo $i >> count; sleep 1; done &\n")
        page.keyboard.type("echo half-")
        ada.sees("half-")
    with stage.chromium.without_server():
        with step("kill -9 of the API; the page says that it reconnects"):
            assert "kill -9" in stage.kill_api()
            until(lambda: "Reconnecting" in page.locator(".lab-line").inner_text(), "it says so")
        with step("the API comes back, and so does the same shell with what was typed"):
            stage.house.run("up")
            until(lambda: "Reconnecting" not in page.locator(".lab-line").inner_text(), "it is back", 60)
            ada.sees("half-", 60)
    with step("the learner types on"):
        page.locator(".xterm-screen").click()
        page.keyboard.type("$mine-whole; test -s count && echo counted-$((1+1))\n")
        ada.sees("half-42-whole")
        ada.sees("counted-2")
    with step("a second tab shows the same shell, and both may type"):
        second = ada.tab()
        second.goto(page.url)
        ada.sees("half-42-whole", page=second)
        second.locator(".xterm-screen").click()
        second.keyboard.type("echo two-$((1+1))-tabs\n")
        ada.sees("two-2-tabs")
        second.close()
