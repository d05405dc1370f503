"""The browser check tries the host names of web apps: an address that is nobody's app answers labctl's own pages, and nobody else."""

from __future__ import annotations

import pytest

from labctl.model import web_apps
from tests.browser import chromium

CHECK = web_apps.CHECK_PATH


def host(world):
    return web_apps.address(world.site, web_apps.CHECK).partition("://")[2]


def test_labctls_pages_are_answered_there_and_no_other_page_is(world):
    own = f"http://127.0.0.1:{world.api.port}"
    answer = world.get(CHECK, host=host(world), Origin=own)
    assert (answer.status, answer.getheader("access-control-allow-origin"), answer.content) == (204, own, b"")
    for origin in ({}, {"Origin": "http://evil.example"}, {"Origin": f"http://{world.host()}"}):
        refused = world.get(CHECK, host=host(world), **origin)
        assert (refused.status, refused.getheader("access-control-allow-origin")) == (404, None)
    assert world.get(CHECK, host=host(world), method="POST", Origin=own).status == 404


def test_at_an_apps_own_name_it_is_a_path_like_any_other_and_at_that_name_is_nothing_else(world):
    asks = {"Origin": f"http://127.0.0.1:{world.api.port}"}
    assert world.get(CHECK, **asks).status == world.get("/told", **asks).status == 404
    cookie = world.cookie()
    assert world.get(CHECK, cookie=cookie, **asks).status == 403, "another page asks"
    assert world.get("/", host=host(world), **asks).status == 404


@pytest.mark.skipif(bool(chromium.lacking()), reason=chromium.lacking() or "there is a browser")
def test_the_page_says_whether_this_browser_gets_there_and_what_it_has_to_do_if_not(own_world):
    with chromium.Chromium() as browser:
        somebody = browser.person("somebody", own_world.api.url)
        line = somebody.page.locator("[data-check=apps]")
        somebody.page.goto("/check")
        chromium.until(lambda: "Web apps of machines can be opened." in line.inner_text(), "it got there")
        assert line.get_attribute("class") == "good"
        assert browser.complaints == []
        with browser.without_server():
            # As where no name leads there.
            somebody.page.route(f"http://{host(own_world)}/**", lambda asked: asked.abort())
            somebody.page.goto("/check")
            chromium.until(
                lambda: f"Tell your IT department that all names *.localhost:{own_world.port}" in line.inner_text(), "it did not"
            )
        assert own_world.api.made.state.policy_reports == 0
