"""Golden machines at the desk: opened with the first class that needs them, shared, baked again on request, never pulled away."""

from __future__ import annotations

import pytest

from labctl import errors
from labctl.model import marks
from labctl.model.environment import State
from labctl.model.lifecycle import Status
from tests.desk.test_desk import BLUEPRINT, ROSTER, front, site

BAKED = """configure:
  - {packages: [nginx]}
  - {write: /root/flag, content: "${lab.flag}", bake: false}
"""
__all__ = ["front"]


@pytest.fixture
def baked(front):
    write(front, BLUEPRINT + BAKED)
    return front


def write(front, text: str) -> None:
    (front.wired.settings.blueprints[0] / "box-each" / "blueprint.yaml").write_text(text)


def sets(front) -> list[str]:
    return [held.environment.id for held in front.wired.goldens.list()]


def test_the_first_class_opens_them_and_the_next_stands_on_the_same(baked):
    first, second = baked.class_(), baked.class_(slug="tuesday", roster=ROSTER.replace(b"Ada", b"Eve"))
    (ground,) = sets(baked)
    assert baked.bell.rung[0] == ground
    plot = baked.env(ground).plot
    for seat in (*first.seats, *second.seats):
        plan = baked.wired.environments.plan(seat.environment)
        assert plan.stands_on == ground
        assert [step.what for step in plan.steps] == ["/root/flag"]
        assert plan.machines[0].template == marks.vmid(site(), plot, 1)
    assert baked.wired.environments.plan(ground).machines[0].template == 9001
    assert baked.wired.shelf.folder(f"box-each@{first.digest}").is_dir()


def test_a_course_without_baked_steps_is_cloned_from_its_image(front):
    room = front.class_()
    plan = front.wired.environments.plan(room.seats[0].environment)
    assert (plan.stands_on, plan.machines[0].template) == (None, 9001)
    assert sets(front) == []


def test_a_changed_course_gets_golden_machines_of_its_own_and_disturbs_nobody(baked):
    room = baked.class_()
    write(baked, BLUEPRINT + BAKED.replace("nginx", "apache2"))
    baked.class_(slug="tuesday")
    old, new = sets(baked)
    assert baked.env(room.seats[0].environment).ground.environment == old
    # Only what is taught or personal has changed: the same golden machines.
    write(baked, BLUEPRINT.replace("A box each", "One box each") + BAKED.replace("nginx", "apache2"))
    baked.class_(slug="wednesday")
    assert sets(baked) == [old, new]


def test_nothing_is_baked_for_a_class_that_is_refused(baked):
    baked.script.failures["preflight"] = [errors.Conflict("too little memory.")]
    with pytest.raises(errors.Conflict, match="too little memory"):
        baked.class_()
    assert sets(baked) == []
    baked.nothing_written()


def test_a_class_goes_all_the_way_on_golden_machines(baked):
    room = baked.class_()
    (ground,) = sets(baked)
    assert baked.run(ground) is State.READY
    for seat in room.seats:
        assert baked.run(seat.environment) is State.READY


def broken(front):
    """A class whose bake failed for good; its seats, and the set that is gone."""
    room = front.class_()
    (ground,) = sets(front)
    front.script.failures["configure"] = [errors.PlayFailed("task 'Install' failed.")]
    assert front.run(ground) is State.GONE
    return [seat.environment for seat in room.seats], ground


@pytest.mark.parametrize("word", ["retry", "reset"])
def test_asking_again_after_a_failed_bake_bakes_others_for_all_who_ask(baked, word):
    seats, old = broken(baked)
    if word == "retry":
        assert [env.id for env in baked.desk.retry("monday", who="tess")] == seats
    else:
        for number in (1, 2):
            baked.desk.reset("monday", number, who="tess")
    (new,) = sets(baked)
    assert new != old
    assert baked.status(seats[0]) is Status.WAITING
    assert baked.run(new) is State.READY
    assert all(baked.run(seat) is State.READY for seat in seats)


def test_the_frozen_course_is_baked_again_and_not_what_it_has_become(baked):
    seats, _ = broken(baked)
    write(baked, BLUEPRINT + BAKED.replace("nginx", "apache2"))
    baked.desk.retry("monday", who="tess")
    plan = baked.wired.environments.plan(baked.env(seats[0]).ground.environment)
    assert plan.steps[0].packages == ("nginx",)


def test_a_class_may_be_closed_while_its_golden_machines_are_being_baked(baked):
    room = baked.class_()
    baked.desk.close("monday", who="tess")
    for seat in room.seats:
        assert baked.run(seat.environment) is State.GONE
    assert baked.run(sets(baked)[0]) is State.READY


def test_golden_machines_in_use_are_not_removed_and_others_are(baked):
    baked.class_()
    (ground,) = sets(baked)
    with pytest.raises(errors.Conflict, match="in use: monday"):
        baked.wired.goldens.remove("box-each", who="ida")
    baked.desk.close("monday", who="tess")
    for env in baked.wired.environments.environments(classroom="monday"):
        baked.run(env.id)
    baked.run(ground)
    room = baked.wired.goldens.remove("box-each", who="ida")
    assert baked.run(ground) is State.GONE
    assert baked.cluster.crumbs() == []
    with pytest.raises(errors.NotFound, match=f"no golden machines '{room.slug}'"):
        baked.wired.goldens.remove(room.slug, who="ida")


def test_golden_machines_are_no_class_to_the_desk(baked):
    baked.class_()
    slug = baked.wired.goldens.list()[0].room.slug
    for verb in (
        lambda: baked.desk.close(slug, who="tess"),
        lambda: baked.desk.reset(slug, 1, who="tess"),
        lambda: baked.desk.bundle(slug, 1),
    ):
        with pytest.raises(errors.NotFound, match="no class"):
            verb()


def test_while_a_failed_set_is_being_taken_away_a_class_is_told_to_try_again(baked):
    baked.class_()
    (ground,) = sets(baked)
    baked.script.failures["configure"] = [errors.PlayFailed("task 'Install' failed.")]
    baked.script.failures["remove"] = [errors.Busy("a lock is held.")]
    for _ in range(3):
        baked.turn(ground)
    with pytest.raises(errors.Conflict, match=r"being removed at this moment .*task 'Install' failed"):
        baked.class_(slug="tuesday")
    assert [room.slug for room in baked.wired.classrooms.classrooms()] == ["monday"]
