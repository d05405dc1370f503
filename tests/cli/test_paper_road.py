"""A paper cluster from the command line: brought up, a class on it, and at every place the word that its guests are paper."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def paper(labctl):
    labctl.environment |= {"LABCTL_MANAGEMENT": "100.95.0.0/16", "LABCTL_INSTALLATION": "clipaper"}
    up = labctl("up", "--paper", "3", "--speed", "40")
    assert up.returncode == 0, up.stdout + up.stderr
    labctl.first = up.stdout
    yield labctl
    down = labctl("down", "--wipe", "--yes")
    assert down.returncode == 0, down.stdout + down.stderr
    assert not (labctl.home / "sandbox").exists()


def test_a_class_on_paper_is_real_but_for_its_guests_and_says_so(paper):
    assert "PAPER CLUSTER" in paper.first
    opened = paper("class", "open", "hello", "--name", "monday", "--roster", paper.roster)
    assert "ON PAPER ONLY" in opened.stdout, opened.stderr
    shown = paper("class", "open", "hello", "--name", "tuesday", "--roster", paper.roster, "--wait")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "PAPER: nobody can log in" in shown.stdout

    board = json.loads(paper("class", "show", "tuesday", "--json").stdout)
    assert board["classroom"]["guests"] == "paper"
    assert {seat["status"] for seat in board["seats"]} == {"ready"}
    assert {machine["node"] for seat in board["seats"] for machine in seat["machines"]} <= {"pve1", "pve2", "pve3"}
    assert "PAPER" in paper("class", "list").stdout
    status = paper("status").stdout
    assert "IT IS A PAPER CLUSTER of 3 nodes, its clock runs 40 times as fast as ours" in status
    told = paper("doctor").stdout
    assert "PAPER CLUSTER" in told
    assert "the management VNet isolates its ports" in told

    refused = paper("ssh", "tuesday", "1")
    assert refused.returncode == 1
    assert "nobody can log in to seat 1 of tuesday" in refused.stderr

    other = paper("up", "--paper", "4")
    assert other.returncode == 1
    assert "a paper cluster of 3 nodes already, not of 4" in other.stderr
    again = paper("up")
    assert again.returncode == 0, again.stderr


def test_a_paper_cluster_is_never_mixed_with_a_cluster_of_real_guests(served):
    refused = served("up", "--paper", "2")
    assert refused.returncode == 1
    assert "never mixed" in refused.stderr
    assert not (served.home / "sandbox").exists()
