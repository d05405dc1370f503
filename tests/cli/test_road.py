"""The whole road with the real command line, real services and real guests, in a home of its own: from nothing to nothing."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.free_ports import free_range

pytestmark = pytest.mark.guests


@pytest.fixture(scope="module")
def labctl():
    # /var/tmp: guests' disks lie there, and mapped uids must be able to walk in.
    folder = Path(tempfile.mkdtemp(prefix="labctl-road-", dir="/var/tmp"))
    folder.chmod(0o755)
    shell = Shell(folder)
    shell.name = f"rd{random.randrange(36**4):x}"
    shell.environment |= {"LABCTL_INSTALLATION": shell.name, "LABCTL_MANAGEMENT": free_range(80, 16)}
    yield shell
    shell("down", "--wipe", "--yes")
    shutil.rmtree(folder, ignore_errors=True)


def good(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done


LASTING = (["ip", "netns", "list"], ["ip", "-br", "link"], ["nft", "list", "tables"], ["mount"])
FLEETING = (["ps", "ax", "-o", "args"],)


def traces(labctl, looks=LASTING + FLEETING):
    """Everything on this machine that carries the name of this installation."""
    found = []
    for look in looks:
        said = subprocess.run(look, capture_output=True, text=True, check=True).stdout
        found += [line for line in said.splitlines() if labctl.name in line or str(labctl.home) in line]
    return found


def test_the_road(labctl):
    good(labctl("up"))
    again = good(labctl("up"))
    assert again.stdout.count("was already there") == 7
    state = json.loads(good(labctl("status", "--json")).stdout)
    assert state["running"]
    assert all(one["memory"] > 1_000_000 for one in state["processes"])
    good(labctl("doctor"))

    opened = good(labctl("class", "open", "hello", "--name", "monday", "--roster", labctl.roster, "--wait", "--json"))
    assert json.loads(opened.stdout)["classroom"]["counts"]["ready"] == 2
    assert good(labctl("ssh", "monday", "1", "box", "hostname; id -un")).stdout.split() == ["box", "learner"]
    assert json.loads(labctl("status", "--json").stdout)["guest_memory"] > 1_000_000

    good(labctl("ssh", "monday", "1", "box", "touch work"))
    good(labctl("class", "reset", "monday", "1", "--yes", "--wait"))
    assert "work" not in good(labctl("ssh", "monday", "1", "box", "ls")).stdout

    secret = good(labctl("token", "create", "ada", "--role", "learner", "--seat", "monday/1")).stdout.strip()
    assert labctl("ssh", "monday", "1", "box", "true", LABCTL_TOKEN=secret).returncode == 0
    assert labctl("ssh", "monday", "2", "box", "true", LABCTL_TOKEN=secret).returncode == 1

    refused = labctl("down")
    assert refused.returncode == 1
    assert "monday" in refused.stderr

    closed = good(labctl("class", "close", "monday", "--yes"))
    assert "found nothing left" in closed.stdout
    assert labctl("ssh", "monday", "2").returncode == 1
    assert labctl("class", "close", "monday", "--yes").returncode == 0, "closing may be repeated"


def test_a_class_that_asks_too_much_of_the_node_is_refused_and_nothing_is_made(labctl):
    good(labctl("up"))
    text = (labctl.folder / "blueprints/hello/blueprint.yaml").read_text().replace("kind: container", "kind: container, memory: 900G")
    labctl.write("blueprints/huge/blueprint.yaml", text)
    done = labctl("class", "open", "huge", "--name", "big", "--roster", labctl.roster)
    assert (done.returncode, "memory" in done.stderr) == (1, True), done.stderr
    assert json.loads(labctl("class", "list", "--json").stdout) == []


def test_a_node_that_is_gone_and_a_wrong_token_are_told_by_doctor(labctl):
    good(labctl("up"))
    secret = labctl.home / "secrets" / "proxmox-token"
    kept = secret.read_text()
    secret.write_text("00000000-0000-0000-0000-000000000000")
    done = labctl("doctor")
    secret.write_text(kept)
    assert (done.returncode, "✕ cluster" in done.stdout) == (1, True), done.stdout
    good(labctl("doctor"))


def test_a_second_home_with_the_same_name_or_range_is_refused_and_makes_nothing(labctl):
    good(labctl("up"))
    other = {
        "LABCTL_HOME": str(labctl.folder / "other"),
        "LABCTL_API_PORT": "1",
        "LABCTL_DOOR_PORT": "3",
        "LABCTL_APPS_PORT": "4",
        "LABCTL_SANDBOX_PORT": "2",
    }
    before = traces(labctl, LASTING)
    done = labctl("up", **other)
    assert (done.returncode, labctl.name in done.stderr, "LABCTL_INSTALLATION" in done.stderr) == (1, True, True), done.stderr
    done = labctl("up", **other, LABCTL_INSTALLATION="second")
    assert (done.returncode, "LABCTL_MANAGEMENT" in done.stderr) == (1, True), done.stderr
    assert not (labctl.folder / "other" / "sandbox").exists()
    assert traces(labctl, LASTING) == before


def test_down_stops_all_and_wipe_leaves_nothing(labctl):
    good(labctl("up"))
    assert traces(labctl)
    good(labctl("down"))
    assert not json.loads(labctl("status", "--json").stdout)["running"]
    good(labctl("down", "--wipe", "--yes"))
    assert traces(labctl) == []
