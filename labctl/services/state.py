"""What runs now and how much memory it takes, for `labctl status`."""

from __future__ import annotations

from typing import Any

from labctl import errors, wiring
from labctl import settings as settings_
from labctl.model import classroom as classroom_
from labctl.model import lifecycle
from labctl.services import apps, cluster, engine, node, parts, processes


def state(settings: settings_.Settings) -> dict[str, Any]:
    """Everything `labctl status` prints, as JSON would have it. Memory in bytes (PSS for our own processes)."""
    running = processes.Processes(settings.home)
    rows = [_row(running, name) for name in _names(settings)]
    found: dict[str, Any] = {
        "home": str(settings.home),
        "api": f"http://{settings.api_host}:{settings.api_port}",
        "running": all(row["pid"] for row in rows),
        "processes": rows,
        "memory": sum(row["memory"] for row in rows),
        "engine": engine.describe(settings),
        "node": [],
        "guests": 0,
        "guest_memory": 0,
        "classes": [],
    }
    if settings.site_file.exists():
        _of_wiring(settings, found)
    return found


def _names(settings: settings_.Settings) -> list[str]:
    missing = {"node"} if not node.in_use(settings) else set()
    missing |= set() if parts.broker_of(settings).own else {"broker"}
    missing |= {"door"} if node.paper(settings) else set()
    missing |= set() if apps.wanted(settings) else {"apps"}
    return [name for name in parts.ORDER if name not in missing]


def _row(running: processes.Processes, name: str) -> dict[str, Any]:
    one = running.running(name)
    return {"name": name, "pid": one.pid if one else None, "since": one.since if one else None, "memory": one.memory if one else 0}


def _of_wiring(settings: settings_.Settings, found: dict[str, Any]) -> None:
    wired = wiring.build(settings)
    try:
        sight = cluster.look(wired.site)
        found["node"], found["guests"], found["guest_memory"] = list(sight.lines), sight.guests, sight.guest_memory
    except errors.LabctlError as error:
        found["node"] = [f"{wired.site.cluster.url}: {error.message}"]
    if node.in_use(settings):
        found["node"] += node.remarks(settings)
    try:
        found["classes"] = [_class(wired, room) for room in wired.classrooms.classrooms()]
    except errors.LabctlError as error:
        found["node"].append(f"the store cannot be read: {error.message}")


def _class(wired: wiring.Wiring, room: classroom_.Classroom) -> dict[str, Any]:
    now = wired.clock.now()
    words = [lifecycle.status(env, now).value for env in wired.environments.environments(classroom=room.slug, gone=True, bare=True)]
    return {"slug": room.slug, "ends": room.lease.ends.isoformat(), "seats": len(room.seats), "ready": words.count("ready")}
