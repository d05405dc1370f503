"""Who a class is for, as `labctl class open` is told without a roster: names one by one, or seats for whoever has the class's code."""

from __future__ import annotations

import json

import pytest

from tests import world_here
from tests.api.conftest import House
from tests.cli.conftest import Shell
from tests.cli.test_bad_input import refused


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path / "house")
    yield made
    made.wiring.database.dispose()


@pytest.fixture
def trainer(house, tmp_path):
    """The command line with a trainer's token, before a real API whose cluster is a fake."""
    api = world_here.Api(house.app)
    labctl = Shell(tmp_path)

    def run(*words):
        return labctl(
            "class", "open", "hello", "-n", "monday", *words, LABCTL_TOKEN=house.secrets["trainer"], LABCTL_API_PORT=str(api.port)
        )

    yield run
    api.close()


def seated(house):
    room = house.wiring.desk.room("monday")
    return [seat.learner.name if seat.learner else None for seat in room.seats]


def test_names_alone_open_a_class_that_is_entered_by_code_and_the_code_is_said(house, trainer):
    done = trainer("-l", "Ada Lovelace", "--learner", "Zoë Ångström", "--spares", "1", "--may-join")
    assert done.returncode == 0, done.stderr
    assert seated(house) == ["Ada Lovelace", "Zoë Ångström", None]
    assert house.wiring.desk.room("monday").may_join
    code = house.wiring.inviting.code_of("monday")
    assert code
    assert f"/join/{code}" in done.stdout
    assert code in done.stdout


def test_names_with_addresses_need_no_code(house, trainer):
    done = trainer("-l", "Ada Lovelace, ada@example.org", "-l", "Grace Hopper <grace@example.org>", "-l", "eva@example.org", "--json")
    assert done.returncode == 0, done.stderr
    assert [seat.learner.email for seat in house.wiring.desk.room("monday").seats] == [
        "ada@example.org", "grace@example.org", "eva@example.org",
    ]  # fmt: skip
    assert not house.wiring.desk.room("monday").may_join
    assert house.wiring.inviting.code_of("monday") is None
    assert set(json.loads(done.stdout)) == {"what", "look"}


def test_so_many_seats_for_whoever_has_the_code(house, trainer):
    done = trainer("--by-code", "3", "--json")
    assert done.returncode == 0, done.stderr
    assert seated(house) == ["Seat 1", "Seat 2", "Seat 3"]
    assert json.loads(done.stdout)["code"] == house.wiring.inviting.code_of("monday")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), ("say once who the class is for", "--roster", "--learner", "--by-code")),
        (("-l", "Ada", "--by-code", "3"), ("say once",)),
        (("--by-code", "3", "--seats", "2"), ("--seats does, too",)),
        (("--by-code", "501"), ("at most 500",)),
        (("-l", "Ada", "-l", "ada"), ("--learner:2", "already on line 1")),
        (("-l", "Ada, nowhere@"), ("--learner:1", "nowhere@")),
        (("-l", " "), ("nobody is on the list",)),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(house, trainer, words, said):
    done = refused(trainer(*words), 1, *said)
    assert done.stdout == ""
    assert house.wiring.classrooms.classrooms() == ()
