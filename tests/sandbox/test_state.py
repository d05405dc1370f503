"""A change writes what it touched and nothing else; a failed one leaves nothing; a value in one's hands may be altered later."""

from __future__ import annotations

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


def written(kept, tmp_path):
    """What a node would find after a kill at this moment."""
    del kept
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
    assert written(kept, tmp_path) == {
        ("guests", "1"): {"a": 2, "seen": True},
        ("guests", "2"): {"a": 2, "seen": True},
        ("guests", "5"): {"a": 1, "seen": True},
    }


def test_a_value_found_before_a_change_and_altered_in_it_is_written(kept, tmp_path):
    with kept.change() as content:
        content["guests"]["1"] = {"lock": "disk"}
    kept.begin()
    guest = kept.content["guests"]["1"]
    with kept.change():
        del guest["lock"]
    with kept.change():
        guest["again"] = 1
    assert written(kept, tmp_path) == {("guests", "1"): {"again": 1}}


def test_a_value_handed_to_another_thread_is_written_by_it(kept, tmp_path):
    with kept.change() as content:
        content["guests"]["1"] = {"lock": "disk"}
    guest, touched = kept.content["guests"]["1"], kept.touched()

    def work():
        kept.begin(touched)
        with kept.change():
            del guest["lock"]

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    assert written(kept, tmp_path) == {("guests", "1"): {}}


def test_a_failed_change_leaves_memory_and_file_as_they_were(kept, tmp_path):
    with kept.change() as content:
        content["guests"]["1"] = {"a": 1}
    before = written(kept, tmp_path)

    def half() -> None:
        with kept.change() as content:
            content["guests"]["1"]["a"] = 2
            content["guests"]["2"] = {}
            with kept.change():
                content["pools"]["p"] = {}
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        half()
    assert kept.content["guests"] == {"1": {"a": 1}}
    assert kept.content["pools"] == {}
    assert written(kept, tmp_path) == before


def test_a_change_looks_only_at_what_it_touched(kept, tmp_path):
    with kept.change() as content:
        content["guests"]["1"] = {"a": 1}
    dict.__setitem__(kept.content["guests"], "2", {"never looked at": {1, 2}})
    kept.begin()
    with kept.change() as content:
        content["guests"]["1"]["a"] = 2
    assert written(kept, tmp_path) == {("guests", "1"): {"a": 2}}
