"""What Ansible is given to read, without Ansible."""

from __future__ import annotations

import configparser
import shlex

import pytest

from labctl import errors
from labctl.drivers import ansible, ansible_layout, gates, ssh_ca
from labctl.model.plan import PlannedStep
from tests.drivers import guests_here

SITE = guests_here.site()
MACHINES = (
    guests_here.machine(SITE, 5, 1, "box", "10.10.10.5/24", kind="vm", groups=("desks",)),
    guests_here.machine(SITE, 5, 2, "shop", "10.10.10.20/24"),
    guests_here.machine(SITE, 5, 3, "ghost", "10.10.10.30/24", hidden=True),
)


def step(kind, what, hosts=("box",), **more):
    return PlannedStep(kind=kind, what=what, hosts=tuple(hosts), title=f"{kind} {what}", **more)


def plan(*steps):
    return guests_here.plan(SITE, 5, MACHINES, steps=steps)


@pytest.fixture
def folder(tmp_path):
    plays = {
        "box.yml": "- {hosts: box, tasks: []}",
        "desks.yml": "- {hosts: 'desks,box', tasks: []}",
        "all.yml": "- {hosts: all, tasks: []}",
        "clever.yml": "- {hosts: 'all:!shop', tasks: []}",
        "nested.yml": "- import_playbook: box.yml",
        "localhost.yml": "- {hosts: localhost, tasks: []}",
        "broken.yml": "- {hosts: [",
    }
    (tmp_path / "plays").mkdir()
    for name, text in plays.items():
        (tmp_path / "plays" / name).write_text(text)
    return tmp_path


def shape(pieces):
    return [(type(piece).__name__, [number for number, _ in piece.steps], getattr(piece, "limited", None)) for piece in pieces]


def test_steps_that_change_nothing_for_each_other_share_one_run(folder):
    one = plan(step("playbook", "plays/box.yml"), step("role", "web", ["shop"]), step("packages", "", packages=("nano",)))
    assert shape(ansible_layout.runs(one, folder)) == [("Run", [1, 2, 3], False)]


def test_writes_and_scripts_are_our_own_and_keep_their_place(folder):
    mixed = plan(step("write", "/a"), step("script", "s.sh"), step("playbook", "plays/box.yml"), step("write", "/b"))
    assert shape(ansible_layout.runs(mixed, folder)) == [("Own", [1, 2], None), ("Run", [3], False), ("Own", [4], None)]


def test_a_step_sees_only_its_own_variables(folder):
    different = plan(step("role", "a", vars={"x": 1}), step("role", "b", vars={"x": 1}), step("role", "c"))
    pieces = ansible_layout.runs(different, folder)
    assert shape(pieces) == [("Run", [1, 2], False), ("Run", [3], False)]
    assert [ansible_layout.variables(piece) for piece in pieces] == ['{"x": 1}', "{}"]


@pytest.mark.parametrize("name", ["all.yml", "clever.yml", "nested.yml", "localhost.yml", "broken.yml"])
def test_plays_that_could_leave_their_hosts_run_alone_with_a_limit(folder, name):
    one = plan(step("role", "a"), step("playbook", f"plays/{name}"), step("role", "b"))
    assert shape(ansible_layout.runs(one, folder)) == [("Run", [1], False), ("Run", [2], True), ("Run", [3], False)]


def test_a_play_for_all_needs_no_limit_where_its_step_is_for_all(folder):
    everybody = ["box", "shop", "ghost"]
    one = plan(step("playbook", "plays/all.yml", everybody), step("playbook", "plays/desks.yml"))
    assert shape(ansible_layout.runs(one, folder)) == [("Run", [1, 2], False)]


def test_tags_have_a_run_of_their_own(folder):
    one = plan(step("playbook", "plays/box.yml", skip_tags=("personal",)), step("playbook", "plays/box.yml", tags=("personal",)))
    assert [piece.alone.tags + piece.alone.skip_tags for piece in ansible_layout.runs(one, folder)] == [("personal",), ("personal",)]


def test_a_missing_playbook_is_named(folder):
    with pytest.raises(errors.NotFound, match=r"plays/none\.yml is neither"):
        ansible_layout.runs(plan(step("playbook", "plays/none.yml")), folder)


def test_the_inventory_has_the_groups_and_words_of_the_language(tmp_path):
    one = plan()
    found = ansible_layout.inventory(one, guests_here.made(one), tmp_path / "key", "labctl", 22)["all"]
    groups = {name: sorted(group["hosts"]) for name, group in found["children"].items()}
    assert groups == {
        "container": ["ghost", "shop"],
        "desks": ["box"],
        "lan": ["box", "ghost", "shop"],
        "linux": ["box", "ghost", "shop"],
        "vm": ["box"],
    }
    box = found["hosts"]["box"]
    assert (box["lab_machine"], box["lab_scope"], box["ansible_host"]) == ("box", "learner", guests_here.made(one)[0].address)
    assert box["lab_networks"]["lan"] == {
        "cidr": "10.10.10.0/24",
        "gateway": None,
        "domain": None,
        "address": "10.10.10.5",
        "machines": {"box": "10.10.10.5", "shop": "10.10.10.20"},
    }
    assert box["ansible_ssh_extra_args"] == "-o HostKeyAlias=box.seat-one-1.lab"


def test_host_keys_are_verified_and_packages_come_through_a_closed_list(tmp_path):
    text = ansible_layout.configuration(tmp_path / "a project", tmp_path / "a work", 7, ["deb.example:80", "pypi.example:443"])
    parsed = configparser.ConfigParser()
    parsed.read_string(text)
    arguments = shlex.split(parsed["ssh_connection"]["ssh_args"])
    options = [arguments[index + 1] for index, word in enumerate(arguments) if word == "-o"]
    assert "StrictHostKeyChecking=yes" in options
    assert f"UserKnownHostsFile={tmp_path / 'a work' / 'known_hosts'}" in options
    assert "PermitRemoteOpen=deb.example:80 pypi.example:443" in options
    assert parsed["defaults"]["host_key_checking"] == "True"
    assert parsed["defaults"]["forks"] == "7"
    assert "-R" not in shlex.split(ansible_layout.configuration(tmp_path, tmp_path, 7, []))


def test_a_written_file_is_in_no_argument():
    script = ansible.write_script(step("write", "/srv/a file", content="FLAG{secret}", owner="shop", mode="0400"))
    assert "FLAG{secret}" not in script
    assert "chown shop" in script
    assert "'/srv/a file'" in script


def test_an_ansible_takes_a_place_at_the_gate_of_all_ansibles_and_leaves_it(tmp_path_factory, folder):
    home = tmp_path_factory.mktemp("home")
    all_gates = gates.Gates(home / "gates")
    (folder / "quiet.yml").write_text("- {hosts: box, gather_facts: false, tasks: []}")
    (folder / "wrong.yml").write_text("- {hosts: box, gather_facts: false, tasks: [{nosuchmodule: {}}]}")
    configurator = ansible.Configurator(SITE, ssh_ca.Authority(home / "secrets"), home / "work", gates=all_gates)
    inside = []

    def look(_line):
        inside.append(len(all_gates.look("ansible").inside))

    quiet = plan(step("playbook", "quiet.yml"))
    made = guests_here.made(quiet)
    configurator.configure(quiet, made, folder, look)
    with pytest.raises(errors.PlayFailed, match="nosuchmodule"):
        configurator.configure(plan(step("playbook", "wrong.yml")), made, folder, look)
    state = all_gates.look("ansible")
    assert (state.number, state.inside, state.halved) == (2, {}, 0.0)
    assert set(inside) == {1}
