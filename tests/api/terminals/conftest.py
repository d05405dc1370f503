"""Terminals over a real WebSocket into real OpenSSH servers with a real tmux (`tests.world_here`)."""

from __future__ import annotations

import contextlib
import json
import re
import time

import httpx2 as httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync import client as sockets

from labctl import ports
from labctl.model import viewing
from tests import world_here

_SEQUENCE = re.compile(rb"\x1b(\[[0-9;?>]*[a-zA-Z]|[()][A-Z0-9]|[=>])")


class Tab:
    """A browser's tab as far as the API can tell: it acknowledges what it takes, unless told not to."""

    def __init__(self, url, ticket, *, size=(80, 24), origin=None, acks=True, shell=None):
        self._acks = acks
        self._open = contextlib.ExitStack()
        address = url.replace("http", "ws") + "/ws/terminal"
        # With a bound on what was not read yet the client never sees that the other side closed, and waits ten seconds for it.
        reads = {"max_queue": None} if acks else {"max_queue": 16, "close_timeout": 1}
        self.socket = self._open.enter_context(
            sockets.connect(address, origin=origin or url, max_size=None, compression=None, open_timeout=60, **reads)
        )
        self.seen = b""
        self.told = []
        self.code = None
        if ticket is not None:
            self.say(ticket=ticket, size=list(size), **({} if shell is None else {"shell": shell}))

    def say(self, **values):
        self.socket.send(json.dumps(values))

    def type(self, text):
        self.socket.send(text.encode())

    def take(self, seconds=60.0):
        """One more frame; False when the time is over or the connection is."""
        try:
            frame = self.socket.recv(timeout=seconds)
            if isinstance(frame, str):
                self.told.append(json.loads(frame))
            else:
                self.seen += frame
                if self._acks:
                    self.say(ack=len(frame))
        except TimeoutError:
            return False
        except ConnectionClosed as closed:
            self.code = closed.rcvd.code if closed.rcvd else 1006
            return False
        return True

    def until(self, pattern, seconds=60.0):
        """Read on until it is there, colours and cursor movements taken away; what it matched."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self._plain())):
            assert self.take(max(0.01, end - time.monotonic())), (self.code, self.told, self.seen[-2000:])
        self.seen = self.seen[found.end() :]
        return found

    def _plain(self):
        self.seen = _SEQUENCE.sub(b"", self.seen)
        return self.seen

    def until_told(self, key, seconds=60.0):
        end = time.monotonic() + seconds
        while not (found := [one[key] for one in self.told if key in one]):
            assert self.take(max(0.01, end - time.monotonic())), (self.code, self.told, self.seen[-2000:])
        self.told = [one for one in self.told if key not in one]
        return found[-1]

    def until_with(self, **wanted):
        """Until all who are there besides are so; what was said before on the way does not count."""
        while not (found := self.until_told("with")) or any(one[key] != value for one in found for key, value in wanted.items()):
            continue
        return found

    def closed(self, seconds=60.0):
        """The close code."""
        end = time.monotonic() + seconds
        while self.code is None and time.monotonic() < end:
            self.take(max(0.01, end - time.monotonic()))
        return self.code

    def quiet(self, seconds=0.5):
        """Take what comes until nothing came for a while."""
        while self.take(seconds):
            continue

    def close(self):
        self._open.close()


class World(world_here.World):
    """With tokens and tabs."""

    def __init__(self, tmp_path, blueprint=world_here.BLUEPRINT):
        super().__init__(tmp_path, blueprint)
        self.secrets = {"eva": self.wiring.tokens.create(ports.Token("eva", "trainer"))}
        for seat, name in ((1, "ada"), (2, "grace")):
            environment = self.wiring.desk.seat("monday", seat)[1].id
            self.secrets[name] = self.wiring.tokens.create(ports.Token(name, "learner", environment))
        self.tabs = []

    def ask(self, name, seat=1, **wanted):
        return httpx.post(
            f"{self.api.url}/api/v1/classrooms/monday/seats/{seat}/tickets",
            json={"machine": "box", **wanted},
            headers={"Authorization": f"Bearer {self.secrets[name]}"},
            trust_env=False,
            timeout=60,
        )

    def ticket(self, name, seat=1, **wanted):
        answer = self.ask(name, seat, **wanted)
        assert answer.status_code == 201, answer.text
        return answer.json()["ticket"]

    def show(self, ticket, **how):
        tab = Tab(self.api.url, ticket, **how)
        self.tabs.append(tab)
        return tab

    def tab(self, name, seat=1, *, mode=None, **how):
        return self.show(self.ticket(name, seat, **({"mode": mode} if mode else {})), **how)

    def allow(self, seat=1):
        """As its learner does on the seat's page; open terminals know within a look."""
        self.wiring.terminals.answer("monday", seat, viewing.Answer.ALLOWED, who="ada")

    def tidy(self):
        for tab in self.tabs:
            tab.close()
        self.tabs.clear()
        # A tab is closed before the API has noticed: the next test's learner would be told of who was there in this one.
        hall = self.api.made.state.hall
        world_here.wait_for(lambda: len(hall.rooms) == hall.guests.connections() == 0)
        # What one test's learner allowed is not allowed in the next.
        for seat in (1, 2):
            self.wiring.terminals.answer("monday", seat, viewing.Answer.REFUSED, who="tidy")
        self.stop_tmux()

    def close(self):
        self.tidy()
        super().close()


shared_world, world, own_world = world_here.fixtures(World)
