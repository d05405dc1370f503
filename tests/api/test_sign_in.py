"""People come in: by links, passwords, passkeys and class codes; and everybody else does not."""

from __future__ import annotations

import sqlite3

import pytest

from labctl.model.people import Role
from tests.api.browser import ORIGIN, Authenticator, Browser, Fields

WORDS = "correct horse battery staple"


@pytest.fixture
def browser(house):
    return Browser(house.app)


def link(house, secret):
    return f"/invitation/{secret}"


def account(house, email="eva@example.org", roles=(Role.TRAINER,), password=WORDS):
    """An account as people get one: by a link. The browser in which it was made."""
    made = Browser(house.app)
    secret, _ = house.wiring.inviting.person("Eva", email, roles, who="it")
    assert made.form(link(house, secret), name="Eva", password=password).status_code == 303
    return made


def sign_in(browser, email="eva@example.org", password=WORDS, **more):
    return browser.form("/sign-in", email=email, password=password, **more)


# --- links


def test_the_first_start_makes_a_link_for_it_until_there_is_somebody(house, browser):
    before, secret = house.wiring.inviting.first(), house.wiring.inviting.first()
    kept, _ = house.wiring.inviting.person("Otto", "otto@example.org", [Role.IT], who="it")
    page = browser.get(link(house, secret))
    assert page.status_code == 200
    assert "Welcome" in page.text
    done = browser.form(link(house, secret), name="Ida", email="ida@example.org", password=WORDS)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert browser.me() == {"name": "Ida", "role": "it", "classroom": None, "seat": None}
    assert house.wiring.inviting.first() is None
    assert browser.get(link(house, before)).status_code == 404, "what an earlier start printed makes nobody else IT"
    assert Browser(house.app).get(link(house, kept)).status_code == 200


def test_a_link_is_good_once_and_looking_at_it_does_not_use_it_up(house, browser):
    secret, _ = house.wiring.inviting.person("Eva", "eva@example.org", [Role.TRAINER], who="it")
    for _ in range(3):
        assert browser.get(link(house, secret)).status_code == 200
    assert browser.form(link(house, secret), name="Eva", password=WORDS).status_code == 303
    other = Browser(house.app)
    assert other.get(link(house, secret)).status_code == 404
    assert other.form(link(house, secret), name="Eve", password=WORDS).status_code == 404
    assert other.me() is None


def test_a_link_runs_out(house, browser):
    secret, _ = house.wiring.inviting.person("Eva", "eva@example.org", [], who="it")
    house.pass_(days=8)
    answer = browser.form(link(house, secret), name="Eva", password=WORDS)
    assert answer.status_code == 404
    assert "not good (any more)" in answer.text


def test_whom_a_link_is_for_and_what_they_may_is_not_for_its_holder_to_choose(house, browser):
    secret, _ = house.wiring.inviting.person("Eva", "eva@example.org", [Role.AUTHOR], who="it")
    browser.form(link(house, secret), name="Eva", email="root@example.org", password=WORDS, roles="it")
    (made,) = house.wiring.signing_in.accounts.accounts()
    assert (made.email, made.roles) == ("eva@example.org", {Role.AUTHOR})


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaa", "eva@example.org", "", "x" * 1001])
def test_a_weak_password_is_refused_and_what_was_typed_stays(house, browser, password):
    secret, _ = house.wiring.inviting.person("", "eva@example.org", [], who="it")
    answer = browser.form(link(house, secret), name='Eva "<b>', password=password)
    assert answer.status_code == 400
    assert Fields(answer.text).values["name"] == 'Eva "<b>'
    assert "<b>" not in answer.text
    assert browser.form(link(house, secret), name="Eva", password=WORDS).status_code == 303


def test_a_new_link_ends_what_was_there_before(house):
    old = account(house)
    (eva,) = house.wiring.signing_in.accounts.accounts()
    secret, _ = house.wiring.inviting.again(eva.id, who="it")
    fresh = Browser(house.app)
    assert fresh.form(link(house, secret), password="another horse, another battery").status_code == 303
    assert old.me() is None
    assert fresh.me()["name"] == "Eva"
    assert sign_in(Browser(house.app)).status_code == 403


def test_a_refused_form_leaves_the_link_good(house, browser):
    account(house)
    secret = house.wiring.inviting.first()
    assert browser.form(link(house, secret), name="Eve", email="eva@example.org", password=WORDS).status_code == 409
    assert browser.form(link(house, secret), name="Eve", email="eve@example.org", password=WORDS).status_code == 303


# --- passwords


def test_a_password_opens_a_session_that_scripts_and_other_sites_cannot_use(house, browser):
    account(house)
    answer = sign_in(browser, next="/class/monday")
    assert (answer.status_code, answer.headers["location"]) == (303, "/class/monday")
    cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith("labctl="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert browser.me()["role"] == "trainer"


def test_over_https_the_cookie_is_bound_to_this_host(house):
    account(house)
    house.wiring.settings.url = "https://labs.example.org"
    browser = Browser(house.app, "https://labs.example.org")
    cookie = next(one for one in sign_in(browser).headers.get_list("set-cookie") if one.startswith("__Host-labctl="))
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert browser.me()["name"] == "Eva"


@pytest.mark.parametrize(
    ("email", "password"), [("eva@example.org", "wrong"), ("nobody@example.org", WORDS), ("", ""), ("eva@example.org", "")]
)
def test_a_wrong_password_and_an_unknown_address_are_told_apart_by_nobody(house, browser, email, password):
    account(house)
    answer = sign_in(browser, email, password)
    assert answer.status_code == 403
    assert "do not belong together" in answer.text
    assert browser.me() is None


def test_after_five_wrong_passwords_the_right_one_waits_too_but_not_elsewhere(house, browser):
    account(house)
    assert [sign_in(browser, password="wrong").status_code for _ in range(6)] == [403] * 5 + [503]
    refused = sign_in(browser)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "900")
    elsewhere = Browser(house.app)
    elsewhere._transport.client = ("203.0.113.7", 1234)
    assert sign_in(elsewhere).status_code == 303
    house.pass_(minutes=16)
    assert sign_in(browser).status_code == 303


@pytest.mark.parametrize(
    "next_", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/\t/evil.example", ""]
)
def test_nobody_is_sent_to_another_site_after_signing_in(house, browser, next_):
    account(house)
    assert sign_in(browser, next=next_).headers["location"] == "/"


# --- sessions


def test_another_sites_page_changes_nothing_with_my_cookie(house):
    browser = account(house)
    body = {"blueprint": "hello", "name": "tuesday", "roster": "name,email\nAda,ada@example.org\n"}
    for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:9999"}):
        answer = browser.post("/api/v1/classrooms", json=body, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json"), headers
    assert browser.form("/sign-out", origin="https://evil.example").status_code == 403
    assert browser.post("/api/v1/classrooms", json=body, headers={"Origin": ORIGIN}).status_code == 202


def test_another_sites_page_signs_nobody_in(house, browser):
    account(house)
    assert browser.form("/sign-in", origin="https://evil.example", email="eva@example.org", password=WORDS).status_code == 403
    assert browser.me() is None


def test_under_another_name_of_this_machine_labctl_has_no_pages(house):
    account(house)
    assert sign_in(Browser(house.app, "http://rebound.example:8440")).status_code == 403


def test_signing_out_ends_the_session_itself_and_not_only_the_cookie(house):
    browser = account(house)
    kept = browser.cookies["labctl"]
    assert browser.form("/sign-out").status_code == 303
    browser.cookies.set("labctl", kept)
    assert browser.me() is None


def test_signing_out_everywhere_ends_all_of_them(house):
    first, second = account(house), Browser(house.app)
    sign_in(second)
    assert second.form("/sign-out/everywhere").status_code == 303
    assert first.me() is None


def test_each_sign_in_is_a_new_session_and_the_one_before_ends(house):
    browser = account(house)
    before = browser.cookies["labctl"]
    sign_in(browser)
    assert browser.cookies["labctl"] != before
    browser.cookies.clear()
    browser.cookies.set("labctl", before)
    assert browser.me() is None


def test_a_session_ends_when_it_is_not_used_and_after_a_week_anyway(house):
    used, idle = account(house), Browser(house.app)
    sign_in(idle)
    for _ in range(15):
        house.pass_(hours=11)
        assert used.me()
    assert idle.me() is None
    house.pass_(hours=11)
    assert used.me() is None


def test_a_closed_account_is_out_at_once_and_the_last_of_it_cannot_be_closed(house):
    ida = account(house, "ida@example.org", [Role.IT])
    eva = account(house)
    ids = {one.email: one.id for one in house.wiring.signing_in.accounts.accounts()}
    own = {"Origin": ORIGIN}
    assert ida.delete(f"/api/v1/accounts/{ids['eva@example.org']}", headers=own).status_code == 204
    assert eva.me() is None
    assert sign_in(eva).status_code == 403
    assert ida.delete(f"/api/v1/accounts/{ids['ida@example.org']}", headers=own).status_code == 409


def test_a_wrong_token_is_refused_whatever_cookie_there_is(house):
    browser = account(house)
    assert browser.get("/api/v1/me", headers={"Authorization": "Bearer nonsense"}).status_code == 401


# --- passkeys


def passkey(house, email="eva@example.org"):
    """A browser in which a passkey was made by a link, and its authenticator."""
    browser, key = Browser(house.app), Authenticator()
    secret, _ = house.wiring.inviting.person("Eva", email, [Role.TRAINER], who="it")
    options = browser.form(f"{link(house, secret)}/passkey", name="Eva").json()
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert browser.form(link(house, secret), name="Eva", passkey=key.create(options)).status_code == 303
    return browser, key


def by_passkey(browser, key, **how):
    options = browser.form("/sign-in/passkey/options").json()
    return browser.form("/sign-in/passkey", passkey=key.get(options, **how))


def test_a_passkey_made_by_a_link_signs_in(house, browser):
    _, key = passkey(house)
    assert by_passkey(browser, key).status_code == 303
    assert browser.me()["name"] == "Eva"


def test_a_passkey_answer_is_good_once_and_in_its_own_browser_only(house, browser):
    _, key = passkey(house)
    answer = key.get(browser.form("/sign-in/passkey/options").json())
    thief = Browser(house.app)
    assert thief.form("/sign-in/passkey", passkey=answer).status_code == 403
    remembered = browser.cookies["labctl-signing-in"]
    assert browser.form("/sign-in/passkey", passkey=answer).status_code == 303
    thief.cookies.set("labctl-signing-in", remembered)
    assert thief.form("/sign-in/passkey", passkey=answer).status_code == 403


@pytest.mark.parametrize("wrong", ["origin", "owner", "stranger", "counter", "nonsense"])
def test_other_passkeys_are_refused(house, browser, wrong):
    _, key = passkey(house)
    how = {}
    if wrong == "origin":
        key.origin = "https://evil.example"
    elif wrong == "owner":
        how["verified"] = False
    elif wrong == "stranger":
        key = Authenticator()
    elif wrong == "counter":
        # A copied authenticator counts anew.
        assert by_passkey(Browser(house.app), key).status_code == 303
        key.count = 0
    answer = browser.form("/sign-in/passkey", passkey="{") if wrong == "nonsense" else by_passkey(browser, key, **how)
    assert answer.status_code == 403
    assert browser.me() is None


# --- classes


def test_a_learner_takes_a_seat_by_code_and_it_is_theirs(house, browser):
    house.open()
    code = house.client("trainer").post("/api/v1/classrooms/monday/join-code").json()["code"]
    assert "Join First steps" in browser.get(f"/join/{code}").text
    answer = browser.form("/join", code=f" {code[:4].upper()} {code[4:]}", who="GRACE@example.org")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/seat/")
    assert browser.me() == {"name": "Grace Hopper", "role": "learner", "classroom": "monday", "seat": 2}
    assert browser.get("/api/v1/classrooms/monday/seats/2").status_code == 200
    assert browser.get("/api/v1/classrooms/monday/seats/1").status_code == 404
    assert browser.get("/api/v1/classrooms/monday").status_code == 403


def test_a_seat_is_taken_once_and_freed_by_the_trainer(house, browser):
    house.open()
    code = house.wiring.inviting.class_code("monday", who="eva")
    assert browser.form("/join", code=code, who="ada@example.org").status_code == 303
    thief = Browser(house.app)
    answer = thief.form("/join", code=code, who="Ada Lovelace")
    assert answer.status_code == 409
    assert "ask your trainer" in answer.text
    assert house.client("trainer").post("/api/v1/classrooms/monday/seats/1/free").json() == {"freed": True}
    assert browser.me() is None
    assert browser.form("/join", code=code, who="ada").status_code == 303


@pytest.mark.parametrize(
    ("code", "who", "status"), [("aaaaaaaa", "ada@example.org", 403), ("", "ada", 403), (None, "mallory", 400), (None, " ", 400)]
)
def test_a_wrong_code_or_name_is_refused_and_what_was_typed_stays(house, browser, code, who, status):
    house.open()
    good = house.wiring.inviting.class_code("monday", who="eva")
    answer = browser.form("/join", code=good if code is None else code, who=who)
    assert answer.status_code == status
    assert Fields(answer.text).values["who"] == who
    assert browser.me() is None


def test_a_new_code_ends_the_one_before_and_a_class_that_is_over_has_none(house, browser):
    house.open()
    old = house.wiring.inviting.class_code("monday", who="eva")
    new = house.wiring.inviting.class_code("monday", who="eva")
    assert browser.form("/join", code=old, who="ada").status_code == 403
    house.client("trainer").post("/api/v1/classrooms/monday/close")
    assert browser.form("/join", code=new, who="ada").status_code == 403


def test_seats_for_anybody_are_taken_in_order_until_there_are_none(house):
    roster = "name,email\nSeat 1,seat-1@seats.invalid\nSeat 2,seat-2@seats.invalid\n"
    house.client("trainer").post("/api/v1/classrooms", json={"blueprint": "hello", "name": "open", "roster": roster})
    code = house.wiring.inviting.class_code("open", who="eva")
    people = [Browser(house.app) for _ in range(3)]
    assert [one.form("/join", code=code, who=f"Person {n}").status_code for n, one in enumerate(people)] == [303, 303, 409]
    assert [one.me()["seat"] for one in people[:2]] == [1, 2]
    assert people[0].me()["name"] == "Person 0"


def test_a_seats_link_seats_its_learner_in_any_browser(house, browser):
    house.open()
    code = house.wiring.inviting.class_code("monday", who="eva")
    browser.form("/join", code=code, who="ada")
    made = browser.post("/api/v1/classrooms/monday/seats/1/link", headers={"Origin": ORIGIN}).json()["url"]
    assert made.startswith("http://localhost:8440/invitation/")
    other = Browser(house.app)
    assert other.form(made.removeprefix("http://localhost:8440")).status_code == 303
    assert other.me()["seat"] == browser.me()["seat"] == 1
    assert browser.post("/api/v1/classrooms/monday/seats/2/link", headers={"Origin": ORIGIN}).status_code == 404


def test_a_learners_session_follows_the_seat_through_a_swap_and_ends_with_the_class(house, browser):
    house.client("trainer").post(
        "/api/v1/classrooms",
        json={"blueprint": "hello", "name": "monday", "roster": "name,email\nAda,ada@example.org\n", "spares": 1},
    )
    house.settle()
    browser.form("/join", code=house.wiring.inviting.class_code("monday", who="eva"), who="ada")
    before = browser.get("/api/v1/classrooms/monday/seats/1").json()["environment"]
    assert house.client("trainer").post("/api/v1/classrooms/monday/seats/1/swap", json={}).status_code == 202
    after = browser.get("/api/v1/classrooms/monday/seats/1").json()["environment"]
    assert after != before
    assert browser.get(f"/api/v1/environments/{before}").status_code == 404
    house.client("trainer").post("/api/v1/classrooms/monday/close")
    house.settle()
    assert browser.me() is None
    house.open()
    assert browser.me() is None, "a later class of the same name is another class"


def test_an_account_sits_on_the_seats_that_rosters_give_to_its_address(house):
    house.open()
    ada = account(house, "Ada@Example.org", [])
    assert ada.me() == {"name": "Eva", "role": "learner", "classroom": "monday", "seat": 1}
    assert ada.get("/api/v1/classrooms/monday/seats/1").status_code == 200
    assert ada.get("/api/v1/classrooms/monday/seats/2").status_code == 404


def test_an_outside_professional_runs_one_class_and_nothing_else(house):
    house.open()
    house.open("tuesday")
    house.settle()
    made = house.client("trainer").post("/api/v1/classrooms/monday/invitations", json={"name": "Otto", "email": "otto@example.com"}).json()
    otto = Browser(house.app)
    assert otto.form(made["url"].removeprefix(ORIGIN), name="Otto", password=WORDS).status_code == 303
    own = {"Origin": ORIGIN}
    assert otto.me()["role"] == "co-trainer"
    assert [room["slug"] for room in otto.get("/api/v1/classrooms").json()] == ["monday"]
    environments = {slug: house.wiring.desk.seat(slug, 1)[1].id for slug in ("monday", "tuesday")}
    got = {
        path: otto.get(f"/api/v1/{path}").status_code
        for path in (
            "classrooms/monday",
            "classrooms/monday/seats/1",
            "classrooms/tuesday",
            "classrooms/tuesday/seats/1",
            "status",
            "environments",
            "accounts",
            "tokens",
            "blueprints",
            "goldens",
        )
    }
    assert got == dict.fromkeys(got, 403) | {"classrooms/monday": 200, "classrooms/monday/seats/1": 200, "classrooms/tuesday/seats/1": 404}
    assert otto.get(f"/api/v1/environments/{environments['monday']}").status_code == 200
    assert otto.get(f"/api/v1/environments/{environments['tuesday']}").status_code == 404
    assert otto.post("/api/v1/classrooms/monday/seats/1/reset", headers=own).status_code == 202
    assert otto.post("/api/v1/classrooms/tuesday/seats/1/reset", headers=own).status_code == 404
    assert otto.post("/api/v1/classrooms/tuesday/close", headers=own).status_code == 403
    assert otto.post("/api/v1/classrooms/monday/invitations", json={"email": "x@example.com"}, headers=own).status_code == 403
    assert otto.post("/api/v1/classrooms/monday/close", headers=own).status_code == 202


def test_who_has_an_account_already_signs_in_and_then_uses_the_link(house):
    house.open()
    eva = account(house, roles=[Role.AUTHOR])
    secret, _ = house.wiring.inviting.to_class("monday", "Eva", "eva@example.org", who="it")
    assert Browser(house.app).form(link(house, secret), name="Eva", password=WORDS).status_code == 409
    assert eva.get("/api/v1/classrooms/monday").status_code == 403
    assert eva.form(link(house, secret)).status_code == 303
    assert eva.get("/api/v1/classrooms/monday").status_code == 200


def test_the_journal_calls_people_what_they_cannot_choose(house, browser):
    roster = "name,email\nSeat 1,seat-1@seats.invalid\n"
    house.client("trainer").post("/api/v1/classrooms", json={"blueprint": "hello", "name": "open", "roster": roster})
    browser.form("/join", code=house.wiring.inviting.class_code("open", who="eva"), who="eva@example.org")
    eva = account(house)
    for one in (browser, eva):
        assert one.post("/api/v1/classrooms/open/seats/1/reset", headers={"Origin": ORIGIN}).status_code == 202
    lines = [line for line in house.wiring.journal.read(classroom="open") if line.step == "reset"]
    assert [line.who for line in lines] == ["eva@example.org, seat 1", "eva@example.org"]


# --- pages


def test_whoever_opens_a_page_signs_in_and_is_back_there(house, browser):
    answer = browser.get("/account?tab=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/account%3Ftab%3D1")
    account(house)
    assert Fields(browser.get(answer.headers["location"]).text).values["next"] == "/account?tab=1"
    assert sign_in(browser, next="/account?tab=1").headers["location"] == "/account?tab=1"
    assert "Signed in as Eva" in browser.get("/account?tab=1").text


@pytest.mark.parametrize("path", ["/sign-in", "/join", "/invitation/nonsense", "/account"])
def test_every_page_has_the_strict_policy_and_is_kept_by_nobody(house, path):
    browser = account(house) if path == "/account" else Browser(house.app)
    answer = browser.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"


def test_an_unforeseen_error_writes_neither_password_nor_link_into_the_log(house, browser, caplog, capsys):
    account(house)
    secret, _ = house.wiring.inviting.person("Otto", "otto@example.org", [], who="it")
    # Roles that this labctl does not know, as a slip by hand in the database leaves them.
    with sqlite3.connect(house.wiring.settings.home / "labctl.sqlite3") as rows:
        rows.execute("UPDATE accounts SET roles = '[\"king\"]'")
        rows.execute("UPDATE invitations SET roles = '[\"king\"]'")
    rows.close()
    assert sign_in(browser).status_code == 500
    assert browser.form(link(house, secret), name="Otto", password=WORDS).status_code == 500
    said = caplog.text + "".join(capsys.readouterr())
    assert "ValueError" in said
    assert WORDS not in said
    assert secret not in said


def test_no_secret_stands_in_the_database(house):
    browser = account(house)
    secret, _ = house.wiring.inviting.person("Otto", "otto@example.org", [], who="it")
    house.open()
    code = house.wiring.inviting.class_code("monday", who="eva")
    said = "\n".join(line.text for line in house.wiring.journal.read(limit=1000))
    raw = b"".join(path.read_bytes() for path in (house.wiring.settings.home).glob("labctl.sqlite3*"))
    for hidden in (browser.cookies["labctl"], secret, code, WORDS):
        assert hidden.encode() not in raw
        assert hidden not in said
