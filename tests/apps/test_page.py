"""Web apps on the seat's page: where they may be framed, and what is shown where they have no addresses of their own."""

from __future__ import annotations

import pydantic
import pytest

from labctl import settings, visiting
from tests.api.browser import Browser


@pytest.fixture
def ada(own_world):
    browser = Browser(own_world.api.made)
    code = own_world.wiring.inviting.class_code("monday", who="eva")
    assert browser.form("/join", code=code, who="ada").status_code == 303
    return browser


def policy(answer):
    return dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))


def test_the_seats_page_may_frame_its_own_apps_and_no_other_page_may_frame_anything(own_world, ada):
    environment = own_world.wiring.desk.seat("monday", 1)[1].id
    page = ada.get(f"/seat/{environment}")
    mine = [f"http://{own_world.host(app=app, machine=machine)}" for app, machine in (("shop", "box"), ("other", "box"), ("quiet", "box"))]
    found = policy(page)["frame-src"].split()
    assert found[0] == "'self'"
    assert set(mine) <= set(found)
    assert f"http://{own_world.host(seat=2)}" not in found
    assert set(found) == set(policy(page)["form-action"].split())
    assert 'sandbox="allow-scripts allow-same-origin allow-forms allow-popups allow-downloads"' in page.text
    assert "frame-src" not in policy(ada.get("/check"))
    assert policy(ada.get("/check"))["form-action"] == "'self'"


def test_the_form_leads_to_the_app_and_a_form_of_another_site_does_not(own_world, ada):
    environment = own_world.wiring.desk.seat("monday", 1)[1].id
    answer = ada.post(f"/seat/{environment}/apps/shop", headers={"Origin": ada.origin}, follow_redirects=False)
    assert answer.status_code == 303
    assert own_world.show(answer.headers["location"]).status == 303
    for origin in ("http://evil.example", f"http://{own_world.host()}"):
        assert ada.post(f"/seat/{environment}/apps/shop", headers={"Origin": origin}, follow_redirects=False).status_code == 403
    other = own_world.wiring.desk.seat("monday", 2)[1].id
    assert ada.post(f"/seat/{other}/apps/shop", headers={"Origin": ada.origin}, follow_redirects=False).status_code == 404


def test_without_addresses_of_their_own_ssh_carries_apps_and_nothing_is_framed(own_world, ada):
    wired = own_world.wiring
    wired.__dict__["visiting"] = visiting.Visiting(wired.entering, wired.passes, wired.knowing.still, "")
    environment = wired.desk.seat("monday", 1)[1].id
    page = ada.get(f"/seat/{environment}")
    port = own_world.upstream.port
    assert f"ssh -N -L {port}:127.0.0.1:{port} ada+box@" in page.text
    assert f"http://127.0.0.1:{port}/start" in page.text
    assert "has no address here" in page.text  # `back`: on a machine that nobody may enter
    assert "<iframe" not in page.text
    assert "frame-src" not in policy(page)
    check = ada.get("/check")
    assert 'data-check="apps"' not in check.text, "there is nothing to try"
    assert policy(check)["connect-src"] == "'self'"
    assert ada.post(f"/seat/{environment}/apps/shop", headers={"Origin": ada.origin}, follow_redirects=False).status_code == 409


@pytest.mark.parametrize(
    ("given", "site"),
    [
        ({}, "http://localhost:8640"),
        ({"apps_port": 9000}, "http://localhost:9000"),
        ({"url": "http://127.0.0.1:8440"}, "http://localhost:8640"),
        ({"url": "https://labs.example.org"}, ""),
        ({"url": "https://labs.example.org", "apps_domain": "apps.example.net"}, "https://apps.example.net"),
        ({"url": "https://labs.example.org", "apps_domain": "apps.example.org:8443"}, "https://apps.example.org:8443"),
        ({"url": "http://labs.example.org"}, ""),
    ],
)
def test_where_apps_have_their_addresses_follows_from_the_settings(given, site):
    assert settings.Settings(**given).apps_site == site


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"url": "http://labs.example.org", "apps_domain": "apps.example.org"}, "needs a url that begins with https"),
        ({"apps_domain": "apps.example.org"}, "needs a url that begins with https"),
        ({"url": "https://labs.example.org", "apps_domain": "example.org"}, "must not be below apps_domain"),
        ({"url": "https://labs.example.org", "apps_domain": "labs.example.org"}, "must not be below apps_domain"),
        ({"url": "https://labs.example.org", "apps_domain": "https://apps.example.org"}, "match pattern"),
    ],
)
def test_addresses_that_are_not_safe_are_refused(given, says):
    with pytest.raises(pydantic.ValidationError, match=says):
        settings.Settings(**given)
