"""Pages that follow what happens: whoever signs out elsewhere is led to signing in; a question is answered without a reload."""

from __future__ import annotations

import pytest

from labctl import ports
from labctl.model import viewing
from tests.browser import chromium

pytestmark = pytest.mark.skipif(bool(chromium.lacking()), reason=chromium.lacking() or "there is a browser")

LOOKED_AT = "(seen) => { Object.defineProperty(document, 'hidden', {configurable: true, get: () => !seen}); \
document.dispatchEvent(new Event('visibilitychange')); }"


@pytest.fixture
def browser():
    with chromium.Chromium() as made:
        yield made
        # htmx says so itself.
        assert [one for one in made.complaints if "SSE reconnect failed with status 401" not in one] == []


@pytest.fixture
def otto(world, browser):
    """Otto, who runs the class, with its board open."""
    person = browser.person("otto", world.api.url)
    secret, _ = world.wiring.inviting.to_class("monday", "Otto", "otto@example.com", who="eva")
    person.page.goto(f"/invitation/{secret}")
    person.page.locator("input[type=password]").first.fill("correct horse battery staple")
    person.page.locator("main form button.main").first.click()
    person.page.wait_for_url("**/")
    person.page.goto("/class/monday")
    chromium.until(lambda: len(world.api.made.state.streams) == 1, "the board follows")
    return person


def sign_out(person):
    other = person.tab()
    other.goto("/")
    other.get_by_role("button", name="Sign out").click()
    other.wait_for_url("**/sign-in")
    return other


def test_a_board_that_is_open_leads_to_signing_in_and_back(world, otto):
    sign_out(otto)
    otto.page.wait_for_url("**/sign-in?next=/class/monday")
    assert "That page is for people who are signed in." in otto.page.locator("main").inner_text()
    chromium.until(lambda: len(world.api.made.state.streams) == 0, "nothing is sent any more")
    otto.page.get_by_label("Mail address").fill("otto@example.com")
    otto.page.locator("#password").fill("correct horse battery staple")
    otto.page.locator("main form button.main").click()
    otto.page.wait_for_url("**/class/monday")


def test_a_board_that_nobody_looked_at_meanwhile_does_so_too(world, otto):
    otto.page.evaluate(LOOKED_AT, False)
    chromium.until(lambda: len(world.api.made.state.streams) == 0, "a page in the background follows nothing")
    sign_out(otto)
    otto.page.bring_to_front()
    otto.page.evaluate(LOOKED_AT, True)
    otto.page.wait_for_url("**/sign-in?next=/class/monday")


def test_a_learner_is_asked_once_in_sight_and_answers_without_a_reload(world, browser):
    environment = world.wiring.desk.seat("monday", 1)[1].id
    secret = world.wiring.tokens.create(ports.Token("ada", "learner", environment))
    ada = browser.person("ada", world.api.url, extra_http_headers={"Authorization": f"Bearer {secret}"})
    ada.page.goto(f"/seat/{environment}")
    ada.sees("$")
    ada.page.evaluate("window.stayed = true")
    ada.page.locator("lab-terminal").scroll_into_view_if_needed()
    trainer = {"who": "Eva", "staff": True, "proof": ""}
    world.wiring.terminals.ticket("monday", 1, "box", viewing.Mode.JOIN, **trainer)
    allow = ada.page.get_by_role("button", name="Allow")
    chromium.until(allow.count, "the question is there")
    assert allow.count() == 1
    assert chromium.until(allow.bounding_box, "it is shown")["y"] >= 0, "whoever works further down sees it"
    allow.click()
    chromium.until(lambda: "Trainers may type on your machines." in ada.page.locator("#state").inner_text(), "it is allowed")
    # By the answer to the form, which may come after the news of the seat.
    chromium.until(lambda: "may type along now" in ada.page.locator("#said").inner_text(), "it is said")
    assert ada.page.evaluate("window.stayed") is True
