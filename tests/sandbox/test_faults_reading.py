"""Fault files: what is right becomes rules, and every mistake is said with its file, line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.sandbox import catalogue
from labctl.sandbox.faults import kinds, reading, rules

RIGHT = """\
version: 1
seed: 7
faults:
  - call: POST /nodes/{node}/lxc/{vmid}/clone
    node: pve3
    nth: [2, 4]
    do: storage-lock
    storage: fast
  - {call: "* /nodes/*", every: 3, times: 2, do: slow, for: 250ms}
  - {call: "*", chance: 0.05, do: drop}
  - {call: PUT /cluster/sdn, do: proxy-596, after: true}
  - {call: POST /nodes/pve1/qemu/105/status/start, nth: 1, do: config-lock, in: answer}
"""


def test_a_file_becomes_rules():
    known = reading.read(RIGHT, "f.yaml")
    clone, slow, drop, proxy, lock = known
    assert known.seed == 7
    assert clone == rules.Rule(
        number=1,
        pattern=rules.Pattern("POST", "/nodes/{node}/lxc/{vmid}/clone"),
        kind=kinds.KINDS["storage-lock"],
        node="pve3",
        nth=frozenset({2, 4}),
        times=2,
        in_task=True,
        storage="fast",
    )
    assert (slow.every, slow.times, slow.seconds) == (3, 2, 0.25)
    assert (drop.chance, drop.times, str(drop.pattern)) == (0.05, 0, "*")
    assert proxy.after
    assert not lock.in_task


def test_no_faults_are_a_file_too():
    assert list(reading.read("version: 1\nfaults: []\n", "f.yaml")) == []


ONE = "version: 1\nfaults:\n  - {call: %s, do: %s}\n"
WRONG = [
    ("", "1:1: the file is empty"),
    ("faults: []", "1:1: 'version' is missing"),
    ("version: 2\nfaults: []", "1:10: version '2' is not known"),
    ("version: 1", "1:1: 'faults' is missing"),
    ("version: 1\nfaults: 3", "2:9: 'faults' must be a list"),
    ("version: 1\nfaults:\n  - drop", "3:5: a fault must be a block of keys"),
    ("version: 1\nfalts: []\nfaults: []", "2:1: the file has no key 'falts'; did you mean 'faults'?"),
    ("version: 1\nversion: 1\nfaults: []", "2:1: 'version' is there twice"),
    ("version: 1\nfaults: [", "this is not YAML"),
    ("version: 1\nseed: soon\nfaults: []", "2:7: 'seed' must be a whole number"),
    ("version: 1\nfaults:\n  - do: drop", "3:5: a fault needs 'call'"),
    ("version: 1\nfaults:\n  - call: '*'", "3:5: a fault needs 'do'"),
    (ONE % ("POST /nodes/pve1/lxc/5/clon", "drop"), "3:12: Proxmox has no 'POST /nodes/pve1/lxc/5/clon'; did you mean"),
    (ONE % ("FETCH /version", "drop"), "3:12: 'FETCH /version' is not a call"),
    (ONE % ("GET version", "drop"), "3:12: 'GET version' is not a call"),
    (ONE % ("GET /version", "dorp"), "3:30: there is no fault 'dorp'; did you mean 'drop'?"),
    (ONE % ("GET /version", "digest"), "3:12: 'digest' never happens to 'GET /version'"),
    (ONE % ("GET /version", "drop, after: true"), "3:43: 'drop' cannot come after the work"),
    (ONE % ("GET /version", "drop, for: 5s"), "3:41: 'drop' takes no 'for'"),
    (ONE % ("GET /version", "drop, in: task"), "3:40: 'drop' shows in one place only"),
    (ONE % ("POST /pools", "cluster-lock, in: it"), "3:47: 'in' is task or answer, not 'it'"),
    (ONE % ("GET /version", "slow, for: 5"), "3:41: '5' is not a duration"),
    (ONE % ("GET /version", "drop, nth: 0"), "3:41: 'nth' must be a whole number of 1 or more, not '0'"),
    (ONE % ("GET /version", "drop, nth: [1, x]"), "3:45: 'nth' must be a whole number"),
    (ONE % ("GET /version", "drop, chance: 1.5"), "3:44: 'chance' must be a number above 0 and at most 1"),
    (ONE % ("GET /version", "drop, nth: 1, every: 2"), "3:51: a fault has one of 'nth', 'every' and 'chance'"),
    (ONE % ("GET /version", "refuse, status: 200"), "3:46: 'status' must be a whole number from 400 to 599"),
    (ONE % ("PUT /cluster/sdn", "task-killed, locked: yes"), "3:55: write true or false"),
    (ONE % ("GET /version", "drop, node: [a]"), "3:42: 'node' must be one value"),
]


@pytest.mark.parametrize(("text", "complaint"), WRONG)
def test_a_mistake_is_said_with_its_place(text, complaint):
    with pytest.raises(reading.Mistakes) as wrong:
        reading.read(text, "f.yaml")
    assert any(str(one).startswith("f.yaml:") and complaint in str(one) for one in wrong.value.mistakes), str(wrong.value)


def test_all_mistakes_come_at_once_in_the_files_order():
    text = "version: 1\nfaults:\n  - {call: GET /version, nth: 0, do: dorp}\n  - {call: GET /nope, do: drop, foo: 1}\n"
    with pytest.raises(reading.Mistakes) as wrong:
        reading.read(text, "f.yaml")
    assert [(one.line, one.column) for one in wrong.value.mistakes] == [(3, 31), (3, 38), (4, 12), (4, 33)]


def test_every_kind_can_happen_to_some_call_and_says_where_it_is_from():
    methods = catalogue.load().methods.values()
    for kind in kinds.KINDS.values():
        assert any(kind.fits(method) for method in methods), kind.name
        assert kind.about
        assert ("for" in kind.takes) == (kind.lasts > 0), kind.name


@pytest.mark.parametrize(
    ("pattern", "call", "means"),
    [
        ("* *", "GET /version", True),
        ("GET /version", "GET /version", True),
        ("POST /version", "GET /version", False),
        ("* /nodes/*", "POST /nodes/a/lxc/5/clone", True),
        ("* /nodes/*", "GET /cluster/sdn", False),
        ("GET /nodes/{node}/lxc/{vmid}/config", "GET /nodes/a/lxc/5/config", True),
        ("GET /nodes/{node}/lxc/{vmid}/config", "GET /nodes/a/qemu/5/config", False),
        ("GET /nodes/a/lxc/5/config", "GET /nodes/a/lxc/5/config", True),
        ("GET /nodes/a/lxc/5/config", "GET /nodes/a/lxc/6/config", False),
        ("GET /nodes/{node}/lxc/5/*", "GET /nodes/a/lxc/5/snapshot", True),
        ("GET /nodes/{node}/lxc", "GET /nodes/a/lxc/5/config", False),
    ],
)
def test_a_pattern_means_calls(pattern, call, means):
    verb, path = call.split()
    method, _ = catalogue.load().find(verb, path)
    wanted, where = pattern.split()
    assert rules.Pattern(wanted, where).means(verb, method.template, path) is means


def test_the_example_is_right():
    example = Path(__file__).parents[2] / "examples/faults.yaml"
    assert len(list(reading.read(example.read_text("utf-8"), example.name))) == 5
