"""Accounts, links, sessions and places as rows: what is good once is got by one, what ended stays ended."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from labctl import errors
from labctl.model import people
from tests import fakes

HOUR = timedelta(hours=1)


@pytest.fixture
def room(store):
    made = fakes.classroom()
    store.open(made, fakes.plans_for(made), range(1, 5))
    return made


def eva(clock, **more):
    return people.Account(**{"id": "e1", "name": "Eva", "email": "eva@example.org", "roles": frozenset(), "created": clock.now()} | more)


def at_once(*calls):
    """What each of them came to: a value or an error."""
    found, gate = [None] * len(calls), threading.Barrier(len(calls))

    def run(place):
        gate.wait()
        try:
            found[place] = calls[place]()
        except errors.LabctlError as error:
            found[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def test_an_account_is_found_by_id_address_and_subject_and_an_address_is_one_persons(store, clock):
    made = eva(clock, roles=frozenset({people.Role.IT, people.Role.AUTHOR}), subject="https://id.example 1")
    store.add_account(made)
    assert store.account(id="e1") == store.account(email="EVA@example.org") == store.account(subject="https://id.example 1") == made
    assert store.account(id="e2") is store.account(email="x") is store.account(subject="x") is None
    with pytest.raises(errors.Conflict, match="already an account"):
        store.add_account(eva(clock, id="e2"))
    with pytest.raises(errors.NotFound):
        store.change_account(eva(clock, id="e3", email="x@example.org"))


def test_of_two_who_use_a_link_at_once_one_gets_it(store, clock):
    wanted = people.Invitation(people.Errand.ACCOUNT, clock.now() + HOUR, email="Eva@example.org", roles=frozenset({people.Role.IT}))
    secret = store.invite(wanted)
    assert store.invitation(secret).email == "eva@example.org"
    found = at_once(*[lambda: store.use_invitation(secret)] * 4)
    assert sorted(one is None for one in found) == [False, True, True, True]
    assert store.invitation(secret) is None


def test_of_two_who_sit_down_at_once_one_gets_the_seat(store, room):
    found = at_once(*[lambda name=name: store.sit(people.Sitting(room.slug, 1, name)) for name in "abcd"])
    assert sorted(isinstance(one, errors.Conflict) for one in found) == [False, True, True, True]
    assert len(store.sittings(room.slug)) == 1


def test_a_sitting_ends_with_its_sessions_when_the_seat_is_freed(store, clock, room):
    sitting = people.Sitting(room.slug, 1, "Ada")
    store.sit(sitting)
    secret = store.begin_session(clock.now() + HOUR, sitting=sitting)
    assert store.person(secret, HOUR).places == (people.Place(room.slug, 1, room.seats[0].environment),)
    assert store.stand_up(room.slug, 1)
    assert store.person(secret, HOUR) is None
    assert not store.stand_up(room.slug, 1)


def test_a_seat_that_is_not_there_is_nobodys(store, room):
    with pytest.raises(errors.NotFound):
        store.sit(people.Sitting(room.slug, 99, "Ada"))
    with pytest.raises(errors.NotFound):
        store.sit(people.Sitting("nowhere", 1, "Ada"))


def test_a_session_ends_by_time_by_idling_by_hand_and_with_its_account(store, clock):
    store.add_account(eva(clock))
    secrets = [store.begin_session(clock.now() + 3 * HOUR, account="e1") for _ in range(3)]
    store.end_session(secrets[0])
    assert [bool(store.person(one, 2 * HOUR)) for one in secrets] == [False, True, True]
    clock.pass_(hours=1, minutes=59)
    assert store.person(secrets[1], 2 * HOUR)
    clock.pass_(minutes=2)
    assert [bool(store.person(one, 2 * HOUR)) for one in secrets] == [False, True, False]
    clock.pass_(hours=1)
    assert store.person(secrets[1], 2 * HOUR) is None
    last = store.begin_session(clock.now() + HOUR, account="e1")
    store.change_account(eva(clock, closed=clock.now()))
    assert store.person(last, HOUR) is None


def test_a_ceremony_is_recalled_once_for_what_it_was_and_in_time(store, clock):
    one, other = (store.remember("passkey", {"challenge": "x"}, clock.now() + HOUR) for _ in range(2))
    assert store.recall("passkey", one) == {"challenge": "x"}
    assert store.recall("passkey", one) is None
    assert store.recall("provider", other) is None
    late = store.remember("passkey", {}, clock.now() + HOUR)
    clock.pass_(hours=2)
    assert store.recall("passkey", late) is None


def test_tries_count_until_their_time_unless_they_were_good_and_many_at_once_are_no_more(store, clock):
    limits = {"eva 192.0.2.1": 3, "from 192.0.2.1": 100}
    found = at_once(*[lambda: store.attempt(limits, clock.now() + HOUR)] * 6)
    assert sorted(one is None for one in found) == [False] * 3 + [True] * 3
    assert store.attempt({"ada 192.0.2.1": 3}, clock.now() + HOUR)
    store.forgive(next(one for one in found if one))
    assert store.attempt(limits, clock.now() + HOUR)
    assert store.attempt(limits, clock.now() + HOUR) is None
    clock.pass_(hours=2)
    assert store.attempt(limits, clock.now() + HOUR)


def test_a_password_is_replaced_and_a_passkey_keeps_its_count(store, clock):
    store.add_account(eva(clock))
    for digest in ("one", "two"):
        store.set_password("e1", digest)
    assert (store.password("e1"), store.password("e2")) == ("two", None)
    store.add_passkey(people.Passkey(b"\x00id", "e1", b"key", 3))
    assert store.passkey(b"\x00id", used=2**32 - 1).count == 2**32 - 1
    assert [one.id for one in store.passkeys("e1")] == [b"\x00id"]
    assert store.passkey(b"e1") is None, "a password is no passkey"
    with pytest.raises(errors.Conflict):
        store.add_passkey(people.Passkey(b"\x00id", "e1", b"other", 0))


def test_what_was_shown_is_found_again_for_many_at_once_and_ends_with_it(store, clock, room):
    store.add_account(eva(clock, roles=frozenset({people.Role.TRAINER})))
    store.co_train(room.slug, "e1")
    sitting = people.Sitting(room.slug, 1, "Ada")
    store.sit(sitting)
    secrets = [store.begin_session(clock.now() + HOUR, account="e1") for _ in range(2)]
    secrets.append(store.begin_session(clock.now() + HOUR, sitting=sitting))
    proofs = [store.session_proof(one) for one in secrets]
    assert store.session_holders([*proofs, "00"], HOUR) == {
        proof: store.person(one, HOUR) for proof, one in zip(proofs, secrets, strict=True)
    }
    assert store.session_holders(proofs, HOUR)[proofs[0]].runs == {room.slug}
    store.end_session(secrets[0])
    store.stand_up(room.slug, 1)
    assert list(store.session_holders(proofs, HOUR)) == [proofs[1]]
    clock.pass_(hours=1)
    assert store.session_holders(proofs, HOUR) == {}
