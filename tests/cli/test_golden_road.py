"""Golden machines by the command line, with real services and real guests: baked ahead, shared, kept, removed; and a bake that fails."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys

import pytest

from tests.cli.conftest import until
from tests.cli.test_road import good, labctl

pytestmark = pytest.mark.guests
__all__ = ["labctl"]

BLUEPRINT = """\
labctl: 1
about: {title: A course that is baked, area: systems}
machines:
  box: {image: debian-12, kind: container, memory: 128M}
variables:
  word: {random: words}
configure:
  - {playbook: plays/box.yml}
  - {write: /home/learner/word, content: "${lab.word}", owner: learner, bake: false}
ready:
  - {file: /srv/common, contains: "for all"}
  - {file: /home/learner/word, contains: "${lab.word}"}
"""
PLAY = """\
- hosts: all
  tasks:
    - {name: Put it there, ansible.builtin.copy: {content: "for all", dest: /srv/common}}
"""
FAILING = PLAY + "    - {name: Say no, ansible.builtin.fail: {msg: this will never work}}\n"


def on_the_node(labctl):
    """Guests, networks and pools as the node itself lists them."""
    command = [sys.executable, "-m", "labctl.sandbox", "status", "--home", str(labctl.home / "sandbox"), "--json"]
    state = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {kind: sorted(str(one) for one in state[kind]) for kind in ("guests", "vnets", "pools")}


def goldens(labctl):
    return json.loads(good(labctl("golden", "list", "--json")).stdout)


def test_the_road_of_golden_machines(labctl):
    good(labctl("up"))
    labctl.write("blueprints/course/blueprint.yaml", BLUEPRINT)
    labctl.write("blueprints/course/plays/box.yml", PLAY)
    baked = good(labctl("blueprint", "bake", "course", "--wait"))
    # The board is looked at twice a second and may miss a short task; the journal misses nothing.
    with contextlib.closing(sqlite3.connect(labctl.home / "labctl.sqlite3")) as store:
        assert any("Put it there" in text for (text,) in store.execute("SELECT text FROM journal"))
    assert "are ready" in baked.stdout
    (golden,) = goldens(labctl)
    assert (golden["status"], golden["seats"]) == ("ready", 0)

    good(labctl("class", "open", "course", "--name", "tuesday", "--roster", labctl.roster, "--wait"))
    told = {
        one: good(labctl("ssh", "tuesday", one, "box", "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub word")).stdout for one in "12"
    }
    assert not set(told["1"].split()[:3:2]) & set(told["2"].split()[:3:2])
    lines = json.loads(good(labctl("class", "show", "tuesday", "--json")).stdout)
    assert lines["classroom"]["counts"]["ready"] == 2
    refused = labctl("golden", "remove", "course")
    assert (refused.returncode, "in use: tuesday" in refused.stderr) == (1, True), refused.stderr

    # A seat that was broken goes back to how it was proven, with its personal part.
    good(labctl("ssh", "tuesday", "1", "box", "sudo -n rm /srv/common word"))
    good(labctl("class", "reset", "tuesday", "1", "--yes", "--wait"))
    closed = good(labctl("class", "close", "tuesday", "--yes"))
    assert f"stay for its next class ({golden['name']}" in closed.stdout
    assert [one["name"] for one in goldens(labctl)] == [golden["name"]]
    assert "are gone" in good(labctl("golden", "remove", "course")).stdout
    assert goldens(labctl) == []


def test_a_bake_that_fails_says_which_task_and_leaves_nothing(labctl):
    good(labctl("up"))
    before = on_the_node(labctl)
    labctl.write("blueprints/broken-play/blueprint.yaml", BLUEPRINT)
    labctl.write("blueprints/broken-play/plays/box.yml", FAILING)
    opened = labctl("class", "open", "broken-play", "--name", "friday", "--roster", labctl.roster, "--wait")
    assert opened.returncode == 1
    assert "Say no" in opened.stdout + opened.stderr
    assert "this will never work" in opened.stdout + opened.stderr
    good(labctl("class", "close", "friday", "--yes"))
    # What was half made goes by itself, beside the class.
    until(lambda: goldens(labctl) == [])
    ahead = labctl("blueprint", "bake", "broken-play", "--wait")
    assert ahead.returncode == 1
    assert "this will never work" in ahead.stderr
    assert goldens(labctl) == []
    assert on_the_node(labctl) == before
