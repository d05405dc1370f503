"""What of this machine is taken already: ports, names, address ranges. Asked before anything is made, so that two labctls never mix."""

from __future__ import annotations

import ipaddress
import json
import subprocess
import time

from labctl import errors
from labctl import settings as settings_
from labctl.services import node, parts, processes

DYING_SECONDS = 3.0
"""A busy machine takes no longer to end all threads of a killed process."""


def refuse(settings: settings_.Settings) -> None:
    """Raise Conflict for the first thing that a labctl of this home would need and somebody else has."""
    _ports(settings)
    if not node.in_use(settings) or node.begun(settings) or node.paper(settings):
        return
    name = f"{settings.installation}-node"
    if name in _lines("ip", "netns", "list") or node.interface(settings) in _links():
        raise errors.Conflict(
            f"another labctl on this machine is called `{settings.installation}` (it has {name} or {node.interface(settings)}).",
            hint="Give this one a name and a range of its own: LABCTL_INSTALLATION, LABCTL_MANAGEMENT; or take the other one away: "
            "`labctl down --wipe` in its home.",
        )
    if clash := overlap(settings):
        raise errors.Conflict(clash, hint="Choose another range with LABCTL_MANAGEMENT, e.g. 100.80.0.0/16.")


def overlap(settings: settings_.Settings) -> str | None:
    """How the range that a sandbox would take clashes with a route of this machine, if it does."""
    done = subprocess.run(["ip", "-j", "-4", "route", "show"], capture_output=True, text=True, check=False)
    for route in json.loads(done.stdout or "[]"):
        there = str(route.get("dst", "default"))
        if there != "default" and ipaddress.IPv4Network(there, strict=False).overlaps(settings.management):
            return f"the management range {settings.management} overlaps this machine's route {there} on {route.get('dev')}."
    return None


def _ports(settings: settings_.Settings) -> None:
    wanted = [("api", settings.api_host, settings.api_port, "LABCTL_API_PORT")]
    if node.in_use(settings):
        wanted.append(("node", "127.0.0.1", node.port(settings), "LABCTL_SANDBOX_PORT"))
    if not node.paper(settings):
        wanted.append(("door", settings.door_host, settings.door_port, "LABCTL_DOOR_PORT"))
        if settings.apps_site:
            wanted.append(("apps", settings.apps_host, settings.apps_own_port, "LABCTL_APPS_PORT"))
    running = processes.Processes(settings.home)
    for name, host, port, variable in wanted:
        if running.find(name) is None and _stays(host, port):
            raise errors.Conflict(
                f"port {port} on {host} is taken by another program, perhaps a labctl of another home.",
                hint=f"Stop that one, or choose another port with {variable}.",
            )


def _stays(host: str, port: int) -> bool:
    """Whether somebody goes on answering there: the threads of a part that was just killed hold its port a moment longer."""
    until = time.monotonic() + DYING_SECONDS
    while parts.answers(host, port):
        if time.monotonic() > until:
            return True
        time.sleep(0.05)
    return False


def _links() -> set[str]:
    done = subprocess.run(["ip", "-j", "link", "show"], capture_output=True, text=True, check=False)
    return {str(link.get("ifname")) for link in json.loads(done.stdout or "[]")}


def _lines(*command: str) -> set[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {line.split()[0] for line in done.stdout.splitlines() if line.strip()}
