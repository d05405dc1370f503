"""What a hostile app may not do to its visitors, in a real browser (`access.md` 5): each row beside what the browser lets it do."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from labctl.apps import heads
from labctl.model import people
from tests.apps.conftest import World, until

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")

ATTACKS = """<!doctype html><title>hostile</title><p id="done">no</p><script>
const result = {};
async function reads(url, how) {
  try { const answer = await fetch(url, how); return `${answer.type} ${answer.status}`; } catch (error) { return "blocked"; }
}
function opens(url) {
  return new Promise(done => {
    const socket = new WebSocket(url);
    socket.onopen = () => done("open");
    socket.onerror = () => done("refused");
  });
}
(async () => {
  result.own = await reads("/told", {method: "POST", body: "x"});
  result.ownSocket = await opens(location.origin.replace("http", "ws") + "/ws");
  result.ticket = await reads("LABCTL/api/v1/classrooms/monday/seats/2/tickets", {method: "POST", credentials: "include", body: "{}"});
  result.page = await reads("LABCTL/", {credentials: "include"});
  result.terminal = await opens("LABCTL/ws/terminal".replace("http", "ws"));
  result.otherSeat = await reads("OTHER/told", {credentials: "include"});
  result.otherSocket = await opens("OTHER/ws".replace("http", "ws"));
  document.cookie = "labctl=evil; Path=/"; document.cookie = "labctl=evil; Path=/; Domain=localhost"; document.cookie = "mine=1; Path=/";
  document.cookie = "COOKIE=evil; Path=/; Secure";
  result.seen = document.cookie;
  const frame = document.createElement("iframe"); frame.name = "labctl"; frame.src = "LABCTL/sign-in"; document.body.append(frame);
  await new Promise(done => { frame.onload = done; setTimeout(done, 5000); });
  try { await navigator.serviceWorker.register("/worker.js"); result.worker = "registered"; } catch (error) { result.worker = "refused"; }
  if (top !== self) try { top.location = "http://evil.localhost/"; } catch (error) { result.top = "blocked"; }
  document.getElementById("done").textContent = JSON.stringify(result);
})();
</script>"""


class Chromium:
    """A browser in which Ada is signed in, before a world whose apps are hostile."""

    def __init__(self, tmp_path):
        self.world = World(tmp_path)
        self._playwright = sync_api.sync_playwright().start()
        how = ["--no-sandbox", "--no-proxy-server"]
        self._browser = self._playwright.chromium.launch(executable_path=CHROMIUM, args=how, timeout=180_000)
        self.context = self._browser.new_context()
        self.context.set_default_timeout(60_000)
        database, clock = self.world.wiring.database, self.world.wiring.clock
        for seat, name in ((1, "ada"), (2, "grace")):
            database.sit(people.Sitting("monday", seat, name))
        self.secret = database.begin_session(clock.now() + timedelta(hours=8), sitting=people.Sitting("monday", 1, "ada"))
        self.context.add_cookies([{"name": "labctl", "value": self.secret, "url": self.world.api.url, "httpOnly": True, "sameSite": "Lax"}])
        self.other = f"http://{self.world.host(seat=2)}"
        text = ATTACKS.replace("LABCTL", self.world.api.url).replace("OTHER", self.other).replace("COOKIE", heads.COOKIE)
        self.world.upstream.pages["/start"] = text
        self.world.upstream.pages["/worker.js"] = (
            "self.addEventListener('fetch', event => event.respondWith(new Response('caught by a worker')));"
            "self.addEventListener('activate', event => event.waitUntil(clients.claim()));"
        )

    def seat(self):
        page = self.context.new_page()
        environment = self.world.wiring.desk.seat("monday", 1)[1].id
        page.goto(f"{self.world.api.url}/seat/{environment}")
        page.get_by_role("tab", name="The shop").click()
        return page

    def close(self):
        self._browser.close()
        self._playwright.stop()
        self.world.close()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    made = Chromium(tmp_path_factory.mktemp("chromium"))
    yield made
    made.close()


def results(frame):
    text = until(lambda: (said := frame.locator("#done").text_content()) != "no" and said)
    return json.loads(text)


def refused(found):
    """What the attacks came to, and what the app may do beside it."""
    assert found["own"] == "basic 200"
    assert found["ownSocket"] == "open"
    assert found["ticket"] in {"blocked", "opaque 0"}
    assert found["page"] in {"blocked", "opaque 0"}
    assert found["terminal"] == "refused"
    assert found["otherSeat"] == "blocked"
    assert found["otherSocket"] == "refused"
    assert "evil" not in found["seen"].replace("labctl=evil", "")
    assert heads.COOKIE not in found["seen"]


def test_in_a_frame_of_the_seats_page_an_app_works_and_reaches_nothing_of_labctls(chromium):
    page = chromium.seat()
    page.get_by_role("button", name="Show The shop here").click()
    frame = page.frame_locator('iframe[name="app-shop"]')
    refused(results(frame))
    assert page.url.startswith(chromium.world.api.url), "the frame moved the page around it"
    # Labctl's page inside the app's: the browser shows an error instead.
    inner = [one for one in page.frames if one.name == "labctl"]
    assert all("sign-in" not in one.url or one.url.startswith("chrome-error") for one in inner), [one.url for one in inner]
    kept = {one["name"]: one["value"] for one in chromium.context.cookies(chromium.world.api.url)}
    assert kept["labctl"] == chromium.secret
    # That one refusal and nothing else: labctl's own page around the app keeps to its policy.
    state = chromium.world.api.made.state
    until(lambda: state.policy_reports)
    assert state.policy_reports == 1


def test_in_a_tab_of_its_own_too_and_a_worker_catches_its_own_host_only(chromium):
    page = chromium.seat()
    with chromium.context.expect_page() as opened:
        page.get_by_role("button", name="Open The shop in a tab of its own").click()
    tab = opened.value
    tab.wait_for_url("**/start")
    found = results(tab)
    assert found["worker"] == "registered"
    until(lambda: "caught by a worker" in (tab.goto(f"http://{chromium.world.host()}/start") and tab.content()))
    assert chromium.context.new_page().goto(f"{chromium.world.api.url}/sign-in").status == 200
    other = page.context.new_page()
    other.goto(f"http://{chromium.world.host(app='other')}/")
    assert "caught by a worker" not in other.content()
    kept = {one["name"]: one["value"] for one in chromium.context.cookies(chromium.world.api.url)}
    assert kept["labctl"] == chromium.secret


def test_the_cookie_is_partitioned_secure_and_of_one_host(chromium):
    page = chromium.seat()
    page.get_by_role("button", name="Show The shop here").click()
    # An app's script may write a cookie of that name for its own host, and shuts nobody but itself out.
    mine = until(lambda: [one for one in chromium.context.cookies() if one["name"] == heads.COOKIE and one["value"] != "evil"])
    assert {one["domain"] for one in mine} == {urlsplit(f"http://{chromium.world.host()}").hostname}
    assert all(one["secure"] and one["httpOnly"] and one["sameSite"] == "None" for one in mine)


def test_when_the_class_closes_the_apps_socket_closes(chromium):
    chromium.world.upstream.pages["/start"] = (
        "<p id=done>no</p><script>const s = new WebSocket(location.origin.replace('http', 'ws') + '/ws');"
        "const say = text => document.getElementById('done').textContent = text;"
        "s.onopen = () => say('open'); s.onclose = () => say('closed');</script>"
    )
    page = chromium.context.new_page()
    page.goto(chromium.world.ticket(app="other"))
    page.goto(f"http://{chromium.world.host(app='other')}/start")
    until(lambda: page.locator("#done").text_content() == "open")
    chromium.world.wiring.desk.close("monday", who="eva")
    until(lambda: page.locator("#done").text_content() == "closed")
