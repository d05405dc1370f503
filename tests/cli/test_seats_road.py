"""Swap and undo with the real command line, real services and real guests: the learner keeps what is theirs, and nothing is left."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.cli.conftest import Shell, until
from tests.free_ports import free_range

pytestmark = pytest.mark.guests

OWN = """\
labctl: 1
about: {title: A box with something of one's own, area: systems}
machines:
  box: {image: debian-12, kind: container, memory: 256M}
variables:
  word: {random: words, length: 2}
configure:
  - write: /srv/common
    title: The same for everyone
    mode: "0644"
    content: common
  - write: /home/learner/letter
    title: A letter
    owner: learner
    bake: false
    content: "${lab.seat.name}: ${lab.word}"
ready:
  - {file: /home/learner/letter, owner: learner, contains: "${lab.word}"}
"""


@pytest.fixture(scope="module")
def labctl():
    folder = Path(tempfile.mkdtemp(prefix="labctl-seats-", dir="/var/tmp"))
    folder.chmod(0o755)
    shell = Shell(folder)
    shell.name = f"se{random.randrange(36**4):x}"
    shell.environment |= {"LABCTL_INSTALLATION": shell.name, "LABCTL_MANAGEMENT": free_range(80, 16)}
    shell.environment["LABCTL_WATCH_SECONDS"] = "3"
    shell.write("blueprints/own/blueprint.yaml", OWN)
    good(shell("up"))
    yield shell
    shell("down", "--wipe", "--yes")
    shutil.rmtree(folder, ignore_errors=True)


def good(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def shown(labctl, slug):
    board = json.loads(good(labctl("class", "show", slug, "--json")).stdout)
    return {seat["number"]: seat for seat in board["seats"]}, board["classroom"]["counts"]


def in_guest(labctl, slug, seat, command):
    return good(labctl("ssh", slug, str(seat), "box", command)).stdout.strip()


def test_a_learner_gets_the_spares_machines_within_seconds_and_keeps_what_is_theirs(labctl):
    said = good(labctl("class", "open", "own", "-n", "swap", "-r", labctl.roster, "--spares", "1", "--dry-run")).stdout
    assert "3 seats of own: they fit" in said
    assert "not measured yet on this cluster (build, configure, prove)" in said
    good(labctl("class", "open", "own", "-n", "swap", "-r", labctl.roster, "--spares", "1", "--wait"))
    before, counts = shown(labctl, "swap")
    assert (counts["seats"], counts["ready"], counts["spares"], counts["spares_ready"]) == (2, 2, 1, 1)
    letter = in_guest(labctl, "swap", 1, "cat letter")
    assert letter.startswith("Ada Lovelace: ")
    assert in_guest(labctl, "swap", 3, "cat letter").startswith("Seat 3: ")
    bundle = labctl.home / "bundles" / "swap" / "1"
    key = (bundle / "id-cert.pub").read_text()
    secret = good(labctl("token", "create", "ada", "--role", "learner", "--seat", "swap/1")).stdout.strip()

    good(labctl("class", "swap", "swap", "1", "--keep", "--wait"))
    after, _ = shown(labctl, "swap")
    assert after[1]["environment"] == before[3]["environment"]
    assert (after[3]["environment"], after[3]["aside"], after[3]["status"]) == (before[1]["environment"], True, "ready")
    # The very files that the learner had before still open the seat, with plain OpenSSH.
    plain = subprocess.run(["ssh", "-F", str(bundle / "config"), "box", "cat letter"], capture_output=True, text=True, check=False)
    assert (plain.returncode, plain.stdout.strip()) == (0, letter), plain.stderr
    assert (bundle / "id-cert.pub").read_text() == key
    assert good(labctl("ssh", "swap", "1", "box", "cat letter", LABCTL_TOKEN=secret)).stdout.strip() == letter
    assert in_guest(labctl, "swap", 3, "cat letter") == letter, "kept for a look, as it was"
    in_guest(labctl, "swap", 1, "rm letter")
    good(labctl("class", "reset", "swap", "1", "--yes", "--wait"))
    assert in_guest(labctl, "swap", 1, "cat letter") == letter, "the kept state is the learner's too"

    refused = labctl("class", "swap", "swap", "2")
    assert (refused.returncode, "has no spare" in refused.stderr) == (1, True)
    closed = good(labctl("class", "close", "swap", "--yes"))
    assert "found nothing left" in closed.stdout


def test_a_reset_is_undone_by_its_learner_and_only_once(labctl):
    good(labctl("class", "open", "own", "-n", "undo", "-r", labctl.roster, "--seats", "1", "--spares", "1", "--wait"))
    secret = good(labctl("token", "create", "ada-undo", "--role", "learner", "--seat", "undo/1")).stdout.strip()
    nothing = labctl("class", "reset", "undo", "1", "--undo", "--yes", LABCTL_TOKEN=secret)
    assert (nothing.returncode, "nothing to undo" in nothing.stderr) == (1, True)
    in_guest(labctl, "undo", 1, "echo mine > work; rm letter; sync")
    good(labctl("class", "reset", "undo", "1", "--yes", LABCTL_TOKEN=secret))
    until(lambda: shown(labctl, "undo")[0][1]["status"] == "ready")
    assert in_guest(labctl, "undo", 1, "ls") == "letter"
    good(labctl("class", "reset", "undo", "1", "--undo", "--yes", LABCTL_TOKEN=secret))
    until(lambda: shown(labctl, "undo")[0][1]["status"] == "ready")
    assert in_guest(labctl, "undo", 1, "ls; cat work").split() == ["work", "mine"]
    assert labctl("class", "reset", "undo", "1", "--undo", "--yes").returncode == 1
    # With a spare used up, a new one is made in its place when that is asked for; times were measured by now.
    swapped = json.loads(good(labctl("class", "swap", "undo", "1", "--refill", "--json")).stdout)
    assert swapped["added"] == 3
    until(lambda: {n: seat["status"] for n, seat in shown(labctl, "undo")[0].items()} == {1: "ready", 2: "gone", 3: "ready"})
    said = good(labctl("blueprint", "plan", "own", "--seats", "4")).stdout
    assert "they fit" in said
    assert "All would be ready" in said
    assert "found nothing left" in good(labctl("class", "close", "undo", "--yes")).stdout


def test_a_machine_that_its_learner_switched_off_is_started_again_with_their_work(labctl):
    good(labctl("class", "open", "own", "-n", "off", "-r", labctl.roster, "--seats", "1", "--wait"))
    in_guest(labctl, "off", 1, "echo mine > work; sync")
    begin = "cut -d ' ' -f 22 /proc/1/stat"  # when its first process began, in ticks of the machine that carries it
    begun = in_guest(labctl, "off", 1, begin)
    labctl("ssh", "off", "1", "box", "sudo poweroff")

    def again():
        asked = labctl("ssh", "off", "1", "box", begin)
        return asked.returncode == 0 and asked.stdout.strip() != begun

    until(again)
    until(lambda: shown(labctl, "off")[0][1]["status"] == "ready")
    assert in_guest(labctl, "off", 1, "cat work") == "mine"
    assert shown(labctl, "off")[0][1]["round"] == 1, "it was not reset"
    assert "found nothing left" in good(labctl("class", "close", "off", "--yes")).stdout
