"""What bad input gets on the command line: a clear message with what to do, the documented exit code, nothing half-made."""

from __future__ import annotations

import json
import os

import pytest

from labctl.drivers import liveness

WRONG = [["nonsense"], ["class", "open"], ["class", "show", "monday", "--bogus"], ["class", "reset", "monday", "three"]]
ASKING = [["class", "list"], ["class", "show", "monday"], ["class", "close", "monday", "--yes"], ["ssh", "monday", "1"], ["token", "list"]]


def refused(done, code, *words):
    assert done.returncode == code, done.stdout + done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_the_first_help_shows_the_road_and_the_exit_codes(labctl):
    done = labctl("--help")
    assert done.returncode == 0
    for word in ("labctl up", "class open", "class close", "Exit codes", "130"):
        assert word in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["up"], ["down"], ["status"], ["doctor"], ["demo"], ["ssh"], ["blueprint", "list"], ["blueprint", "check"], ["blueprint", "plan"],
        ["class", "open"], ["class", "list"], ["class", "show"], ["class", "extend"], ["class", "reset"], ["class", "close"],
        ["engine", "show"], ["engine", "install"], ["token", "create"], ["token", "list"], ["token", "revoke"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_every_verb_teaches_with_an_example(labctl, words):
    done = labctl(*words, "--help")
    assert done.returncode == 0
    assert f"labctl {' '.join(words)}" in done.stdout.partition("For example")[2]


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_command_line_is_exit_2(labctl, words):
    refused(labctl(*words), 2)


@pytest.mark.parametrize(
    "words",
    [["class", "list"], ["class", "show", "monday"], ["class", "close", "monday", "--yes"], ["ssh", "monday", "1"], ["token", "list"]],
)
def test_without_a_running_labctl_every_verb_says_so_and_how_to_start_it(labctl, words):
    refused(labctl(*words), 3, "labctl is not running", "labctl up")


def test_a_token_but_no_api_says_the_same(labctl):
    refused(labctl("class", "list", LABCTL_TOKEN="labctl_x"), 3, "labctl is not running", "labctl up")


def test_a_program_that_is_not_labctl_on_the_port_is_recognised(labctl):
    import http.server
    import threading

    server = http.server.HTTPServer(("127.0.0.1", labctl.api_port), http.server.SimpleHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        refused(labctl("class", "list", LABCTL_TOKEN="labctl_x"), 1, "not labctl's API")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_blueprints_need_no_running_labctl(labctl):
    assert "hello" in labctl("blueprint", "list").stdout
    assert labctl("blueprint", "check", "hello").stdout.strip() == "hello is good."
    planned = json.loads(labctl("blueprint", "plan", "hello", "--seats", "12", "--json").stdout)
    assert (planned["seats"], planned["classroom"]["machines"]) == (12, 12)
    assert not labctl.home.exists()


def test_a_wrong_blueprint_names_file_line_and_column(labctl):
    labctl.write(
        "blueprints/bad/blueprint.yaml",
        "labctl: 1\nabout: {title: Bad lab, area: cooking}\nmachines:\n  box: {image: debian-12, kvm: yes}\n",
    )
    done = refused(labctl("blueprint", "check", "bad"), 1, "blueprint.yaml:2:", "blueprint.yaml:4:", "kvm")
    assert done.stdout == ""
    found = json.loads(labctl("blueprint", "check", "bad", "--json").stdout)
    assert not found["good"]
    assert {2, 4} <= {one["line"] for one in found["complaints"]}


def test_a_blueprint_by_its_path_and_one_that_is_not_there(labctl):
    assert labctl("blueprint", "check", "./blueprints/hello").returncode == 0
    refused(labctl("blueprint", "check", "helo"), 1, "helo", "hello")
    refused(labctl("blueprint", "plan", "hello", "--seats", "0"), 1, "0 seats")
    refused(labctl("blueprint", "plan", "hello", "--set", "nonsense"), 1, "KEY=VALUE")


ROSTERS = {
    "duplicate": ("name,email\nAda,ada@example.org\nAda,ada@example.org\n", ":3:"),
    "missing column": ("name\nAda\n", "email"),
    "bad address": ("name,email\nAda,nowhere\n", ":2:"),
    "wrong encoding": ("name,email\nÅda,ada@example.org\n".encode("latin-1"), "UTF-8"),
    "empty": ("", "roster.csv"),
}


@pytest.mark.parametrize("case", ROSTERS)
def test_a_bad_roster_is_refused_before_anybody_is_asked(labctl, case):
    content, word = ROSTERS[case]
    path = labctl.write("rosters/roster.csv", content)
    refused(labctl("class", "open", "hello", "--name", "monday", "--roster", path, LABCTL_TOKEN="x"), 1, path, word)


def test_a_roster_that_is_not_there_and_dates_nobody_can_read(labctl):
    refused(labctl("class", "open", "hello", "-n", "monday", "-r", "nothing.csv", LABCTL_TOKEN="x"), 1, "nothing.csv", "cannot be read")
    for text in ("tomorrow", "+2x", "25:00", "2026-13-01", "+", "99999999999d"):
        refused(labctl("class", "open", "hello", "-n", "m", "-r", labctl.roster, "--until", text, LABCTL_TOKEN="x"), 1, text, "17:00")


def test_up_from_a_second_checkout_while_the_first_runs_is_refused(labctl):
    note = json.dumps({"pid": os.getpid(), "who": liveness.myself()})
    labctl.write("home/run/api.pid", note)
    labctl.write("home/run/owner.json", json.dumps({"checkout": "/somewhere/else", "pid": 1}))
    done = labctl("up")
    if os.geteuid() == 0:
        refused(done, 1, "labctl from /somewhere/else is running here", "/somewhere/else/.venv/bin/labctl down")
    else:
        refused(done, 1, "root")


def test_a_port_that_is_taken_is_told_before_anything_is_made(labctl):
    import os
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", labctl.api_port))
        taken.listen()
        done = labctl("up")
    refused(done, 1, "LABCTL_API_PORT" if os.geteuid() == 0 else "root")
    assert not (labctl.home / "site.yaml").exists()


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ({"LABCTL_API_PORT": "many"}, "LABCTL_API_PORT"),
        ({"LABCTL_BLUEPRINTS": "x"}, "blueprints"),
        ({"LABCTL_ENGINE": "steam"}, "LABCTL_ENGINE"),
    ],
)
def test_a_setting_that_is_wrong_is_named(labctl, setting, word):
    done = labctl("status", **setting)
    assert word in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode in {1, 3}


def test_a_broken_labctl_toml_is_told(labctl):
    labctl.write("home/labctl.toml", "api_port = \n")
    refused(labctl("status"), 1, "labctl.toml")


def test_down_where_nothing_runs_says_so(labctl):
    done = labctl("down")
    assert (done.returncode, "nothing ran" in done.stdout) == (0, True)


def test_status_where_nothing_runs_is_exit_3_and_json_says_the_same(labctl):
    refused(labctl("status"), 3)
    found = json.loads(labctl("status", "--json").stdout)
    assert found["running"] is False
    assert {one["name"]: one["pid"] for one in found["processes"]} == dict.fromkeys(
        ["node", "broker", "worker", "beat", "api", "door", "apps"]
    )


def test_what_the_node_lacks_is_said_when_a_class_is_opened_and_nothing_is_made(served):
    done = refused(served("class", "open", "hello", "-n", "monday", "-r", served.roster), 3, "next:")
    assert served.environment["LABCTL_API_PORT"] not in done.stderr
    assert json.loads(served("class", "list", "--json").stdout) == []


def test_unknown_classes_seats_and_tokens(served):
    refused(served("class", "show", "monday"), 1, "monday")
    refused(served("class", "close", "monday", "--yes"), 1, "monday")
    refused(served("class", "extend", "monday", "+1h"), 1, "monday")
    refused(served("class", "reset", "monday", "1", "--yes"), 1, "monday")
    refused(served("ssh", "monday", "1"), 1, "monday")
    refused(served("token", "revoke", "nobody"), 1, "nobody")
    refused(served("class", "list", LABCTL_TOKEN="labctl_wrong"), 1, "token")


def test_tokens_are_made_listed_and_taken_back(served):
    secret = served("token", "create", "eva").stdout.strip()
    assert served("class", "list", LABCTL_TOKEN=secret).returncode == 0
    refused(served("token", "list", LABCTL_TOKEN=secret), 1, "may not")
    assert {"eva", "cli"} == {one["name"] for one in json.loads(served("token", "list", "--json").stdout)}
    assert served("token", "revoke", "eva").returncode == 0
    refused(served("class", "list", LABCTL_TOKEN=secret), 1, "not valid")
    refused(served("token", "create", "ada", "--role", "learner", "--seat", "monday"), 2)


def test_a_dry_run_without_a_node_says_so_and_a_plan_says_that_the_fit_is_not_known(served):
    done = served("class", "open", "hello", "-n", "x", "-r", served.roster, "--dry-run")
    assert done.returncode == 3, done.stdout + done.stderr
    plan = served("blueprint", "plan", "hello", "--seats", "3")
    assert plan.returncode == 0, plan.stderr
    assert "Whether it fits is not known: " in plan.stdout


def test_swap_and_undo_of_what_is_not_there_are_refused(served):
    for words in (("swap", "nowhere", "1"), ("reset", "nowhere", "1", "--undo", "--yes")):
        done = served("class", *words)
        assert (done.returncode, "nowhere" in done.stderr) == (1, True), done.stderr
