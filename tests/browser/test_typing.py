"""Nothing typed is lost: by a reload, or by sending it while labctl is away; and a page that follows says that it is old meanwhile."""

from __future__ import annotations

import pytest

from api import app
from labctl import ports
from tests import world_here
from tests.browser import chromium

pytestmark = pytest.mark.skipif(bool(chromium.lacking()), reason=chromium.lacking() or "there is a browser")


@pytest.fixture
def ada(world, browser):
    environment = world.wiring.desk.seat("monday", 1)[1].id
    secret = world.wiring.tokens.create(ports.Token("ada", "learner", environment))
    made = browser.person("ada", world.api.url, extra_http_headers={"Authorization": f"Bearer {secret}"})
    made.page.goto(f"/seat/{environment}")
    return made


@pytest.fixture
def eva(world, browser):
    made = browser.person("eva", world.api.url)
    secret, _ = world.wiring.inviting.to_class("monday", "Eva", "eva@example.org", who="it")
    made.page.goto(f"/invitation/{secret}")
    made.page.locator("input[type=password]").first.fill("correct horse battery staple")
    made.page.locator("main form button.main").first.click()
    made.page.wait_for_url("**/")
    made.page.goto("/class/monday")
    return made


def field(someone, label):
    return someone.page.get_by_label(label)


def sent(someone, button):
    """The form, and the page behind it is there: what it shows may be on this one before."""
    with someone.page.expect_navigation():
        button.click()


def test_what_a_learner_asks_survives_a_reload_and_is_gone_once_it_was_sent(world, browser, ada):
    field(ada, "What is it about?").fill("pipes")
    ada.page.reload()
    assert field(ada, "What is it about?").input_value() == "pipes"
    sent(ada, ada.page.get_by_role("button", name="Ask for help"))
    sent(ada, ada.page.get_by_role("button", name="I do not need it any more"))
    assert field(ada, "What is it about?").input_value() == ""
    assert world.wiring.helping.queue("monday") == ()
    chromium.until(lambda: "said=" not in ada.page.url, "what was done is said once")
    assert browser.complaints == []


def test_a_message_that_was_begun_is_there_when_its_dialog_opens_again_and_gone_after_signing_out(eva):
    eva.page.get_by_role("link", name="Message").click()
    eva.page.locator("#text").fill("Break until ten")
    eva.page.keyboard.press("Escape")
    eva.page.get_by_role("link", name="Message").click()
    assert eva.page.locator("#text").input_value() == "Break until ten"
    sent(eva, eva.page.locator("dialog button.main"))
    eva.page.get_by_text("Break until ten").first.wait_for(state="attached")
    eva.page.goto("/class/monday/message")
    assert eva.page.locator("#text").input_value() == ""
    eva.page.locator("#text").fill("One more")
    eva.page.get_by_role("button", name="Sign out").click()
    eva.page.wait_for_url("**/sign-in")
    assert eva.page.evaluate("Object.keys(sessionStorage).filter((one) => one.startsWith('labctl-draft-'))") == []


def test_while_labctl_is_away_a_page_says_so_and_keeps_what_is_sent_until_it_is_back(world, browser, ada):
    away = ada.page.locator("#away")
    chromium.until(lambda: len(world.api.made.state.streams) == 1, "the page follows")
    assert not away.is_visible()
    with browser.without_server():
        world.api.close()
        away.wait_for(state="visible")
        field(ada, "What is it about?").fill("pipes")
        ada.page.get_by_role("button", name="Ask for help").click()
        ada.page.get_by_text("Not sent: labctl does not answer just now.").wait_for()
        assert field(ada, "What is it about?").input_value() == "pipes"
        world.api = world_here.Api(app.create(world.wiring), world.api.port)
        away.wait_for(state="hidden", timeout=180_000)  # it is tried again after twice as long each time
    assert ada.page.get_by_text("Not sent").count() == 0
    ada.page.get_by_role("button", name="Ask for help").click()
    chromium.until(lambda: world.wiring.helping.queue("monday"), "the hand is up")
    assert world.wiring.helping.hand("monday", 1).text == "pipes"
