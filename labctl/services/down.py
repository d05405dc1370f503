"""Take labctl down: stop its processes in reverse order; with `wipe`, take the sandbox node and all records away too."""

from __future__ import annotations

import shutil

from labctl import errors, wiring
from labctl import settings as settings_
from labctl.services import cable, node, owner, parts, processes
from labctl.services.up import Timed

RECORDS = ("state", "ansible", "bundles", "shelf")
"""Folders of the home that speak of environments: worthless without the guests."""


def open_classes(settings: settings_.Settings) -> list[str]:
    """The classes that are open, read from the store itself: the API may be down."""
    if not settings.site_file.exists():
        return []
    try:
        return [room.slug for room in wiring.build(settings).classrooms.classrooms()]
    except errors.LabctlError:
        # An unreadable store must not keep processes from being stopped.
        return []


def down(settings: settings_.Settings, timed: Timed, *, wipe: bool = False) -> list[str]:
    """Stop what runs; the names of what was stopped."""
    running = processes.Processes(settings.home)
    stopped: list[str] = []
    if not settings.home.exists():
        return stopped
    with owner.alone(settings.home):
        for name in reversed(parts.ORDER):
            if running.find(name) is None:
                continue
            with timed(f"stop {name}"):
                running.stop(name, grace=parts.GRACE[name], tree=name != "node")
            stopped.append(name)
        if wipe and node.in_use(settings):
            with timed("remove the sandbox node and its guests") as notes:
                _wire_away(settings)
                said = node.wipe(settings)
                notes.append(f"{sum('guest' in line.split('/')[0] for line in said)} running guests, {len(said)} things in all")
            _forget(settings)
    return stopped


def _wire_away(settings: settings_.Settings) -> None:
    if not settings.site_file.exists():
        return
    cable.of(wiring.build(settings)).remove()


def _forget(settings: settings_.Settings) -> None:
    for folder in RECORDS:
        shutil.rmtree(settings.home / folder, ignore_errors=True)
    for path in settings.home.glob("labctl.sqlite3*"):
        path.unlink()
    shutil.rmtree(settings.home / "run" / "broker", ignore_errors=True)
