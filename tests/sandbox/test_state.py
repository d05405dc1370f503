"""A change writes what it altered and nothing else; a failed one leaves nothing; a value in one's hands may be altered later."""

from __future__ import annotations

import copy
import json
import sqlite3
import threading

import pytest

from labctl.sandbox import state


@pytest.fixture
def kept(tmp_path):
    made = state.State(tmp_path / "state.sqlite3")
    yield made
    made.close()


def written(tmp_path):
    """What a node would find after a kill at this moment."""
    with sqlite3.connect(tmp_path / "state.sqlite3") as file:
        return {(kind, key): json.loads(body) for kind, key, body in file.execute("select kind, key, body from thing")}


def test_whatever_way_a_thing_is_altered_it_is_written(kept, tmp_path):
    with kept.change() as content:
        content["guests"].update({"1": {"a": 1}, "2": {"a": 1}, "3": {"a": 1}, "4": {"a": 1}})
        content["guests"] |= {"5": {"a": 1}}
        content["pools"].setdefault("p", {})["vms"] = [1]
    with kept.change() as content:
        content["guests"]["1"]["a"] = 2
        content["guests"].get("2")["a"] = 2
        for guest in content["guests"].values():
            guest["seen"] = True
        content["guests"].pop("3")
        del content["guests"]["4"]
        content["pools"].clear()
    assert written(tmp_path) == {
        ("guests", "1"): {"a": 2, "seen": True},
        ("guests", "2"): {"a": 2, "seen": True},
        ("guests", "5"): {"a": 1, "seen": True},
    }


def test_what_lies_deep_in_a_value_is_written_too(kept, tmp_path):
    with kept.change() as content:
        content["guests"]["1"] = {"config": {"net0": "a"}, "delete": [], "snapshots": {}}
    changes = [
        lambda guest: guest["config"].pop("net0"),
        lambda guest: guest["config"].update(memory=1),
        lambda guest: guest["config"].__ior__({"cores": 1}),
        lambda guest: guest["snapshots"].setdefault("ready", {}).update(parent="x"),
        lambda guest: guest["delete"].append("net1"),
        lambda guest: guest["delete"].extend(["b", "a"]),
        lambda guest: guest["delete"].sort(),
        lambda guest: guest["delete"].insert(0, {"deep": []}),
        lambda guest: guest["delete"][0]["deep"].append(1),
        lambda guest: guest["delete"].remove("a"),
        lambda guest: guest["delete"].__setitem__(slice(1, 2), ["x", "y"]),
        lambda guest: guest["delete"].reverse(),
        lambda guest: guest["delete"].pop(),
        lambda guest: guest["delete"].clear(),
        lambda guest: guest["snapshots"].popitem(),
        lambda guest: guest["config"].clear(),
    ]
    for change in changes:
        plain = copy.deepcopy(kept.content["guests"]["1"])
        change(plain)
        with kept.change() as content:
            change(content["guests"]["1"])
        assert written(tmp_path) == {("guests", "1"): plain}


def test_a_copy_is_plain_and_what_was_put_in_is_no_longer_the_callers(kept, tmp_path):
    mine = {"config": {"a": 1}}
    with kept.change() as content:
        content["guests"]["1"] = mine
    mine["config"]["a"] = 2
    for taken in (copy.deepcopy(kept.content["guests"]["1"]), kept.content["guests"]["1"] | {}, dict(kept.content["guests"]["1"])):
        assert type(taken) is dict
        taken["config"] = {}
    with kept.change():
        pass
    assert written(tmp_path) == {("guests", "1"): {"config": {"a": 1}}}


def test_a_value_found_before_a_change_and_altered_in_it_is_written(kept, tmp_path):
    with kept.change() as content:
        content["guests"]["1"] = {"lock": "disk"}
    guest = kept.content["guests"]["1"]
    with kept.change():
        del guest["lock"]
    with kept.change():
        guest["again"] = 1
    assert written(tmp_path) == {("guests", "1"): {"again": 1}}


def test_a_value_handed_to_another_thread_is_written_by_it(kept, tmp_path):
    with kept.change() as content:
        content["guests"]["1"] = {"lock": "disk"}
    guest = kept.content["guests"]["1"]

    def work():
        with kept.change():
            del guest["lock"]

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    assert written(tmp_path) == {("guests", "1"): {}}


def test_a_failed_change_leaves_memory_and_file_as_they_were(kept, tmp_path):
    with kept.change() as content:
        content["guests"]["1"] = {"a": 1}
    before = written(tmp_path)

    def fail():
        with kept.change() as content:
            content["guests"]["1"]["a"] = 2
            content["guests"]["2"] = {}
            with kept.change():
                content["pools"]["p"] = {}
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert kept.content["guests"] == {"1": {"a": 1}}
    assert kept.content["pools"] == {}
    assert written(tmp_path) == before


def test_a_change_looks_only_at_what_it_altered(kept, tmp_path):
    with kept.change() as content:
        content["guests"]["1"] = {"a": 1}
    dict.__setitem__(kept.content["guests"], "2", {"never looked at": {1, 2}})
    with kept.change() as content:
        content["guests"]["1"]["a"] = 2
    assert written(tmp_path) == {("guests", "1"): {"a": 2}}


def test_who_follows_a_kind_reads_what_was_altered_and_what_was_undone(kept):
    read = []
    catch_up = kept.follow("pools", read.append)

    def caught():
        read.clear()
        catch_up()
        return read

    with kept.change() as content:
        content["pools"]["p"] = {"vms": []}
        content["guests"]["1"] = {}
    assert caught() == ["p"]
    assert caught() == []
    before = kept.generation["pools"]

    def fail():
        with kept.change() as content:
            content["pools"]["p"]["vms"].append(1)
            assert caught() == ["p"]
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert caught() == ["p"]
    assert kept.generation["pools"] > before
    assert kept.content["pools"]["p"] == {"vms": []}
