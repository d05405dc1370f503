"""The front desk: wishes are checked, written and rung for; what is wrong is said in plain words, and nothing is half-written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from labctl import desk as desk_
from labctl import errors, settings, wiring
from labctl.model import lasting
from labctl.model.environment import State, Wanted
from labctl.model.lifecycle import Status
from labctl.model.site import Cluster, Image, Site, Template
from tests import fakes
from tests.runner.conftest import World, fake_outside

ROSTER = b"name,email\nAda Lovelace,ada@example.org\nGrace Hopper,grace@example.org\n"
BLUEPRINT = """labctl: 1
about: {title: A box each, area: systems}
machines:
  box: {image: debian-12, kind: container}
variables:
  flag: {random: flag}
  colour: {ask: choice, label: Colour, choices: [red, blue], default: red}
"""


@dataclass
class Front(World):
    """A world with a desk, a shelf and a site."""

    home: Path = Path()

    @property
    def desk(self) -> desk_.Desk:
        return self.wired.desk

    def class_(self, **kind):
        return self.desk.open("box-each", kind.pop("roster", ROSTER), slug=kind.pop("slug", "monday"), trainer="tess", **kind)

    def nothing_written(self):
        assert self.wired.classrooms.classrooms(closed=True) == ()
        assert self.wired.environments.environments(gone=True) == ()
        assert self.wired.journal.read() == ()
        assert self.bell.rung == []
        assert not (self.home / "shelf").exists() or list((self.home / "shelf").iterdir()) == []


def site(**kind):
    image = Image(container=(Template(node="sandbox", vmid=9001),))
    return Site(cluster=Cluster(secret_file="s", ca_file="c"), images={"debian-12": image}, **kind)


@pytest.fixture
def front(tmp_path):
    blueprints = tmp_path / "blueprints"
    (blueprints / "box-each").mkdir(parents=True)
    (blueprints / "box-each" / "blueprint.yaml").write_text(BLUEPRINT)
    clock, bell, cluster, script = fakes.SetClock(), fakes.CountingBell(), fakes.Cluster(), fakes.Script()
    outside = fake_outside(cluster, script)
    del outside["shelf"]
    chosen = settings.Settings(home=tmp_path / "home", blueprints=[blueprints])
    wired = wiring.Wiring(chosen, clock=clock, bell=bell, site=site(), **outside)
    return Front(wired, clock, bell, cluster, script, home=tmp_path / "home")


def test_a_class_is_opened_with_a_seat_for_each_learner(front):
    room = front.class_(title="Monday's")
    assert front.wired.classrooms.classroom("monday") == room
    assert (room.title, room.blueprint, room.trainer, room.opened) == ("Monday's", "box-each", "tess", front.clock.now())
    assert [(seat.number, seat.learner.login) for seat in room.seats] == [(1, "ada"), (2, "grace")]
    assert room.lease.starts == front.clock.now()
    assert room.lease.ends == front.clock.now() + lasting.DAY
    assert front.bell.rung == [seat.environment for seat in room.seats]
    assert [(line.step, line.who) for line in front.wired.journal.read(classroom="monday")] == [("open", "tess")] * 2
    for seat in room.seats:
        assert len(seat.environment) == 10
        assert seat.environment[0].isalpha()
        assert seat.environment.isalnum()


def test_each_learner_has_secrets_of_their_own(front):
    room = front.class_()
    plans = [front.wired.environments.plan(seat.environment) for seat in room.seats]
    flags = [next(one.value for one in plan.variables if one.name == "flag") for plan in plans]
    assert len(set(flags)) == 2
    assert [plan.seat.login for plan in plans] == ["ada", "grace"]
    assert plans[0].source == f"box-each@{room.digest}"


def test_the_blueprint_is_frozen_as_it_was_when_the_class_was_opened(front):
    room = front.class_()
    folder = front.wired.shelf.folder(f"box-each@{room.digest}")
    file = front.wired.settings.blueprints[0] / "box-each" / "blueprint.yaml"
    file.write_text(BLUEPRINT.replace("A box each", "Something else"))
    assert "A box each" in (folder / "blueprint.yaml").read_text()


def test_the_trainers_answers_reach_the_plan(front):
    room = front.class_(answers={"colour": "blue"})
    plan = front.wired.environments.plan(room.seats[0].environment)
    assert [one.value for one in plan.variables if one.name == "colour"] == ["blue"]


@pytest.mark.parametrize("slug", ["", "Monday", "1st", "a b", "a/b", "..", "-a", "a-", "x" * 41, "monday\n"])
def test_a_name_that_is_not_one_is_refused(front, slug):
    with pytest.raises(errors.BadInput, match="not a name for a class"):
        front.class_(slug=slug)
    front.nothing_written()


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ({"roster": b""}, errors.BadInput, "roster has 1 error"),
        ({"roster": b"name,email\nAda,ada@example.org\nAda,ada@example.org\n"}, errors.BadInput, "roster has"),
        ({"roster": b"name\nAda\n"}, errors.BadInput, "roster has 1 error"),
        ({"answers": {"colour": "green"}}, errors.BadInput, "colour"),
        ({"answers": {"taste": "sweet"}}, errors.BadInput, "taste"),
        ({"ends": fakes.NOON - timedelta(hours=1)}, errors.BadInput, "before it begins"),
        ({"ends": fakes.NOON}, errors.BadInput, "before it begins"),
        ({"starts": fakes.NOON - timedelta(days=2), "ends": fakes.NOON - timedelta(days=1)}, errors.BadInput, "over already"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_written(front, kind, error, words):
    with pytest.raises(error, match=words):
        front.class_(**kind)
    front.nothing_written()


@pytest.mark.parametrize("refusal", [errors.Unreachable("the node does not answer."), errors.Conflict("not enough memory.")])
def test_what_the_cluster_refuses_is_not_written(front, refusal):
    front.script.failures["preflight"] = [refusal]
    with pytest.raises(type(refusal), match=refusal.message):
        front.class_()
    front.nothing_written()
    front.class_()


def test_an_unknown_blueprint_says_so(front):
    with pytest.raises(errors.NotFound, match="box-eech"):
        front.desk.open("box-eech", ROSTER, slug="monday", trainer="tess")
    front.nothing_written()


@pytest.mark.parametrize("path", ["/etc", "../blueprints/box-each", ".", "./box-each", "blueprint.yaml"])
def test_a_class_is_opened_from_the_shelf_and_never_from_a_path(front, path):
    with pytest.raises(errors.BadInput, match="not the name of a blueprint"):
        front.desk.open(path, ROSTER, slug="monday", trainer="tess")
    front.nothing_written()


def test_a_blueprint_this_site_cannot_give_is_refused(front):
    front.wired.__dict__["site"] = site().model_copy(update={"images": {}})
    with pytest.raises(errors.BadInput, match="debian-12"):
        front.class_()
    front.nothing_written()


def test_a_name_that_is_taken_is_refused(front):
    front.class_()
    with pytest.raises(errors.Conflict, match="already a class 'monday'"):
        front.class_()
    assert len(front.wired.environments.environments()) == 2


def test_a_class_that_begins_later_is_opened_and_waits(front):
    room = front.class_(starts=front.clock.now() + timedelta(hours=2))
    assert room.lease.ends == front.clock.now() + timedelta(hours=2) + lasting.DAY
    env = room.seats[0].environment
    assert front.turn(env) is None
    assert front.status(env) is Status.WAITING
    front.clock.pass_(hours=2)
    assert front.run(env) is State.READY


def test_without_a_broker_no_class_is_opened(front):
    front.bell.broken = True
    with pytest.raises(errors.Unreachable, match="broker does not answer") as caught:
        front.class_()
    assert "labctl up" in caught.value.hint
    front.nothing_written()


def test_without_a_broker_nothing_is_reset_or_tried_again(front):
    room = front.class_()
    front.script.failures["build"] = [errors.PermanentError("no.")]
    front.run(room.seats[0].environment)
    front.bell.broken = True
    for ask in (lambda: front.desk.reset("monday", 1, who="tess"), lambda: front.desk.retry("monday", who="tess")):
        with pytest.raises(errors.Unreachable, match="broker does not answer"):
            ask()
    assert {env.wishes.round for env in front.wired.environments.environments()} == {1}


def test_without_a_broker_a_class_is_closed_all_the_same_and_it_says_that_nothing_happens_yet(front):
    front.class_()
    front.bell.broken = True
    with pytest.raises(errors.Unreachable, match="class 'monday' is closed, but nothing is removed yet: the broker does not answer"):
        front.desk.close("monday", who="tess")
    assert {env.wishes.wanted for env in front.wired.environments.environments()} == {Wanted.GONE}
    front.bell.broken = False
    assert len(front.wired.sweep()) == 2


def test_extending_gives_more_time(front):
    room = front.class_()
    until = room.lease.ends + timedelta(hours=1)
    assert front.desk.extend("monday", until, who="tess").lease.ends == until
    assert {env.wishes.lease.ends for env in front.wired.environments.environments()} == {until}
    assert front.wired.journal.read(classroom="monday")[-1].step == "extend"


def test_extending_to_an_earlier_end_is_refused(front):
    room = front.class_()
    for until in (room.lease.ends, front.clock.now()):
        with pytest.raises(errors.BadInput, match="already lasts until 2030-03-04 20:00 UTC"):
            front.desk.extend("monday", until, who="tess")


def test_a_class_that_is_over_cannot_be_extended(front):
    front.class_()
    front.clock.pass_(hours=9)
    with pytest.raises(errors.Conflict, match="is over"):
        front.desk.extend("monday", front.clock.now() + timedelta(hours=1), who="tess")


def test_a_seat_is_reset_by_one_more_round(front):
    room = front.class_()
    env = room.seats[1].environment
    front.run(env)
    front.bell.rung.clear()
    assert front.desk.reset("monday", 2, who="ada").wishes.round == 2
    assert front.status(env) is Status.RESETTING
    assert front.bell.rung == [env]
    assert front.run(env) is State.READY
    last = next(line for line in front.lines(env) if line.step == "reset")
    assert (last.text, last.who) == ("round 2", "ada")


def test_retry_clears_the_way_for_those_who_need_it_only(front):
    room = front.class_()
    front.script.failures["build"] = [errors.PermanentError("no.")]
    for seat in room.seats:
        front.run(seat.environment)
    assert [front.status(seat.environment) for seat in room.seats] == [Status.FAILED, Status.READY]
    assert [env.seat for env in front.desk.retry("monday", who="tess")] == [1]
    assert front.run(room.seats[0].environment) is State.READY
    assert front.desk.retry("monday", who="tess") == ()


def test_closing_removes_everything_and_may_be_repeated(front):
    room = front.class_()
    for seat in room.seats:
        front.run(seat.environment)
    for _ in range(2):
        assert front.desk.close("monday", who="tess").closed == front.clock.now()
    assert {env.wishes.wanted for env in front.wired.environments.environments()} == {Wanted.GONE}
    for seat in room.seats:
        assert front.run(seat.environment) is State.GONE
    front.desk.close("monday", who="tess")
    assert front.cluster.crumbs() == []


def test_what_is_being_removed_cannot_be_reset(front):
    front.class_()
    front.desk.close("monday", who="tess")
    with pytest.raises(errors.Conflict, match="seat 1 of class 'monday' is removing"):
        front.desk.reset("monday", 1, who="tess")


def test_a_stuck_removal_can_be_asked_for_again(front):
    room = front.class_()
    env = room.seats[0].environment
    front.run(env)
    front.desk.close("monday", who="tess")
    front.script.failures["remove"] = [errors.PermanentError("no.")] * 5
    for _ in range(5):
        front.turn(env)
        front.clock.pass_(minutes=6)
    assert front.status(env) is Status.STUCK
    front.clock.pass_(minutes=-6)
    assert front.turn(env) is None
    front.desk.retry("monday", who="tess")
    assert front.run(env) is State.GONE


def test_files_for_ssh_are_had_once_there_is_something_to_reach(front):
    room = front.class_()
    env = room.seats[0].environment
    with pytest.raises(errors.Conflict, match="seat 1 of class 'monday' is waiting"):
        front.desk.bundle("monday", 1)
    front.run(env)
    bundle = front.desk.bundle("monday", 1)
    assert bundle.hosts == ("box",)
    assert bundle.files["config"] == f"seat-monday-1-{env} until 20:00"
    front.clock.pass_(hours=8)
    with pytest.raises(errors.Conflict, match="is removing"):
        front.desk.bundle("monday", 1)


def test_what_is_not_there_is_answered_with_what_is(front):
    with pytest.raises(errors.NotFound, match="there is no class 'friday'") as caught:
        front.desk.close("friday", who="tess")
    assert "class open" in caught.value.hint
    front.class_()
    for ask in (
        lambda: front.desk.close("friday", who="tess"),
        lambda: front.desk.extend("friday", front.clock.now(), who="tess"),
        lambda: front.desk.reset("friday", 1, who="tess"),
        lambda: front.desk.retry("friday", who="tess"),
        lambda: front.desk.bundle("friday", 1),
    ):
        with pytest.raises(errors.NotFound, match="there is no class 'friday'") as caught:
            ask()
        assert caught.value.hint == "There are: monday."
    for number in (0, 3, -1):
        with pytest.raises(errors.NotFound, match=f"class 'monday' has no seat {number}") as caught:
            front.desk.seat("monday", number)
        assert caught.value.hint == "It has the seats 1 to 2."


def test_a_class_needs_a_site_to_be_opened_but_none_to_be_closed(tmp_path):
    clock, bell, cluster, script = fakes.SetClock(), fakes.CountingBell(), fakes.Cluster(), fakes.Script()
    wired = wiring.Wiring(settings.Settings(home=tmp_path), clock=clock, bell=bell, keys=fakes.FakeKeys())
    room = fakes.classroom()
    wired.classrooms.open(room, fakes.plans_for(room), range(1, 3))
    wired.desk.close("monday", who="it")
    assert wired.environments.environments()[0].wishes.wanted is Wanted.GONE
    del cluster, script
