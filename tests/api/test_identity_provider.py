"""Signing in by OpenID Connect at a real provider on loopback; and every answer that must not be believed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from joserfc import jwk

from labctl.model.people import Role
from tests import oidc_here
from tests.api.browser import Browser

EVA = {"sub": "123", "name": "Eva", "email": "Eva@example.org", "email_verified": True, "groups": ["teachers", "canteen"]}


@pytest.fixture
def provider():
    made = oidc_here.ProviderHere()
    made.user = dict(EVA)
    yield made
    made.close()


@pytest.fixture
def browser(house, provider, tmp_path):
    secret = tmp_path / "client-secret"
    secret.write_text(oidc_here.SECRET + "\n")
    secret.chmod(0o600)
    chosen = house.wiring.settings
    chosen.oidc_issuer, chosen.oidc_client_id, chosen.oidc_client_secret_file = provider.issuer, oidc_here.CLIENT, secret
    chosen.oidc_roles = {"teachers": ["trainer"], "staff-it": ["it"], "writers": ["author"]}
    house.clock.pass_(seconds=(datetime.now(UTC) - house.clock.now()).total_seconds())
    return Browser(house.app)


def away(browser, next_="/"):
    answer = browser.get("/sign-in/provider", params={"next": next_})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def back(browser, provider, **other):
    return browser.get("/sign-in/back", params=provider.agree(away(browser)) | other)


def test_the_groups_of_whoever_comes_give_their_roles(house, browser, provider):
    assert "Sign in with your organisation" in browser.get("/sign-in").text
    answer = browser.get("/sign-in/back", params=provider.agree(away(browser, "/open")))
    assert (answer.status_code, answer.headers["location"]) == (303, "/open")
    assert browser.me() == {"name": "Eva", "role": "trainer", "classroom": None, "seat": None}
    (eva,) = house.wiring.signing_in.accounts.accounts()
    assert (eva.email, eva.roles, eva.subject) == ("eva@example.org", {Role.TRAINER}, f"{provider.issuer} 123")


def test_a_role_goes_with_its_group_at_the_next_sign_in(house, browser, provider):
    back(browser, provider)
    provider.user["groups"] = ["writers"]
    back(Browser(house.app), provider)
    # Both sessions: what somebody may is looked up, not remembered.
    assert browser.me()["role"] == "author"


def test_somebody_in_no_group_sits_on_their_seat_only(house, browser, provider):
    house.open()
    provider.user = {"sub": "9", "name": "Ada", "email": "ada@example.org", "email_verified": True}
    assert back(browser, provider).status_code == 303
    assert browser.me()["role"] == "learner"
    assert browser.get("/api/v1/classrooms/monday/seats/1").status_code == 200
    assert browser.get("/api/v1/classrooms").status_code == 403


def test_a_sparing_token_is_completed_by_userinfo(browser, provider):
    provider.lean = True
    assert back(browser, provider).status_code == 303
    assert browser.me()["role"] == "trainer"


def test_an_account_of_labctls_own_is_found_by_its_address_and_it_is_never_locked_out(house, browser, provider):
    it = house.wiring.inviting.first()
    browser.form(f"/invitation/{it}", name="Eva", email="eva@example.org", password="correct horse battery staple")
    assert back(Browser(house.app), provider).status_code == 303
    (eva,) = house.wiring.signing_in.accounts.accounts()
    assert eva.roles == {Role.TRAINER, Role.IT}, "no group gives it, but nobody else could mend the settings"


@pytest.mark.parametrize("verified", [False, None, "true"])
def test_an_address_that_the_provider_does_not_vouch_for_is_nobodys(house, browser, provider, verified):
    provider.user["email_verified"] = verified
    answer = back(browser, provider)
    assert answer.status_code == 403
    assert "does not vouch" in answer.text
    assert house.wiring.signing_in.accounts.accounts() == ()


def test_nobody_takes_an_account_over_by_its_address_once_it_belongs_to_another_identity(house, browser, provider):
    back(browser, provider)
    provider.user["sub"] = "666"
    answer = back(Browser(house.app), provider)
    assert answer.status_code == 403
    assert "may not come in" in answer.text


def test_a_closed_account_does_not_come_back_by_the_provider(house, browser, provider):
    back(browser, provider)
    (eva,) = house.wiring.signing_in.accounts.accounts()
    house.wiring.signing_in.close_account(eva.id, who="it")
    assert back(browser, provider).status_code == 403
    assert browser.me() is None


@pytest.mark.parametrize(
    "lie",
    [
        {"iss": "https://evil.example"},
        {"aud": "another-client"},
        {"aud": ["labctl", "other"], "azp": "other"},
        {"nonce": "another sign-in"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"iat": 99999999999},
        {"sub": None},
    ],
    ids=str,
)
def test_a_token_that_says_something_else_is_not_believed(browser, provider, lie):
    provider.lie = lie
    answer = back(browser, provider)
    assert answer.status_code == 403, answer.text
    assert browser.me() is None


@pytest.mark.parametrize("how", ["foreign key", "public key as a shared secret", "none"])
def test_a_token_that_the_provider_did_not_sign_is_not_believed(browser, provider, how):
    if how == "foreign key":
        provider.sign_with = jwk.RSAKey.generate_key(2048, {"kid": "one"})
    elif how == "public key as a shared secret":
        provider.sign_with, provider.algorithm = jwk.OctKey.import_key(provider.key.as_pem(private=False)[27:]), "HS256"
    else:
        provider.algorithm = "none"
    assert back(browser, provider).status_code == 403
    assert browser.me() is None


def test_an_answer_counts_once_and_in_the_browser_that_asked(house, browser, provider):
    answer = provider.agree(away(browser))
    other = Browser(house.app)
    assert other.get("/sign-in/back", params=answer).status_code == 403
    away(other)
    assert other.get("/sign-in/back", params=answer).status_code == 403, "another browser's state"
    assert browser.get("/sign-in/back", params=answer).status_code == 303
    assert browser.get("/sign-in/back", params=answer).status_code == 403


@pytest.mark.parametrize("other", [{"iss": "https://evil.example"}, {"state": "x"}, {"code": "x"}], ids=str)
def test_an_answer_with_something_exchanged_is_refused(browser, provider, other):
    assert back(browser, provider, **other).status_code == 403
    assert browser.me() is None


def test_somebody_who_says_no_at_the_provider_is_back_at_the_sign_in_page(browser, provider):
    state = provider.agree(away(browser))["state"]
    answer = browser.get("/sign-in/back", params={"error": "access_denied", "state": state})
    assert answer.status_code == 403
    assert "did not sign you in" in answer.text
    assert 'action="/sign-in"' in answer.text


def test_a_provider_that_is_away_is_said_so_and_passwords_still_work(browser, provider):
    provider.close()
    answer = browser.get("/sign-in/provider")
    assert answer.status_code == 503
    assert "does not answer" in answer.text
    assert 'action="/sign-in"' in answer.text


def test_a_secret_that_others_can_read_is_refused(house, browser):
    house.wiring.settings.oidc_client_secret_file.chmod(0o644)
    answer = browser.get("/sign-in/provider")
    assert answer.status_code == 403
    assert "chmod 600" in answer.text
