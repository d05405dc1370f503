"""What stands beside the guide as tabs: terminals, desktops and web apps of a seat, those first that the guide's page names
(`blueprint.md` 16). The rest stays one press away: no page of a guide takes a machine away from its learner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from labctl.model.guide_front import DESKTOP
from labctl.model.plan import PlannedApp


@dataclass(frozen=True)
class Tab:
    """One of them. `kind`: terminal, desktop or app; `name` of its machine or app; `more`: the page names others and not this one."""

    kind: str
    name: str
    more: bool = False
    app: PlannedApp | None = None

    @property
    def id(self) -> str:
        """In the page."""
        return f"{self.kind}-{self.name}"


def beside(named: Sequence[str], machines: Sequence[str], desktops: Sequence[str], apps: Sequence[PlannedApp]) -> tuple[Tab, ...]:
    """All tabs, in the order of the page's `named`; terminals, desktops, apps where it names none."""
    every = {name: Tab("terminal", name) for name in machines}
    every |= {DESKTOP + name: Tab("desktop", name) for name in desktops}
    every |= {app.name: Tab("app", app.name, app=app) for app in apps}
    wanted = [name for name in named if name in every] or list(every)
    rest = [name for name in every if name not in wanted]
    return (*(every[name] for name in wanted), *(replace(every[name], more=True) for name in rest))
