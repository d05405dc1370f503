"""What the door refuses, each beside what it allows (`access.md` 2.3, 7)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
from datetime import timedelta

import pytest

from labctl.door import server
from tests.door import conftest, guessing
from tests.door.conftest import wait_for


def through(doorway, host, port, config=None):
    """Open a channel to host:port at the door itself, as -W does."""
    command = ["ssh", "-F", str(config or doorway.config()), "-W", f"{host}:{port}", "labctl-door"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False)


def test_only_own_machines_by_name_and_port_22(doorway):
    assert through(doorway, "box", 22).stdout.startswith(b"SSH-2.0")
    address = doorway.way().targets[0].address
    theirs = doorway.way(2).targets[0].address
    tried = [
        (address, 22),
        (theirs, 22),
        ("hidden", 22),
        ("box", 23),
        ("box", doorway.sshd.port),
        ("127.0.0.1", 22),
        ("127.0.0.1", doorway.api.port),
        ("localhost", doorway.api.port),
        ("::1", 22),
        ("169.254.169.254", 80),
        ("BOX", 22),
        ("box.", 22),
        ("../box", 22),
        ("", 22),
    ]
    let_in = [where for where in tried if (done := through(doorway, *where)).returncode == 0 or done.stdout]
    assert let_in == []


@pytest.mark.parametrize(
    "words",
    [["labctl-door"], ["labctl-door", "id"], ["-s", "labctl-door", "sftp"], ["-tt", "labctl-door"]],
    ids=["shell", "command", "sftp", "terminal"],
)
def test_the_door_itself_has_nothing_to_offer(doorway, words):
    done = doorway.ssh(*words)
    assert done.returncode != 0
    assert done.stdout == ""


@pytest.mark.parametrize("what", ["0:127.0.0.1:22", "127.0.0.1:0:localhost:22"])
def test_nobody_listens_at_the_door(doorway, what):
    done = doorway.ssh("-N", "-o", "ExitOnForwardFailure=yes", "-R", what, "labctl-door")
    assert done.returncode != 0
    assert "forwarding failed" in done.stderr


def test_an_expired_or_foreign_or_anothers_certificate_opens_nothing(doorway, tmp_path):
    expired = doorway.config(until=doorway.clock.now() - timedelta(seconds=1))
    foreign = doorway.config(authority=tmp_path)
    shutil.copy(expired.with_name("known_hosts"), foreign.with_name("known_hosts"))  # it is the door that has to refuse
    mine, theirs = doorway.config(1), doorway.config(2)
    swapped = theirs.read_text().replace(doorway.way(2).principal, doorway.way(1).principal)
    theirs.write_text(swapped)
    for config in (expired, foreign, theirs):
        done = doorway.ssh("labctl-door", config=config)
        assert done.returncode == 255
        assert "Permission denied" in done.stderr
    assert doorway.ssh("box", "true", config=mine).returncode == 0


@pytest.mark.parametrize(
    "user", ["ada+hidden", "ada+theirs", "ada+../box", "grace+box", "root", "ada+", "seat-monday-1-aaaaaaaaaa+box", "+box"]
)
def test_a_code_is_good_for_its_own_login_and_machines_only(doorway, user):
    if user == "ada+":
        # Nothing after the plus is nothing said: the seat has one machine to enter.
        assert doorway.relay("127.0.0.1", "true", code=doorway.code(), user=user).returncode == 0
        return
    assert doorway.relay("127.0.0.1", "true", code=doorway.code(), user=user).returncode == 255


def test_three_wrong_codes_end_the_connection_and_however_many_under_a_name_keep_nobody_of_that_name_out(own_doorway):
    for _ in range(5):
        wrong = own_doorway.relay("127.0.0.1", "true", code="wrongcde")
        assert wrong.returncode == 255
        assert "Three wrong codes" in wrong.stderr
    assert own_doorway.relay("127.0.0.1", "true", code=own_doorway.code()).returncode == 0


def test_whoever_guesses_on_many_connections_at_once_shuts_nobody_out_under_the_same_name_from_the_same_address(own_doorway):
    with guessing.Guessers(own_doorway.door.port, "ada+box", 12) as guessers:
        wait_for(lambda: guessers.said > 20)
        before = guessers.said
        assert own_doorway.relay("127.0.0.1", "true", code=own_doorway.code()).returncode == 0
        wait_for(lambda: guessers.said > before)
    assert not guessers.inside


def test_codes_that_are_sent_without_waiting_for_an_answer_count_all_the_same():
    class Slow:
        asked = 0
        coming = asyncio.Event()

        async def redeem(self, code, login):
            self.asked += 1
            self.coming.set()
            await asyncio.Event().wait()

    async def run():
        house = server.House(Slow(), "", "")
        door = server.Door(house)
        door.begin_auth("ada+box")
        for _ in range(5):
            house.asks.coming.clear()
            looking = asyncio.create_task(door.validate_kbdint_response("ada+box", ["aaaaaaaa"]))
            asked = asyncio.create_task(house.asks.coming.wait())
            await asyncio.wait([looking, asked], return_when=asyncio.FIRST_COMPLETED)
            looking.cancel()  # as asyncssh does when the next one comes
            asked.cancel()
            await asyncio.wait([looking, asked])
        assert house.asks.asked == house.caps.guesses

    asyncio.run(run())


def test_a_way_into_a_machine_that_is_found_as_its_learner_leaves_is_left_too():
    class Machine:
        left = False

        def abort(self):
            self.left = True

    async def run():
        door, machine = server.Door(server.House(None, "", "")), Machine()
        door._entering = asyncio.create_task(asyncio.sleep(0, machine))
        await asyncio.wait([door._entering])
        door.connection_lost(None)
        await asyncio.sleep(0)
        assert machine.left

    asyncio.run(run())


def test_a_code_runs_out(own_doorway):
    code = own_doorway.code()
    own_doorway.clock.pass_(minutes=2, seconds=1)
    assert own_doorway.relay("127.0.0.1", "true", code=code).returncode == 255


def test_a_live_session_ends_with_the_lease(own_doorway):
    client = _stay(own_doorway)
    own_doorway.clock.pass_(days=30)
    assert client.wait(60) == 255
    assert own_doorway.ssh("box", "true").returncode == 255


def test_a_live_session_ends_with_a_reset_and_comes_back_after_it(own_doorway):
    client = _stay(own_doorway)
    config = own_doorway.config()
    own_doorway.wiring.desk.reset("monday", 1, who="eva")
    assert client.wait(60) == 255
    assert own_doorway.ssh("box", "true", config=config).returncode == 255
    own_doorway.settle()
    assert own_doorway.ssh("box", "true", config=config).returncode == 0


def test_who_is_in_stays_in_while_the_api_is_away_and_nobody_new_comes_in(own_doorway, caplog):
    client = _stay(own_doorway)
    own_doorway.api.close()
    assert own_doorway.ssh("box", "true").returncode == 255
    caplog.clear()
    wait_for(lambda: caplog.text.count("cannot ask who may stay") > 1)
    assert client.poll() is None
    client.terminate()
    client.wait(60)


def _stay(doorway):
    client = subprocess.Popen(
        ["ssh", "-F", doorway.config(), "box", "echo in; cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert client.stdout.readline() == b"in\n"
    return client


def test_whoever_knocks_and_says_nothing_keeps_nobody_out_not_even_somebody_who_types_a_code(tmp_path):
    narrow = conftest.Doorway(tmp_path, unknown=3)
    address = ("127.0.0.1", narrow.door.port)
    try:
        with contextlib.ExitStack() as stack:
            code = narrow.code()
            waiting = stack.enter_context(_typing(narrow))
            silent = [stack.enter_context(socket.create_connection(address)) for _ in range(12)]
            wait_for(lambda: len(narrow.door.house.connections) == 3)
            assert narrow.ssh("box", "true").returncode == 0
            assert waiting.poll() is None, "who is asked for a code goes after those who said nothing"
            assert narrow.relay("127.0.0.1", "true", code=code).returncode == 0
            silent[0].settimeout(60)
            while silent[0].recv(1000):
                continue
    finally:
        narrow.close()


@contextlib.contextmanager
def _typing(doorway):
    """A client that is asked for its code, and whose owner takes their time."""
    ask = doorway.folder / "slow-ask"
    ask.write_text("#!/bin/sh\ntouch $0.asked\nexec sleep 3600\n")
    ask.chmod(0o700)
    words = ["-F", "none", "-p", str(doorway.door.port), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    environment = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": "none"}
    client = subprocess.Popen(["ssh", *words, "ada+box@127.0.0.1"], env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(ask.with_name("slow-ask.asked").exists)
        yield client
    finally:
        os.killpg(client.pid, signal.SIGKILL)
        client.wait(60)


def test_a_seat_has_so_many_connections_and_channels_and_no_more(tmp_path):
    narrow = conftest.Doorway(tmp_path, connections=1, channels=1)
    try:
        client = _stay(narrow)
        assert narrow.ssh("box", "true").returncode == 255
        client.terminate()
        client.wait(60)
        wait_for(lambda: not narrow.door.house.connections)
        assert narrow.ssh("box", "true").returncode == 0
    finally:
        narrow.close()
