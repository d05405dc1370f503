"""Desktops over a real WebSocket, through a real sshd, from a real Xtigervnc (`tests.desktop_here`)."""

from __future__ import annotations

import pytest

from tests import desktop_here, world_here
from tests.api.terminals import conftest as terminals


class World(terminals.World):
    """Two seats, each with a machine that has a desktop."""

    def __init__(self, tmp_path):
        super().__init__(tmp_path, desktop_here.BLUEPRINT)
        self.desktops = [desktop_here.Desktop(self.ground / f"desktops{seat}") for seat in (1, 2)]
        self.pages = []

    def given(self):
        return {"consoles": desktop_here.Consoles(self._screen)}

    def _screen(self, screen):
        seats = {seat: self.wiring.desk.seat("monday", seat)[1].facts.machines for seat in (1, 2)}
        seat = next(seat for seat, machines in seats.items() if screen.vmid in {one.vmid for one in machines})
        return self.ground / f"desktops{seat}" / "learner" / "rfb"

    def look(self, ticket, **how):
        page = desktop_here.Page(self.api.url, ticket, **how)
        self.pages.append(page)
        return page

    def page(self, name, seat=1, **wanted):
        return self.look(self.ticket(name, seat, **{"kind": "desktop", **wanted}))

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


shared_world, world, own_world = world_here.fixtures(_made)
