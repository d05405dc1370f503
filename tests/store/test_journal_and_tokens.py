"""The journal only grows; of tokens only hashes are kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from labctl import errors
from labctl.drivers.database import journal
from labctl.ports import Token
from tests import fakes


def test_lines_come_in_order_and_can_be_followed(store, clock):
    for number in range(5):
        store.write("e1", "build", f"line {number}", who="tess")
        clock.pass_(seconds=1)
    lines = store.read(limit=3)
    assert [line.text for line in lines] == ["line 0", "line 1", "line 2"]
    assert [line.text for line in store.read(after=lines[-1].number)] == ["line 3", "line 4"]
    assert lines[0].at == fakes.NOON
    assert lines[0].who == "tess"


def test_lines_are_told_apart_by_environment_and_class(store):
    one, two = fakes.classroom(2), fakes.classroom(1, slug="tuesday")
    for room in (one, two):
        store.open(room, fakes.plans_for(room), range(1, 9))
    for seat in (*one.seats, *two.seats):
        store.write(seat.environment, "build", f"{seat.classroom} {seat.number}")
    assert [line.text for line in store.read(classroom="monday")] == ["monday 1", "monday 2"]
    assert [line.text for line in store.read(environment=two.seats[0].environment)] == ["tuesday 1"]
    assert store.read(classroom="friday") == ()


def test_a_book_is_cut(store):
    store.write("e1", "build", "x" * 100_000)
    assert len(store.read()[0].text) == journal.LONGEST


def test_a_token_opens_until_it_expires_or_is_revoked(store, clock):
    secret = store.create(Token("tess", "trainer", expires=clock.now() + timedelta(hours=1)))
    assert store.check(secret).name == "tess"
    clock.pass_(hours=1)
    assert store.check(secret) is None
    other = store.create(Token("ada", "learner", environment="e1"))
    assert store.check(other).environment == "e1"
    assert store.revoke("ada") is True
    assert store.revoke("ada") is False
    assert store.check(other) is None


@pytest.mark.parametrize("wrong", ["", "labctl_", "x" * 5000, "ünïcode", "labctl_\x00"])
def test_a_wrong_secret_opens_nothing(store, wrong):
    store.create(Token("tess", "trainer"))
    assert store.check(wrong) is None


def test_a_name_is_used_once(store):
    store.create(Token("tess", "trainer"))
    with pytest.raises(errors.Conflict, match="already a token 'tess'"):
        store.create(Token("tess", "it"))
    assert [token.role for token in store.list()] == ["trainer"]


def test_no_secret_and_no_plan_can_be_read_from_the_file(tmp_path, url, store):
    if not url.startswith("sqlite"):
        pytest.skip("PostgreSQL keeps no file of ours; the columns are the same")
    secret = store.create(Token("tess", "trainer"))
    room = fakes.classroom()
    store.open(room, fakes.plans_for(room), range(1, 3))
    assert "FLAG-very-secret" in store.plan(room.seats[0].environment).model_dump_json()
    store.dispose()
    kept = b"".join(Path(path).read_bytes() for path in tmp_path.glob("labctl.sqlite3*"))
    assert b"first-steps" in kept
    for hidden in (secret, secret.removeprefix("labctl_"), "FLAG-very-secret"):
        assert hidden.encode() not in kept


def test_a_statement_that_fails_does_not_show_its_values(store):
    store.migrate()
    with store._connection.reading() as connection, pytest.raises(sa.exc.SQLAlchemyError) as caught:
        connection.execute(sa.text("SELECT :secret FROM nowhere_at_all"), {"secret": "hush"})
    assert "nowhere_at_all" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_lines_of_many_environments_are_written_at_once_and_read_by_each(store):
    store.write_all({}, "close")
    store.write_all({"e1": "one", "e2": "two" * 4000}, "close", "anna")
    assert [(line.environment, line.step, line.text, line.who) for line in store.read(environment="e1")] == [("e1", "close", "one", "anna")]
    (second,) = store.read(environment="e2")
    assert len(second.text) == 4000
