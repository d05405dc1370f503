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


def line(learner):
    return learner.page.locator(".lab-line").inner_text()


def away(world, learner):
    """Labctl is away, and the page has seen it."""
    port = world.api.port
    world.api.close()
    chromium.until(lambda: "Reconnecting" in line(learner), "the page says so")
    return port


def back(world, learner, port):
    world.api = world_here.Api(world.api.made, port)
    chromium.until(lambda: "Reconnecting" not in line(learner), "it is back")


def begin(learner):
    learner.sees("$")
    learner.page.locator(".xterm-screen").click()
    learner.page.keyboard.type("mine=$((6*7)); echo set-$mine\n")
    learner.sees("set-42")


def test_what_is_typed_while_the_connection_is_away_is_sent_to_the_same_shell_once(world, learner):
    begin(learner)
    with learner.without_server():
        port = away(world, learner)
        learner.page.keyboard.type("echo kept-$mine\n")
        assert "What you type is sent then." in line(learner)
        back(world, learner, port)
    learner.sees("kept-42")
    learner.page.keyboard.type("echo on-$mine\n")
    learner.sees("on-42")
    assert learner.screen().count("kept-42") == 1
    assert "What you type" not in line(learner)


def test_it_is_not_sent_to_a_shell_that_is_another(world, learner):
    begin(learner)
    with learner.without_server():
        port = away(world, learner)
        learner.page.keyboard.type("echo kept\n")
        world.stop_tmux()
        back(world, learner, port)
    chromium.until(lambda: "not the same shell any more" in line(learner), "it is said")
    learner.page.keyboard.type("echo new-$mine\n")
    learner.sees("new-\n")
    assert "kept" not in learner.screen()
    assert "not sent" not in line(learner), "until something is typed"


def test_too_much_is_not_sent_at_all_and_the_page_says_so_at_once(world, learner):
    begin(learner)
    with learner.without_server():
        port = away(world, learner)
        learner.page.keyboard.insert_text("echo " + "much " * 300)
        assert "too much to be kept" in line(learner)
        learner.page.keyboard.type("\n")
        back(world, learner, port)
    # What the terminal itself answers to the machine is nothing that was typed.
    learner.sees("set-42")
    assert "too much to be kept" in line(learner)
    learner.page.keyboard.type("echo then-$mine\n")
    learner.sees("then-42")
    assert "much" not in learner.screen()


def test_what_waited_for_too_long_is_not_sent(world, learner):
    begin(learner)
    learner.page.clock.install()
    with learner.without_server():
        port = away(world, learner)
        learner.page.keyboard.type("echo late\n")
        assert "What you type is sent then." in line(learner)
        learner.page.clock.fast_forward(31_000)
        chromium.until(lambda: "away for too long" in line(learner), "it is said")
        back(world, learner, port)
    learner.page.keyboard.type("echo then-$mine\n")
    learner.sees("then-42")
    assert "late" not in learner.screen()
