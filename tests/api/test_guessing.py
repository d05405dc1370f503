"""Whoever guesses passwords and codes gets nowhere, and keeps nobody else out: not their room, not the account's owner, not the boards."""

from __future__ import annotations

import asyncio
import threading

import httpx2
import pytest

from api import turns as desk_
from labctl import entering, errors, inviting, signing_in, turns
from labctl.model.people import Role
from tests.api.browser import ORIGIN, Browser, Fields
from tests.api.test_sign_in import WORDS, account, sign_in

ROOM, HOME = "192.0.2.1", "198.51.100.7"


class Hashes:
    """Passwords that cost nothing, and wait to be looked at while `held`."""

    def __init__(self):
        self.open = threading.Event()
        self.open.set()
        self.inside = threading.Semaphore(0)
        self._counting = threading.Lock()
        self.looked_at = self.now = self.most = 0

    def hash(self, password):
        return f"hash of {password}"

    def verify(self, password, digest):
        with self._counting:
            self.looked_at, self.now = self.looked_at + 1, self.now + 1
            self.most = max(self.most, self.now)
        self.inside.release()
        assert self.open.wait(60)
        with self._counting:
            self.now -= 1
        return digest == self.hash(password)


@pytest.fixture
def hashes(house):
    """Before anybody has a password."""
    house.wiring.passwords = Hashes()
    return house.wiring.passwords


def tried(house, password, address, browser="", email="eva@example.org"):
    """How one try ends; without the turns, for there are hundreds."""
    try:
        house.wiring.signing_in.by_password(email, password, address, browser)
    except (errors.Forbidden, errors.Busy) as error:
        return type(error)
    return signing_in.Entry


# --- codes


def test_wrong_codes_keep_nobody_of_the_same_room_out(house):
    house.open()
    code = house.wiring.inviting.class_code("monday", who="eva")
    mallory, ada = Browser(house.app), Browser(house.app)
    wrong = [mallory.get(f"/join/{code[:8]}{n // 30 % 8 + 2}{n % 8 + 2}") for n in range(150)]
    assert {answer.status_code for answer in wrong if code not in str(answer.url)} == {403}
    assert ada.get(f"/join/{code}").status_code == 200
    assert ada.form("/join", code=code, who="ada").status_code == 303


def test_to_guess_day_and_night_for_a_month_at_twenty_classes_hits_one_once_in_a_hundred_thousand_times():
    guesses = desk_.Desk().codes.rate * 30 * 24 * 3600
    assert guesses * 20 / len(entering.ALPHABET) ** inviting.CODE_LENGTH < 1e-5


# --- passwords


def test_an_address_is_not_refused_for_what_was_tried_from_it_at_other_accounts(house, hashes):
    account(house)
    assert {tried(house, "wrong", ROOM, email=f"{n // 5}@example.org") for n in range(300)} == {errors.Forbidden}
    assert tried(house, WORDS, ROOM) is signing_in.Entry


def test_wrong_passwords_in_its_room_do_not_lock_an_account_where_its_owner_signed_in_before(house):
    mine, mallory = account(house), Browser(house.app)
    mine.form("/sign-out")
    assert [sign_in(mallory, password="wrong").status_code for _ in range(6)] == [403] * 5 + [503]
    assert sign_in(Browser(house.app)).status_code == 503
    assert sign_in(mine).status_code == 303


def test_the_owners_browser_has_five_tries_of_its_own_and_shows_it_for_no_other_account(house, hashes):
    mine = account(house)
    account(house, "otto@example.org")
    known = mine.cookies["labctl-known"]
    assert [tried(house, "wrong", ROOM, known) for _ in range(6)] == [errors.Forbidden] * 5 + [errors.Busy]
    assert tried(house, WORDS, ROOM, known) is errors.Busy
    assert tried(house, WORDS, ROOM) is signing_in.Entry
    assert [tried(house, "wrong", HOME, known, "otto@example.org") for _ in range(6)] == [errors.Forbidden] * 5 + [errors.Busy]


def test_a_browser_is_known_by_nothing_invented_and_not_after_the_password_changed(house, hashes):
    mine, otto = account(house), account(house, "otto@example.org")
    signing, known = house.wiring.signing_in, mine.cookies["labctl-known"]
    eva = signing.knows(known)
    assert signing.accounts.account(id=eva).email == "eva@example.org"
    _, nonce, mark = known.split(".")
    other = signing.knows(otto.cookies["labctl-known"])
    for invented in ("", ".", "..", eva, f"{eva}.", f"{eva}..", f"{eva}.{nonce}.", f"{eva}.x.{mark}", f"{other}.{nonce}.{mark}", "é.é.é"):
        assert signing.knows(invented) == "", invented
    signing.credentials.set_password(eva, hashes.hash("another horse, another battery"))
    assert signing.knows(known) == ""


def test_whoever_chooses_a_new_password_is_known_in_that_browser_and_all_others_are_not(house, hashes):
    mine, other = account(house), Browser(house.app)
    sign_in(other)
    assert mine.form("/account/password", password="another horse, another battery").status_code == 303
    signing = house.wiring.signing_in
    assert signing.knows(mine.cookies["labctl-known"])
    assert not signing.knows(other.cookies["labctl-known"])


def test_guesses_from_ten_addresses_leave_the_owner_one_try_from_elsewhere_and_end_at_five_hundred(house, hashes):
    mine = account(house)
    everywhere = [f"203.0.113.{n}" for n in range(10)]
    assert {tried(house, "wrong", address) for address in everywhere for _ in range(5)} == {errors.Forbidden}
    assert {tried(house, "wrong", address) for address in everywhere} == {errors.Busy}
    assert tried(house, WORDS, HOME) is signing_in.Entry
    more = [tried(house, "wrong", f"10.0.{n // 250}.{n % 250}") for n in range(500)]
    assert (more.count(errors.Forbidden), more.count(errors.Busy)) == (450, 50)
    assert tried(house, WORDS, "198.51.100.8") is errors.Busy
    assert tried(house, WORDS, ROOM, mine.cookies["labctl-known"]) is signing_in.Entry
    house.pass_(minutes=16)
    assert tried(house, WORDS, "198.51.100.8") is signing_in.Entry


def crowd(house, address, headers=None):
    """Many at once at the app itself, from that address."""
    transport = httpx2.ASGITransport(app=house.app, raise_app_exceptions=False, client=(address, 1))
    return httpx2.AsyncClient(transport=transport, base_url=ORIGIN, headers={"Origin": ORIGIN, **(headers or {})}, timeout=None)


def test_however_many_passwords_wait_two_are_looked_at_and_boards_go_on(house, hashes):
    house.open()
    hashes.open.clear()

    async def run():
        token = {"Authorization": f"Bearer {house.secrets['trainer']}"}
        async with crowd(house, ROOM) as room, crowd(house, HOME, token) as trainer:
            sent = [asyncio.create_task(room.post("/sign-in", data={"email": f"{n}@example.org", "password": "wrong"})) for n in range(100)]
            for _ in range(2):
                await asyncio.to_thread(hashes.inside.acquire)
            # Each of those that wait would have a thread else, and there are forty.
            board = await asyncio.wait_for(trainer.get("/class/monday"), 60)
            hashes.open.set()
            return board, await asyncio.gather(*sent)

    board, answers = asyncio.run(run())
    assert board.status_code == 200
    assert hashes.most == 2
    said = [answer.status_code for answer in answers]
    assert said.count(403) >= 42
    assert {(answer.status_code, answer.headers.get("retry-after")) for answer in answers} <= {(403, None), (503, "5")}


def test_beyond_the_pace_no_password_is_looked_at_and_who_comes_then_has_the_form_again_with_what_was_typed(house, hashes):
    mine = account(house)
    house.app.state.turns.passwords = turns.Turns(places=1, rate=1e-6, burst=2, most=1)
    known = {"Cookie": f"labctl-known={mine.cookies['labctl-known']}"}

    async def run():
        async with crowd(house, ROOM) as room, crowd(house, ROOM, known) as owner:

            def send(who, password="wrong"):
                return asyncio.create_task(who.post("/sign-in", data={"email": "eva@example.org", "password": password}))

            for _ in range(2):
                assert (await send(room)).status_code == 403
            waiting = [send(room) for _ in range(3)]
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            mine = await send(owner, WORDS)
            for one in waiting:
                one.cancel()
            await asyncio.wait(waiting)
            return done.pop().result(), mine

    refused, mine = asyncio.run(asyncio.wait_for(run(), 60))
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert Fields(refused.text).values["email"] == "eva@example.org"
    assert mine.status_code == 303, "the owner's browser does not wait behind others"
    assert hashes.looked_at == 3


def test_a_form_that_finds_the_line_of_codes_full_keeps_what_was_typed_and_says_when_to_come_again(house, hashes):
    del hashes
    house.app.state.turns.codes = turns.Turns(places=0, rate=1, burst=1, most=0)
    answer = Browser(house.app).form("/join", code="abcde fghjk", who="Ada")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert (Fields(answer.text).values["code"], Fields(answer.text).values["who"]) == ("abcde fghjk", "Ada")
    assert Browser(house.app).get("/join").status_code == 200


def test_every_way_in_that_is_full_says_when_to_come_again(house):
    eva = account(house, roles=[Role.TRAINER])
    for name in vars(house.app.state.turns):
        setattr(house.app.state.turns, name, turns.Turns(places=0, rate=1, burst=1, most=0))
    nobody = Browser(house.app)
    sent = [
        *(nobody.form(path) for path in ("/sign-in", "/sign-in/passkey", "/sign-in/passkey/options", "/join")),
        *(nobody.get(path) for path in ("/sign-in/provider", "/sign-in/back", "/join/abcdefghjk")),
        eva.form("/account/password", password="another horse, another battery"),
        sign_in(eva),
    ]
    assert {(answer.status_code, answer.headers.get("retry-after")) for answer in sent} == {(503, "5")}
