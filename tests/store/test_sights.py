"""A class read on from the moment before is what it would be if it were read whole, after whatever was written, and names what differs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from labctl import errors
from labctl.drivers.database import tables
from labctl.model import lifecycle
from labctl.model.classroom import Seat
from labctl.model.environment import State, Step, Trouble, Wanted
from labctl.model.viewing import Answer, Joining
from tests import fakes

HOLD, PLOTS = timedelta(minutes=5), range(1, 20)


class Eye:
    """Looks at a class again and again."""

    def __init__(self, store, slug="monday"):
        self.store, self.slug = store, slug
        self.seen = store.sight(slug)

    def again(self):
        """What differs now; and the new sight is that of somebody who comes new."""
        self.seen = self.store.sight(self.slug, self.seen)
        whole = self.store.sight(self.slug)
        assert replace(self.seen, changed=None, marks=whole.marks) == whole
        assert [seat.number for seat in self.seen.room.seats] == sorted(seat.number for seat in self.seen.room.seats)
        return self.seen.changed


@pytest.fixture
def room(store):
    made = fakes.classroom(4)
    made = replace(made, seats=(*made.seats[:3], replace(made.seats[3], learner=None)))
    store.open(made, fakes.plans_for(made), PLOTS)
    return made


def settle(store, environment, **facts):
    claim = store.claim(environment, "w", HOLD)
    store.settle(claim, replace(store.environment(environment).facts, **facts))
    store.release(claim)


def trouble(clock, reason="no room", retry=HOLD):
    return Trouble(Step.BUILD, reason, 1, clock.now(), clock.now() + retry if retry else None)


def test_a_class_seen_for_the_first_time_is_whole_and_then_nothing_differs(store, room):
    eye = Eye(store)
    assert eye.seen.changed is None
    assert eye.seen.room == store.classroom("monday")
    assert set(eye.seen.environments.values()) == set(store.environments(classroom="monday", gone=True))
    assert eye.again() == frozenset()
    assert eye.again() == frozenset()


def test_of_everything_that_is_written_only_those_seats_differ(store, room, clock):
    eye, ids = Eye(store), [seat.environment for seat in room.seats]
    settle(store, ids[1], state=State.BUILT)
    assert eye.again() == {2}
    settle(store, ids[1], trouble=trouble(clock))
    settle(store, ids[2], state=State.BUILT)
    assert eye.again() == {2, 3}
    store.wish(ids[0], lambda wishes: replace(wishes, round=2))
    assert eye.again() == {1}
    store.write(ids[2], "build", "web: cloning")
    store.write("somebody else's", "build", "nothing of ours")
    store.write(ids[2], "build", "web: starting")
    assert eye.again() == {3}
    assert eye.seen.lines == {ids[2]: "web: starting"}
    store.reach("monday", 1, 3, 9)
    assert eye.again() == {1}
    store.raise_hand("monday", 2, "help")
    assert eye.again() == {2}
    store.lower_hand("monday", 2)
    assert eye.again() == {2}
    store.joining(Joining(3, Answer.ASKED, "eva", clock.now()), "monday")
    assert eye.again() == {3}
    store.mark_task("monday", 3, "find", lambda before: replace(before, done=clock.now(), earned=5))
    store.mark_task("monday", 1, "find", lambda before: replace(before, tries=1))
    assert eye.again() == {1, 3}
    store.mark_task("monday", 3, "fix", lambda before: replace(before, done=clock.now(), earned=2))
    assert eye.again() == {3}
    assert eye.seen.scores[3].points == 7
    store.remark("monday", None, "Break until ten", "eva")
    store.remark("monday", 1, "a note", "eva")
    assert eye.again() == frozenset()
    assert eye.seen.message == "Break until ten"
    store.extend("monday", room.lease.ends + HOLD)
    assert eye.again() == {1, 2, 3, 4}
    store.close("monday", clock.now())
    assert eye.again() == {1, 2, 3, 4}


def test_claims_change_nothing_that_is_seen(store, room):
    eye = Eye(store)
    before = eye.seen.environments[room.seats[0].environment]
    claim = store.claim(room.seats[0].environment, "w", HOLD)
    assert eye.again() == frozenset()
    store.renew(claim, HOLD)
    store.release(claim)
    assert eye.again() == frozenset()
    assert eye.seen.environments[before.id] == before


def test_seats_that_exchange_come_to_be_and_are_replaced_are_seen(store, room):
    def gone(env):
        return replace(env.wishes, wanted=Wanted.GONE, aside=True)

    eye = Eye(store)
    plan = lambda old, new: new.model_copy(update={"seat": old.seat, "principal": old.principal})  # noqa: E731
    store.exchange(room.seats[0], room.seats[3], plan, lambda old, new: (gone(old), new.wishes))
    assert eye.again() == {1, 4}
    fresh = Seat("monday", 5, None, "e-fresh")
    store.add_seat("monday", fresh, lambda plot: fakes.plan("e-fresh", plot, seat=5), PLOTS)
    assert 5 in eye.again()
    instead = replace(room.seats[1], environment="e-instead")
    store.replace(room.seats[1], instead, lambda plot: fakes.plan("e-instead", plot, seat=2), gone, PLOTS)
    assert {2, 6} <= eye.again()
    assert [seat.environment for seat in eye.seen.room.seats][1] == "e-instead"


def test_what_becomes_of_golden_machines_is_seen_at_the_seats_that_wait_for_them(store, clock):
    golden = replace(fakes.classroom(slug="golden.abc"), golden=True)
    store.open(golden, fakes.plans_for(golden), PLOTS)
    ground = golden.seats[0].environment
    room = fakes.classroom(2)
    plain = fakes.plans_for(room)
    store.open(room, lambda plots: [plan.model_copy(update={"stands_on": ground}) for plan in plain(plots)], PLOTS)
    eye = Eye(store)
    settle(store, ground, state=State.BUILT)
    assert eye.again() == {1, 2}
    settle(store, ground, trouble=trouble(clock, "mirror away", retry=None))
    assert eye.again() == {1, 2}
    assert "mirror away" in lifecycle.broken_ground(eye.seen.environments[room.seats[0].environment])


def test_a_class_that_takes_the_name_of_an_older_one_is_seen_whole(store, room, clock):
    eye = Eye(store)
    store.close("monday", clock.now())
    for seat in room.seats:
        settle(store, seat.environment, state=State.GONE, machines=())
    assert eye.again() == {1, 2, 3, 4}
    again = fakes.classroom(2, now=clock.now())
    store.open(again, fakes.plans_for(again), range(30, 40))
    assert eye.again() is None
    assert eye.seen.room.seats == again.seats
    assert len(eye.seen.environments) == 2


def test_a_class_that_is_not_there_cannot_be_seen(store):
    with pytest.raises(errors.NotFound, match="no class 'tuesday'"):
        store.sight("tuesday")


def test_whoever_writes_long_is_seen_although_others_were_done_before(store, room, url):
    if url.startswith("sqlite"):
        pytest.skip("one writer at a time")
    store.reach("monday", 1, 1, 9)
    eye = Eye(store)
    engine = sa.create_engine(url)
    mine = tables.reached.c.seat == 1
    with engine.connect() as slow, slow.begin() as going:
        slow.execute(sa.update(tables.reached).where(mine).values(page=7))
        store.reach("monday", 2, 2, 9)
        assert eye.again() == {2}
        store.reach("monday", 3, 3, 9)
        assert eye.again() >= {3}
        going.commit()
    assert 1 in eye.again()
    assert eye.seen.reached[1].page == 7
    engine.dispose()
