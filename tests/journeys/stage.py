"""Where the journeys happen: one labctl with real guests, one Chromium, the people in it, and what they know of each other."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path
from typing import Any

from tests.bench import killing
from tests.bench.house import REPOSITORY, House
from tests.browser import axe
from tests.browser.chromium import Chromium, Person
from tests.journeys.telling import Telling

COURSE = Path(__file__).resolve().parent / "course"
ROSTER = "Ada Lovelace, ada@example.org\nGrace Hopper, grace@example.org\nEdsger Dijkstra, edsger@example.org"
OWN = ("LABCTL_INSTALLATION", "LABCTL_MANAGEMENT", "LABCTL_API_PORT", "LABCTL_DOOR_PORT", "LABCTL_SANDBOX_PORT", "LABCTL_APPS_PORT")
"""May be given from outside, where a machine has several labctl side by side."""


def house() -> House:
    """A labctl that knows the journeys' course."""
    given = {name: os.environ[name] for name in OWN if name in os.environ}
    return House("walk", LABCTL_BLUEPRINTS=f'["{REPOSITORY / "blueprints"}", "{COURSE}"]', **given)


class Stage:
    """See the module."""

    def __init__(self, walked: House, chromium: Chromium) -> None:
        self.house = walked
        self.chromium = chromium
        self.origin = f"http://localhost:{walked.environment['LABCTL_API_PORT']}"
        self.telling = Telling(self._picture)
        self.people: dict[str, Person] = {}
        self.axe: list[str] = []
        self.known: dict[str, Any] = {}
        self._shown: Person | None = None

    def person(self, name: str, **more: Any) -> Person:
        """They come, or are there already; pictures are of whom was asked for last."""
        if name not in self.people:
            self.people[name] = self.chromium.person(name, self.origin, **more)
        self._shown = self.people[name]
        # Passkeys answer only to the page in front.
        self._shown.page.bring_to_front()
        return self._shown

    def _picture(self, file: Path) -> None:
        if self._shown is not None:
            self._shown.page.screenshot(path=file)

    def first_link(self) -> str:
        """What `labctl up` says until somebody can sign in."""
        found = re.search(r"http\S+/invitation/\S+", self.house.run("up").stdout)
        assert found, "labctl up names no first link"
        return found[0]

    def kill_api(self) -> str:
        """As when its machine's power went."""
        return killing.kill(self.house, "api", random.Random(1))

    def policy_reports(self) -> list[str]:
        """What browsers told the API that they refused."""
        logs = (self.house.home / "log").glob("api*")
        return [line for log in logs for line in log.read_text(errors="replace").splitlines() if "content security policy" in line]

    def look(self, kind: str, page: Any) -> None:
        """axe's findings on this kind of page, in light and dark, said at once."""
        found = axe.both(page)
        self.axe += [f"{kind}: {line}" for line in found]
        print(f"           axe on {kind}: {len(found)}", flush=True)
        for line in found:
            print(f"             {line}", flush=True)
