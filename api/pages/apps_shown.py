"""What a seat's page says of its web apps: a frame or a tab of their own, or `ssh -L` where they have no addresses here."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from api import shapes
from labctl import errors, wiring
from labctl.model.plan import PlannedApp


@dataclass(frozen=True)
class Shown:
    """What a page says of a seat's apps. `ready`: they may be entered now; `own`: they have addresses of their own; else `by_ssh` are those
    that ssh reaches.
    """

    apps: tuple[PlannedApp, ...] = ()
    ready: bool = False
    own: bool = False
    by_ssh: frozenset[str] = frozenset()

    @property
    def origins(self) -> tuple[str, ...]:
        """What the page may frame, and where its forms lead to."""
        found = [urlsplit(app.url) for app in self.apps] if self.own else []
        return tuple(f"{one.scheme}://{one.netloc}" for one in found)


def shown(house: wiring.Wiring, seat: shapes.SeatShape) -> Shown:
    """Nothing where nothing runs. A seat that is not ready yet has its apps all the same: they are shown once it is, on a page whose
    policy was said before.
    """
    if house.paper:
        return Shown()
    try:
        apps = house.visiting.apps(seat.environment)
        plan = house.environments.plan(seat.environment)
    except errors.LabctlError:
        return Shown()
    entered = {machine.name for machine in plan.machines if "terminal" in machine.access}
    return Shown(apps, seat.status == "ready", bool(house.visiting.site), frozenset(app.name for app in apps if app.machine in entered))
