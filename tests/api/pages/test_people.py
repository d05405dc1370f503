"""One's own account, and accounts as IT keeps them: what can be changed, by whom, and what is refused."""

from __future__ import annotations

import json
import re

import pytest

from labctl.model.people import Role
from tests.api.browser import Authenticator, Browser
from tests.api.test_sign_in import WORDS, account, sign_in


def ids(text, where):
    return re.findall(rf"/{where}/([0-9a-f]+)/", text)


def test_a_name_is_changed_and_an_empty_one_refused_with_what_was_typed(house):
    eva = account(house)
    assert eva.form("/account/name", name="  Eva   Schmit ").headers["location"] == "/account?said=renamed"
    assert eva.me()["name"] == "Eva Schmit"
    answer = eva.form("/account/name", name=" \t ")
    assert (answer.status_code, "the name is empty" in answer.text.lower()) == (400, True)
    assert eva.me()["name"] == "Eva Schmit"


def test_a_new_password_signs_out_all_other_browsers(house):
    eva, other = account(house), Browser(house.app)
    sign_in(other)
    assert eva.form("/account/password", password="another horse, another staple").status_code == 303
    assert other.me() is None
    assert eva.me()
    assert sign_in(other).status_code == 403
    assert sign_in(other, password="another horse, another staple").status_code == 303


def test_a_weak_password_is_refused_beside_the_form(house):
    answer = account(house).form("/account/password", password="short")
    assert answer.status_code == 400
    assert "too short" in answer.text
    assert 'action="/account/password"' in answer.text


def test_a_browser_that_was_left_open_cannot_take_the_account(house):
    eva = account(house)
    house.pass_(minutes=11)
    page = eva.get("/account").text
    assert "/account/password" not in page
    assert "/sign-in?again=true" in page
    for path in ("password", "passkeys/options", "passkeys", "passkeys/ab/remove"):
        assert eva.form(f"/account/{path}", password="another horse, another staple").status_code == 403, path
    assert eva.get("/sign-in?again=true&next=/account").status_code == 200
    assert sign_in(eva, next="/account").headers["location"] == "/account"
    assert "/account/password" in eva.get("/account").text


def test_passkeys_are_added_named_used_and_removed_but_never_the_last_way_in(house):
    eva, key = account(house), Authenticator()
    options = eva.form("/account/passkeys/options").json()
    assert eva.form("/account/passkeys", passkey=key.create(options), label="My phone").status_code == 303
    page = eva.get("/account").text
    assert 'value="My phone"' in page
    (id_,) = ids(page, "passkeys")[:1]
    eva.form(f"/account/passkeys/{id_}/label", label="Her phone")
    assert 'value="Her phone"' in eva.get("/account").text
    by_key = Browser(house.app)
    asked = by_key.form("/sign-in/passkey/options").json()
    assert by_key.form("/sign-in/passkey", passkey=key.get(asked)).status_code == 303
    assert eva.form(f"/account/passkeys/{id_}/remove").status_code == 303
    assert by_key.form("/sign-in/passkey", passkey=key.get(by_key.form("/sign-in/passkey/options").json())).status_code == 403
    assert eva.form(f"/account/passkeys/{id_}/remove").status_code == 404


def test_the_only_way_in_stays(house):
    eva, key = Browser(house.app), Authenticator()
    secret, _ = house.wiring.inviting.person("Eva", "eva@example.org", [Role.TRAINER], who="it")
    options = eva.form(f"/invitation/{secret}/passkey", name="Eva").json()
    eva.form(f"/invitation/{secret}", name="Eva", passkey=key.create(options))
    (id_,) = ids(eva.get("/account").text, "passkeys")[:1]
    answer = eva.form(f"/account/passkeys/{id_}/remove")
    assert (answer.status_code, "the only way" in answer.text) == (409, True)
    assert eva.form("/account/password", password=WORDS).status_code == 303
    assert eva.form(f"/account/passkeys/{id_}/remove").status_code == 303


def test_a_passkey_that_was_begun_by_somebody_else_is_not_added(house):
    eva, mallory, key = account(house), account(house, "mallory@example.org"), Authenticator()
    made = key.create(eva.form("/account/passkeys/options").json())
    mallory.cookies.set("labctl-signing-in", eva.cookies["labctl-signing-in"])
    assert mallory.form("/account/passkeys", passkey=made).status_code == 403
    assert eva.form("/account/passkeys", passkey=json.dumps({})).status_code == 403


def test_each_browser_stands_in_the_list_and_one_can_be_signed_out(house):
    eva, other = account(house), Browser(house.app)
    other.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
    sign_in(other)
    page = eva.get("/account").text
    assert "Firefox, Linux" in page
    assert page.count("(this one)") == 1
    (id_,) = ids(page, "sessions")
    mallory = account(house, "mallory@example.org")
    assert mallory.form(f"/account/sessions/{id_}/end").status_code == 404
    assert other.me()
    assert eva.form(f"/account/sessions/{id_}/end").status_code == 303
    assert other.me() is None
    assert eva.me()


def test_nobody_changes_an_account_from_another_sites_page(house):
    eva = account(house)
    for path in ("name", "password", "passkeys", "passkeys/options"):
        assert eva.form(f"/account/{path}", origin="https://evil.example", name="x", password=WORDS * 2).status_code == 403, path
    assert eva.me()["name"] == "Eva"


def test_who_is_signed_in_is_named_in_the_head_and_may_sign_out_there(house):
    eva = account(house)
    for path in ("/", "/account", "/open", "/check", "/join"):
        page = eva.get(path).text
        if path != "/check":
            assert 'href="/account"' in page, path
            assert 'action="/sign-out"' in page, path
    assert 'action="/sign-out"' not in Browser(house.app).get("/join").text


def test_it_invites_changes_roles_makes_new_links_and_closes(house):
    ida = account(house, "ida@example.org", [Role.IT])
    answer = ida.form("/it/people/invite", email="otto@example.org", name="Otto", role=["author", "trainer"])
    shown = re.search(r"/invitation/([\w-]+)", answer.text)[1]
    assert answer.headers["cache-control"] == "no-store"
    page = ida.get("/it/people").text
    assert "otto@example.org" in page
    assert shown not in page
    otto = Browser(house.app)
    assert otto.form(f"/invitation/{shown}", name="Otto", password=WORDS).status_code == 303
    by_mail = {one.email: one for one in house.wiring.signing_in.accounts.accounts()}
    one = by_mail["otto@example.org"]
    assert one.roles == {Role.AUTHOR, Role.TRAINER}
    assert ida.form(f"/it/people/{one.id}/roles", role="author").status_code == 303
    assert otto.get("/open").status_code == 403, "what is taken is taken at once"
    assert otto.get("/blueprints").status_code == 200
    assert ida.form(f"/it/people/{one.id}/sign-out").status_code == 303
    assert otto.me() is None
    assert "/invitation/" in ida.form(f"/it/people/{one.id}/link").text
    assert "cannot come in any more" in ida.get(f"/it/people/{one.id}/close").text
    assert ida.form(f"/it/people/{one.id}/close").status_code == 303
    assert sign_in(otto, "otto@example.org").status_code == 403


def test_a_link_that_was_withdrawn_opens_nothing(house):
    ida = account(house, "ida@example.org", [Role.IT])
    secret, _ = house.wiring.inviting.person("Otto", "otto@example.org", [], who="it")
    (id_,) = ids(ida.get("/it/people").text, "invitations")
    assert ida.form(f"/it/people/invitations/{id_}/withdraw").status_code == 303
    assert Browser(house.app).get(f"/invitation/{secret}").status_code == 404
    assert ida.form(f"/it/people/invitations/{id_}/withdraw").status_code == 404
    assert Browser(house.app).get(f"/invitation/{id_}").status_code == 404, "the name of a link is not the link"


def test_the_last_account_of_it_keeps_its_role_by_page_and_api(house):
    ida = account(house, "ida@example.org", [Role.IT])
    (one,) = house.wiring.signing_in.accounts.accounts()
    assert ida.form(f"/it/people/{one.id}/roles", role="trainer").status_code == 409
    answer = ida.put(f"/api/v1/accounts/{one.id}/roles", json={"roles": []}, headers={"Origin": ida.origin})
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    account(house, "second@example.org", [Role.IT])
    answer = ida.put(f"/api/v1/accounts/{one.id}/roles", json={"roles": ["author"]}, headers={"Origin": ida.origin})
    assert (answer.status_code, answer.json()["roles"]) == (200, ["author"])
    assert ida.get("/it/people").status_code == 403


@pytest.mark.parametrize(
    ("email", "status", "said"), [("nonsense", 400, "not a mail address"), ("ida@example.org", 409, "already an account")]
)
def test_a_wrong_invitation_comes_back_with_what_was_typed(house, email, status, said):
    ida = account(house, "ida@example.org", [Role.IT])
    answer = ida.form("/it/people/invite", email=email, name="Otto")
    assert (answer.status_code, said in answer.text) == (status, True)
    assert 'value="Otto"' in answer.text


# --- where everybody begins


def test_a_trainer_begins_with_classes_and_a_button_to_open_one(house):
    house.open()
    page = account(house).get("/").text
    assert 'href="/class/monday"' in page
    assert 'class="button main" href="/open"' in page


def test_a_co_trainer_begins_with_their_class_and_is_offered_nothing_they_may_not(house):
    house.open()
    house.open("tuesday")
    secret, _ = house.wiring.inviting.to_class("monday", "Otto", "otto@example.com", who="eva")
    otto = Browser(house.app)
    otto.form(f"/invitation/{secret}", name="Otto", password=WORDS)
    page = otto.get("/").text
    assert 'href="/class/monday"' in page
    assert "tuesday" not in page
    for address in ("/open", "/blueprints", "/it"):
        assert f'href="{address}"' not in page, address


def test_an_author_begins_with_blueprints_and_a_learner_on_their_seat(house):
    house.open()
    author, ada = account(house, roles=[Role.AUTHOR]), account(house, "ada@example.org", [])
    assert author.get("/").headers["location"] == "/blueprints"
    assert ada.get("/").headers["location"].startswith("/seat/")


def test_a_learner_with_two_seats_chooses(house):
    house.open()
    house.open("tuesday")
    page = account(house, "ada@example.org", []).get("/")
    assert page.status_code == 200
    assert len(set(re.findall(r'href="(/seat/[^"]+)"', page.text))) == 2
    assert 'href="/open"' not in page.text


def test_somebody_without_anything_gets_the_field_for_a_code(house):
    house.open()
    nobody = account(house, "nobody@example.org", [])
    page = nobody.get("/").text
    assert 'action="/join"' in page
    assert "Nothing waits for you" in page
    code = house.wiring.inviting.class_code("monday", who="eva")
    assert nobody.form("/join", code=code, who="ada").headers["location"].startswith("/seat/")
