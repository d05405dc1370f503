"""The one composition root: builds every driver, each when it is first asked for, and hands them to those who use them.

Doors (API, worker, command line) and tests call the same `Wiring`; tests hand over what stands for the outside world. Nothing
else constructs its own collaborators.
"""

from __future__ import annotations

from labctl import settings
from labctl.wiring.getting_in import GettingIn
from labctl.wiring.outside import APPS_ACCOUNT, DOOR_ACCOUNT

__all__ = ["APPS_ACCOUNT", "DOOR_ACCOUNT", "Wiring", "build", "load"]


class Wiring(GettingIn):
    """Every collaborator by name. `given` replaces any of them: `Wiring(settings, clock=..., provisioner=...)`."""


def load() -> None:
    """Import what steps need, and build nothing: two seconds of CPU that no class should wait for."""
    import infra.provisioner
    from labctl.drivers import ansible, bell, paper, shelf, ssh, wire

    bell.load()
    del ansible, infra, paper, shelf, ssh, wire


def build(chosen: settings.Settings | None = None) -> Wiring:
    """The wiring of this process, by its settings."""
    return Wiring(chosen or settings.Settings())
