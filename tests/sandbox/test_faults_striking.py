"""Which calls are struck: counted per rule, in the order of calls, the same for the same seed."""

from __future__ import annotations

import json

import pytest

from labctl.sandbox import catalogue, faults
from labctl.sandbox.faults import reading, watching


def call(text="GET /version", **params):
    verb, path = text.split()
    method, given = catalogue.load().find(verb, path)
    return faults.Call(method, path, given, params)


def made(*entries, seed=0, log=None):
    text = f"version: 1\nseed: {seed}\nfaults:" + ("".join(f"\n  - {entry}" for entry in entries) or " []")
    return faults.Faults(reading.read(text, "f"), log=log)


def pattern(of, times=10, what="GET /version"):
    return "".join("x" if of.strike(call(what)) else "." for _ in range(times))


@pytest.mark.parametrize(
    ("how", "struck"),
    [
        ("", "xxxxxxxxxx"),
        ("times: 2", "xx........"),
        ("nth: 3", "..x......."),
        ("nth: [1, 4]", "x..x......"),
        ("every: 4", "...x...x.."),
        ("every: 2, times: 3", ".x.x.x...."),
        ("chance: 1", "xxxxxxxxxx"),
    ],
)
def test_how_often(how, struck):
    assert pattern(made(f"{{call: GET /version, do: drop{', ' if how else ''}{how}}}")) == struck


def test_chances_are_drawn_from_the_seed():
    entry = "{call: '*', do: drop, chance: 0.3}"
    first = pattern(made(entry, seed=1), 200)
    assert pattern(made(entry, seed=1), 200) == first
    assert pattern(made(entry, seed=2), 200) != first
    assert 30 < first.count("x") < 90


def test_only_calls_that_can_have_the_kind_are_counted():
    of = made("{call: '*', do: digest, nth: 1}")
    assert of.strike(call("GET /version")) is None
    assert of.strike(call("PUT /nodes/a/qemu/100/config")).answer.kind.name == "digest"


def test_only_the_named_node_is_meant():
    of = made("{call: GET /nodes/*, node: b, do: drop}")
    assert of.strike(call("GET /nodes/a/status")) is None
    assert of.strike(call("GET /version")) is None
    assert of.strike(call("GET /nodes/b/status")).call.node == "b"


def test_the_first_answer_wins_and_the_other_is_not_used_up():
    of = made(
        "{call: GET /version, do: drop, nth: 1}", "{call: GET /version, do: garbled, times: 1}", "{call: GET /version, do: slow, for: 2s}"
    )
    first, second, third = (of.strike(call()) for _ in range(3))
    assert (first.answer.kind.name, first.slow) == ("drop", 2.0)
    assert second.answer.kind.name == "garbled"
    assert third.answer is None
    assert of.counts() == {1: 1, 2: 1, 3: 3}


def test_a_lock_shows_in_the_task_where_the_call_starts_one():
    of = made("{call: '*', do: config-lock}")
    assert of.strike(call("POST /nodes/a/qemu/100/clone")).task.kind.name == "config-lock"
    assert of.strike(call("PUT /nodes/a/qemu/100/config")).answer.kind.name == "config-lock"
    there = made("{call: '*', do: config-lock, in: answer}").strike(call("POST /nodes/a/qemu/100/clone"))
    assert (there.task, there.answer.kind.name) == (None, "config-lock")


def test_each_strike_is_a_line(tmp_path):
    of = made("{call: GET /nodes/*, do: drop, nth: 2}", log=tmp_path / "log")
    for _ in range(3):
        of.strike(call("GET /nodes/a/status"))
    (line,) = [json.loads(text) for text in (tmp_path / "log").read_text().splitlines()]
    assert line.pop("at").endswith("Z")
    assert line == {"call": "GET /nodes/a/status", "node": "a", "kind": "drop", "rule": 1}


def test_a_home_is_followed_and_a_wrong_file_changes_nothing(tmp_path):
    of = watching.Watched(tmp_path)
    assert of.strike(call()) is None
    watching.put(tmp_path, "version: 1\nfaults:\n  - {call: GET /version, do: drop}\n", "mine.yaml")
    assert of.strike(call())
    (tmp_path / watching.FILE).write_text("version: 1\nfaults:\n  - {call: GET /version, do: dorp}\n")
    assert of.strike(call()).answer.kind.name == "drop"
    with pytest.raises(reading.Mistakes, match=r"mine\.yaml:1:1"):
        watching.put(tmp_path, "faults: []\n", "mine.yaml")
    watching.clear(tmp_path)
    assert of.strike(call()) is None
