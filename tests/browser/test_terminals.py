"""The terminal in a browser over a real API and a real OpenSSH server: opens, types, keeps its height, comes back after the API went."""

from __future__ import annotations

import pytest

from labctl import ports
from tests import world_here
from tests.browser import chromium

pytestmark = pytest.mark.skipif(bool(chromium.lacking()), reason=chromium.lacking() or "there is a browser")

PRESS = """() => {
  const button = document.createElement('button');
  Object.assign(button.dataset, {type: 'echo typed-$((6*7))', enter: ''});
  document.body.append(button);
  button.click();
}"""


@pytest.fixture
def silent(world):
    """Nobody listens on the learner's machine, before they come."""
    world.sshd.close()


@pytest.fixture
def learner(world):
    environment = world.wiring.desk.seat("monday", 1)[1].id
    secret = world.wiring.tokens.create(ports.Token("ada", "learner", environment))
    with chromium.Chromium() as browser:
        person = browser.person("ada", world.api.url, extra_http_headers={"Authorization": f"Bearer {secret}"})
        person.page.goto(f"/seat/{environment}")
        yield person


def test_a_terminal_opens_types_keeps_its_height_and_comes_back_after_the_api_went(world, learner):
    learner.sees("$")
    height = learner.page.locator("lab-terminal").bounding_box()["height"]
    learner.page.locator(".xterm-screen").click()
    learner.page.keyboard.type("mine=$((6*7)); echo set-$mine\n")
    learner.sees("set-42")
    assert learner.page.locator("lab-terminal").bounding_box()["height"] == height
    with learner.without_server():
        port = world.api.port
        world.api.close()
        chromium.until(lambda: "Reconnecting" in learner.page.locator(".lab-line").inner_text(), "the page says so")
        world.api = world_here.Api(world.api.made, port)
        chromium.until(lambda: "Reconnecting" not in learner.page.locator(".lab-line").inner_text(), "it is back")
    learner.page.keyboard.type("echo same-$mine\n")
    learner.sees("same-42")
    assert learner.complaints == []
    assert world.api.made.state.policy_reports == 0


@pytest.mark.usefixtures("silent")
def test_a_machine_that_does_not_answer_is_said_to_be_so_with_what_to_do(learner):
    chromium.until(lambda: "does not answer" in learner.page.locator(".lab-line").inner_text(), "the page says so", seconds=60)
    assert learner.page.get_by_role("button", name="Open again").count() == 0, "it is tried again by itself"
    assert learner.page.locator("#terminal-box").get_by_role("link", name="Start again").is_visible()


def test_a_block_of_the_guide_is_typed_into_a_terminal_that_was_not_seen_yet(learner):
    learner.page.set_viewport_size({"width": 360, "height": 300})
    learner.page.reload()
    assert not learner.page.locator(".lab-screen").count(), "it has begun: this shows nothing"
    learner.page.evaluate(PRESS)
    learner.sees("typed-42")
    assert learner.complaints == []
