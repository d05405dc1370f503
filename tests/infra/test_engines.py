"""Both engines obey the same rules, and each takes over what the other left (`pulumi.md`, What the real engine does)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from infra import state
from infra.engines import choice, embedded
from labctl import errors
from tests.infra import things
from tests.infra.things import program, thing


def engine_named(name: str, folder: Path):
    backend = state.Backend(folder / "state")
    if name == "embedded":
        return embedded.Embedded(backend, things.make_provider)
    cli = choice.find()
    if cli is None or not cli.supported:
        pytest.skip("no `pulumi` on PATH or in $LABCTL_PULUMI: the real engine's half is not run")
    from infra.engines import pulumi

    return pulumi.Pulumi(backend, cli.path, folder / "passphrase", things.make_provider)


@pytest.fixture(params=["embedded", "pulumi"])
def engine(request, tmp_path):
    return engine_named(request.param, tmp_path)


@pytest.fixture
def world(tmp_path):
    folder = tmp_path / "world"
    folder.mkdir()
    return folder


def records(engine, stack="s1") -> dict[str, dict]:
    rows = engine._backend.load(stack).get("resources") or []
    return {row["urn"].rpartition("::")[2]: row for row in rows if row["type"] == things.THING.name}


def test_everything_of_a_program_comes_to_be_what_is_needed_first(engine, world):
    outcome = engine.up(
        program(thing(world, "net"), thing(world, "web", needs=("net",)), thing(world, "db", needs=("net",))), things.work(world)
    )
    assert outcome.well, outcome
    assert sorted(outcome.created) == ["db", "net", "web"]
    assert things.there(world) == {"net", "web", "db"}
    assert things.calls(world)[0] == "make net"
    assert records(engine)["web"]["id"] == "web"
    assert not engine._backend.locks("s1")


def test_again_with_the_same_program_nothing_is_done(engine, world):
    the_program = program(thing(world, "net"), thing(world, "web", needs=("net",)))
    engine.up(the_program, things.work(world))
    things.calls(world)
    outcome = engine.up(the_program, things.work(world))
    assert outcome.well
    assert sorted(outcome.same) == ["net", "web"]
    assert things.calls(world) == []


def test_a_changed_input_is_an_update_and_keeps_the_identity(engine, world):
    engine.up(program(thing(world, "web", 1)), things.work(world))
    things.calls(world)
    outcome = engine.up(program(thing(world, "web", 2)), things.work(world))
    assert outcome.updated == ["web"]
    assert things.calls(world) == ["make web"]
    assert records(engine)["web"]["inputs"]["size"] == 2


def test_an_input_that_replaces_deletes_first_and_takes_dependents_with_it_whose_own_diff_says_so(engine, world):
    def drawn(place):
        return program(
            thing(world, "pool", place=place),
            thing(world, "guest", of={"$id": "pool"}, needs=("pool",)),
            thing(world, "other", needs=("pool",)),
        )

    assert engine.up(drawn("a"), things.work(world)).well
    things.calls(world)
    outcome = engine.up(drawn("b"), things.work(world))
    assert outcome.well, outcome
    calls = things.calls(world)
    assert calls[:2] == ["remove guest", "remove pool"]
    assert sorted(calls[2:]) == ["make guest", "make pool"]
    assert calls.index("make pool") < calls.index("make guest")


def test_what_the_program_no_longer_names_is_removed(engine, world):
    engine.up(program(thing(world, "net"), thing(world, "web", needs=("net",))), things.work(world))
    outcome = engine.up(program(thing(world, "net")), things.work(world))
    assert outcome.deleted == ["web"]
    assert things.there(world) == {"net"}


def test_a_half_made_thing_is_recorded_and_the_next_run_completes_it(engine, world):
    (world / "fail-web").write_text("after")
    the_program = program(thing(world, "net"), thing(world, "web", needs=("net",)), thing(world, "db"))
    work = things.work(world)
    outcome = engine.up(the_program, work)
    assert not outcome.well
    assert "half made" in " ".join(outcome.failures)
    assert [type(error) for error in work.failures] == [errors.PermanentError]
    assert records(engine)["web"]["initErrors"]
    assert {"net", "web"} <= things.there(world)
    things.calls(world)
    outcome = engine.up(the_program, things.work(world))
    assert outcome.well, outcome
    assert "web" in outcome.updated
    assert "make web" in things.calls(world)
    assert not records(engine)["web"].get("initErrors")


def test_a_thing_that_never_came_to_be_is_not_recorded_and_its_dependents_are_not_started(engine, world):
    (world / "fail-net").write_text("before")
    the_program = program(thing(world, "net"), thing(world, "web", needs=("net",)))
    work = things.work(world)
    outcome = engine.up(the_program, work)
    assert not outcome.well
    assert isinstance(work.failures[0], errors.Busy)
    assert things.there(world) == set()
    assert things.calls(world) == ["make net"]
    assert records(engine) == {}
    assert engine.up(the_program, things.work(world)).well
    assert things.there(world) == {"net", "web"}


def test_after_a_failure_nothing_is_removed(engine, world):
    engine.up(program(thing(world, "old")), things.work(world))
    (world / "fail-new").write_text("before")
    assert not engine.up(program(thing(world, "new")), things.work(world)).well
    assert "old" in things.there(world)
    assert "old" in records(engine)


def test_what_vanished_outside_is_made_again(engine, world):
    the_program = program(thing(world, "net"), thing(world, "web", needs=("net",)))
    engine.up(the_program, things.work(world))
    (world / "thing-web").unlink()
    outcome = engine.up(the_program, things.work(world))
    assert outcome.well, outcome
    assert outcome.created == ["web"]
    assert things.there(world) == {"net", "web"}


def test_what_was_changed_outside_is_put_right(engine, world):
    the_program = program(thing(world, "web", 3))
    engine.up(the_program, things.work(world))
    (world / "thing-web").write_text("99")
    outcome = engine.up(the_program, things.work(world))
    assert outcome.updated == ["web"], outcome
    assert (world / "thing-web").read_text() == "3"
    assert engine.up(the_program, things.work(world)).same == ["web"]


def test_destroy_goes_backwards_and_leaves_an_empty_record(engine, world):
    engine.up(
        program(thing(world, "pool"), thing(world, "net", needs=("pool",)), thing(world, "web", needs=("net", "pool"))), things.work(world)
    )
    things.calls(world)
    outcome = engine.destroy("s1", things.work(world))
    assert outcome.well, outcome
    assert things.calls(world) == ["remove web", "remove net", "remove pool"]
    assert records(engine) == {}
    assert engine.destroy("s1", things.work(world)).deleted == []


def test_what_does_not_go_stays_on_record_with_what_it_needs(engine, world):
    engine.up(program(thing(world, "net"), thing(world, "web", needs=("net",))), things.work(world))
    (world / "stay-web").touch()
    outcome = engine.destroy("s1", things.work(world))
    assert not outcome.well
    assert set(records(engine)) == {"net", "web"}
    (world / "stay-web").unlink()
    assert engine.destroy("s1", things.work(world)).well
    assert things.there(world) == set()


def test_a_wrong_input_is_refused_before_anything_is_made(engine, world):
    outcome = engine.up(program(thing(world, "web", place=7)), things.work(world))
    assert not outcome.well
    assert "place" in " ".join(outcome.failures)
    assert things.calls(world) == []


def test_a_locked_stack_is_busy_until_its_holder_is_gone(engine, world):
    engine._backend.ensure("s1")
    with engine._backend.lock("s1"):
        with pytest.raises(errors.Busy):
            engine.up(program(thing(world, "web")), things.work(world))
        with pytest.raises(errors.Busy):
            engine.recover("s1")
    assert engine.up(program(thing(world, "web")), things.work(world)).well


def test_cancelling_ends_the_waits_and_leaves_a_whole_record(engine, world):
    (world / "hang-web").touch()
    work = things.work(world)
    done = []
    runner = threading.Thread(target=lambda: done.append(engine.up(program(thing(world, "web")), work)))
    runner.start()
    until = time.monotonic() + 60
    while "web" not in things.there(world):
        assert time.monotonic() < until
        time.sleep(0.02)
    work.abort()
    runner.join(120)
    assert done
    assert not done[0].well
    assert not engine._backend.locks("s1")
    (world / "hang-web").unlink()
    assert engine.up(program(thing(world, "web")), things.work(world)).well


KILLED = """
import sys
from pathlib import Path
from tests.infra import test_engines, things
name, folder, world = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
engine = test_engines.engine_named(name, folder)
engine.up(things.program(things.thing(world, "net"), things.thing(world, "web", needs=("net",))), things.work(world))
"""


def kill_in_create(name: str, folder: Path, world: Path) -> None:
    """A real process, killed with its children while `web` is being made."""
    (world / "hang-web").touch()
    root = Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", KILLED, name, str(folder), str(world)], cwd=root, start_new_session=True)
    until = time.monotonic() + 60
    while "web" not in things.there(world):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (world / "hang-web").unlink()
    things.calls(world)


@pytest.mark.parametrize("survivor", ["embedded", "pulumi"])
@pytest.mark.parametrize("victim", ["embedded", "pulumi"])
def test_after_a_kill_in_a_create_the_lock_is_freed_and_create_adopts(victim, survivor, tmp_path, world):
    engine_named(victim, tmp_path)
    engine = engine_named(survivor, tmp_path)
    kill_in_create(victim, tmp_path, world)
    assert engine._backend.locks("s1"), "a killed run leaves its lock"
    assert [one["type"] for one in engine._backend.load("s1")["pending_operations"]] == ["creating"]
    assert "web" not in records(engine)
    with pytest.raises(errors.Busy):
        engine.up(program(thing(world, "net"), thing(world, "web", needs=("net",))), things.work(world))
    engine.recover("s1")
    outcome = engine.up(program(thing(world, "net"), thing(world, "web", needs=("net",))), things.work(world))
    assert outcome.well, outcome
    assert things.calls(world) == ["make web"]
    assert not engine._backend.load("s1").get("pending_operations")
    assert engine.destroy("s1", things.work(world)).well
    assert things.there(world) == set()


@pytest.mark.parametrize(("first", "second"), [("embedded", "pulumi"), ("pulumi", "embedded")])
def test_each_engine_takes_over_what_the_other_made_with_nothing_to_do(first, second, tmp_path, world):
    one, other = engine_named(first, tmp_path), engine_named(second, tmp_path)
    the_program = program(thing(world, "pool"), thing(world, "web", 2, of={"$id": "pool"}, needs=("pool",)))
    assert one.up(the_program, things.work(world)).well
    things.calls(world)
    outcome = other.up(the_program, things.work(world))
    assert outcome.well, outcome
    assert sorted(outcome.same) == ["pool", "web"]
    assert things.calls(world) == []
    (world / "fail-web").write_text("after")
    changed = program(thing(world, "pool"), thing(world, "web", 3, of={"$id": "pool"}, needs=("pool",)))
    assert not other.up(changed, things.work(world)).well
    outcome = one.up(changed, things.work(world))
    assert outcome.updated == ["web"], outcome
    assert other.destroy("s1", things.work(world)).well
    assert things.there(world) == set()


@pytest.mark.parametrize("name", ["embedded", "pulumi"])
def test_after_destroy_and_forget_no_file_carries_the_stacks_name(name, tmp_path, world):
    engine = engine_named(name, tmp_path)
    engine.up(program(thing(world, "web"), stack="abcdefgh12"), things.work(world))
    engine.destroy("abcdefgh12", things.work(world))
    engine._backend.forget("abcdefgh12")
    assert engine._backend.crumbs("abcdefgh12") == ()


def test_both_engines_write_the_same_records(tmp_path, world):
    shapes = []
    for name in ("embedded", "pulumi"):
        folder = tmp_path / name
        folder.mkdir()
        engine = engine_named(name, folder)
        engine.up(program(thing(world, "pool"), thing(world, "web", of={"$id": "pool"}, needs=("pool",))), things.work(world))
        rows = engine._backend.load("s1")["resources"]
        provider_id = next(row["id"] for row in rows if row["type"].startswith("pulumi:providers"))
        text = json.dumps(rows).replace(provider_id, "ID")
        shape = json.loads(text)
        for row in shape:
            for key in ("created", "modified", "sourcePosition", "stackTrace"):
                row.pop(key, None)
        shapes.append(sorted(shape, key=lambda row: row["urn"]))
        for path in world.glob("thing-*"):
            path.unlink()
    assert shapes[0] == shapes[1]


def test_a_checkpoint_is_readable_by_its_owner_only(tmp_path, world):
    engine = engine_named("embedded", tmp_path)
    engine.up(program(thing(world, "web")), things.work(world))
    assert engine._backend.checkpoint("s1").stat().st_mode & 0o077 == 0


def test_a_broken_checkpoint_is_reported_and_not_overwritten(tmp_path, world):
    engine = engine_named("embedded", tmp_path)
    engine.up(program(thing(world, "web")), things.work(world))
    engine._backend.checkpoint("s1").write_text("{")
    with pytest.raises(errors.PermanentError, match="cannot be read"):
        engine.up(program(thing(world, "web")), things.work(world))
    assert engine._backend.checkpoint("s1").read_text() == "{"
