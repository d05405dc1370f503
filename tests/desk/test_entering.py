"""Who may be in, asked about all at once: the same as asked one by one, through resets, swaps and the end."""

from __future__ import annotations

import pytest

from labctl import errors
from tests.api.conftest import ROSTER, house  # noqa: F401  the same world as the API's tests


@pytest.fixture
def room(house):  # noqa: F811
    body = {"blueprint": "hello", "name": "monday", "roster": ROSTER, "spares": 1}
    assert house.client("trainer").post("/api/v1/classrooms", json=body).status_code == 202
    house.settle()
    return house


def principal(house, number):  # noqa: F811
    return house.wiring.environments.plan(house.wiring.desk.seat("monday", number)[1].id).principal


def one_by_one(house, principals):  # noqa: F811
    found = set()
    for one in principals:
        try:
            found.add(f"{one} {house.wiring.entering.way(one).environment}")
        except errors.Forbidden:
            continue
    return found


def agreed(house, principals):  # noqa: F811
    together = house.wiring.entering.still(principals)
    assert together == one_by_one(house, principals)
    return {one.split()[0] for one in together}


def test_all_seats_of_a_class_that_are_ready_may_be_in(room):
    mine = [principal(room, number) for number in (1, 2)]
    assert agreed(room, [*mine, *mine]) == set(mine)


def test_what_is_no_seat_or_somebody_elses_may_not(room):
    mine = principal(room, 1)
    others = [
        "",
        "root",
        "seat-monday-1-aaaaaaaaaa",
        mine.replace("-1-", "-2-"),
        mine.replace("monday", "tuesday"),
        "seat-monday-9-aaaaaaaaaa",
    ]
    assert agreed(room, [mine, *others]) == {mine}


def test_a_seat_that_starts_again_is_out_until_it_is_ready(room):
    mine = [principal(room, number) for number in (1, 2)]
    room.wiring.desk.reset("monday", 1, who="eva")
    assert agreed(room, mine) == {mine[1]}
    room.settle()
    assert agreed(room, mine) == set(mine)


def test_after_a_swap_the_same_principal_comes_to_the_spares_machines(room):
    mine = principal(room, 1)
    before = room.wiring.entering.still([mine])
    room.wiring.seating.swap("monday", 1, who="eva", keep=False, refill=False)
    assert agreed(room, [mine]) == set()
    room.settle()
    after = room.wiring.entering.still([mine])
    assert agreed(room, [mine]) == {mine}
    assert after != before


def test_nobody_is_in_when_the_class_is_over(room):
    mine = principal(room, 1)
    assert agreed(room, [mine]) == {mine}
    room.pass_(days=30)
    assert agreed(room, [mine]) == set()


def test_nobody_is_put_out_of_a_seat_because_a_machine_of_it_is_started_again(room):
    mine = [principal(room, number) for number in (1, 2)]
    _, env = room.wiring.desk.seat("monday", 1)
    room.cluster.change(lambda things: things["off"].update({str(env.facts.machines[0].vmid): "is switched off"}))
    assert room.wiring.watch.look() == (env.id,)
    board = room.client("trainer").get("/api/v1/classrooms/monday").json()
    assert {seat["number"]: seat["status"] for seat in board["seats"]} == {1: "starting", 2: "ready", 3: "ready"}
    assert board["classroom"]["counts"]["ready"] == 1
    assert agreed(room, mine) == set(mine)
    room.settle()
    assert room.client("trainer").get("/api/v1/classrooms/monday").json()["classroom"]["counts"]["ready"] == 2
