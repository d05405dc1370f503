"""Desktops over a real WebSocket, through a real sshd, from a real Xtigervnc (`tests.desktop_here`)."""

from __future__ import annotations

import pytest

from tests import desktop_here
from tests.api.terminals import conftest as terminals


class World(terminals.World):
    """Two seats, each with a machine that has a desktop."""

    def __init__(self, tmp_path):
        super().__init__(tmp_path, desktop_here.BLUEPRINT)
        self.desktops = [desktop_here.Desktop(self.ground / f"desktops{seat}") for seat in (1, 2)]
        self.pages = []

    def look(self, ticket, **how):
        page = desktop_here.Page(self.api.url, ticket, **how)
        self.pages.append(page)
        return page

    def page(self, name, seat=1, **wanted):
        return self.look(self.ticket(name, seat, kind="desktop", **wanted))

    def tidy(self):
        for page in self.pages:
            page.close()
        self.pages.clear()
        super().tidy()
        desktop_here.until(lambda: len(self.api.made.state.hall.rooms) == 0)

    def close(self):
        self.tidy()
        for desktop in self.desktops:
            desktop.close()
        super().close()


def _made(folder):
    if desktop_here.MISSING:
        pytest.skip(desktop_here.REASON)
    return World(folder)


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory):
    made = _made(tmp_path_factory.mktemp("desktops"))
    yield made
    made.close()


@pytest.fixture
def world(shared_world):
    yield shared_world
    shared_world.tidy()


@pytest.fixture
def own_world(tmp_path):
    """For tests that end leases, reset seats, or stop a desktop."""
    made = _made(tmp_path)
    yield made
    made.close()
