"""A learner whose terminal gets in no more is offered the machine's own screen on their page, and starting again."""

from __future__ import annotations

import pytest

from labctl import ports
from tests import desktop_here, world_here
from tests.browser import chromium

pytestmark = pytest.mark.skipif(
    bool(chromium.lacking() or desktop_here.MISSING),
    reason=chromium.lacking() or desktop_here.REASON or "there are a browser and a desktop",
)


class World(world_here.World):
    """Proxmox shows a real VNC server's picture, whichever machine is asked for."""

    def __init__(self, tmp_path):
        super().__init__(tmp_path)
        self.screen = desktop_here.Desktop(self.ground / "desktops1")

    def given(self):
        return {"consoles": desktop_here.Consoles(lambda _: self.ground / "desktops1" / "learner" / "rfb")}

    def close(self):
        self.screen.close()
        super().close()


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def learner(world, browser):
    environment = world.wiring.desk.seat("monday", 1)[1].id
    secret = world.wiring.tokens.create(ports.Token("ada", "learner", environment))
    person = browser.person("ada", world.api.url, extra_http_headers={"Authorization": f"Bearer {secret}"})
    person.page.goto(f"/seat/{environment}")
    return person


def test_once_the_machines_sshd_is_gone_the_page_offers_its_own_screen_where_the_learner_types(world, learner):
    learner.sees("$")
    offer = learner.page.locator("[data-console=box]")
    assert not offer.is_visible()
    # As long as the way in of this terminal is open, another may be opened through it.
    seat = learner.page.url
    learner.page.goto("about:blank")
    chromium.until(lambda: world.api.made.state.hall.guests.connections() == 0, "nobody is inside")
    world.sshd.close()
    learner.page.goto(seat)
    chromium.until(offer.is_visible, "its own screen is offered")
    chromium.until(lambda: "does not answer" in learner.page.locator("lab-terminal").inner_text(), "it is said that it does not answer")
    assert offer.is_visible(), "and it stays offered while that is tried again and again"
    assert offer.get_by_role("link", name="Start again").count() == 1
    offer.get_by_role("link", name="Screen of box").click()
    canvas = learner.page.locator("lab-desktop canvas")
    chromium.until(lambda: canvas.count() == 1, "the screen is there")
    chromium.until(lambda: bool(world.wiring.consoles.asked), "Proxmox was asked for it")
    chromium.until(lambda: "opens the console of box" in [line.text for line in world.wiring.journal.read(classroom="monday")], "written")

    def typed():
        # What is typed before the picture is there goes nowhere.
        canvas.click()
        learner.page.keyboard.type("m")
        return "m" in world.screen.typed

    chromium.until(typed, "what is typed arrives")
    assert learner.complaints == []
    assert world.api.made.state.policy_reports == 0
