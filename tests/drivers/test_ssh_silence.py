"""A guest that lets labctl in and then keeps back what it should answer: it costs the time that was given, and no more."""

from __future__ import annotations

import asyncio
import threading

import asyncssh
import pytest

from labctl.drivers import ssh_ca, ssh_connection
from tests.drivers import guests_here


class Server(asyncssh.SSHServer):
    """Everybody may log in. `at`: what it does not answer until it is told to go on."""

    def __init__(self, at: str, go_on: threading.Event) -> None:
        self.at = at
        self.go_on = go_on

    def begin_auth(self, username):
        return False

    def session_requested(self):
        self.met("a session")
        return Session(self)

    def met(self, what: str) -> None:
        if self.at == what:
            assert self.go_on.wait(300)


class Session(asyncssh.SSHServerSession):
    """Runs nothing and says that it went well."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def connection_made(self, chan):
        self.chan = chan

    def pty_requested(self, term_type, term_size, term_modes):
        self.server.met("a terminal")
        return True

    def exec_requested(self, command):
        self.server.met("a command")
        return True

    def session_started(self):
        self.chan.exit(0)


class Silent:
    """The server, in a thread of its own."""

    def __init__(self, at: str) -> None:
        self.go_on = threading.Event()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = asyncio.run_coroutine_threadsafe(self._listen(at), self.loop).result(60)
        self.port = self.server.get_port()

    async def _listen(self, at: str) -> asyncssh.SSHAcceptor:
        key = asyncssh.generate_private_key("ssh-ed25519")
        return await asyncssh.listen("127.0.0.1", 0, server_host_keys=[key], server_factory=lambda: Server(at, self.go_on))

    def close(self) -> None:
        self.go_on.set()
        self.loop.call_soon_threadsafe(self.server.close)
        asyncio.run_coroutine_threadsafe(self.server.wait_closed(), self.loop).result(60)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(60)
        self.loop.close()


@pytest.fixture
def silent():
    made = []

    def make(at):
        made.append(Silent(at))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def enter(tmp_path):
    authority = ssh_ca.Authority(tmp_path)
    site = guests_here.site()
    name = ssh_ca.host_name(guests_here.plan(site, 5, [guests_here.machine(site, 5, 1, "box")]), "box")
    trust = ssh_connection.Trust(authority, name, certificate=False)

    def enter(port):
        return ssh_connection.connect("127.0.0.1", "labctl", authority.deploy_login(), trust, patience=60, port=port)

    return enter


@pytest.mark.parametrize("at", ["a session", "a terminal", "a command"])
def test_a_command_whose_beginning_is_not_answered_takes_too_long_and_the_connection_stays(silent, enter, at):
    guest = silent(at)
    with enter(guest.port) as connection:
        with pytest.raises(ssh_connection.TookTooLong, match=r"not finished within 0\.5 s"):
            connection.run("true", timeout=0.5, terminal=True)
        guest.go_on.set()
        assert connection.run("true", timeout=60, terminal=True).exit == 0


@pytest.mark.parametrize("at", ["a session", "a command"])
def test_roots_shell_that_is_not_answered_takes_too_long(silent, enter, at):
    guest = silent(at)
    with enter(guest.port) as connection, pytest.raises(ssh_connection.TookTooLong):
        connection.root("true\n", timeout=0.5)
