"""Guests that become templates: shut down politely, then converted. Each verb may be repeated.

A template is never changed back. Whether a guest's inside may be handed out (`labctl.drivers.ssh_seal`) is not known here.
"""

from __future__ import annotations

import re
import time

from labctl import errors
from labctl.drivers.proxmox import answers, cluster, guests

SHUTDOWN_SECONDS = 120
"""How long a guest may take to go down by itself; then it is stopped, as a power cut would: its file systems are journaled, and
it was told to write everything to disk when it was sealed."""

_CONVERTED_WITHIN = 300.0
_WELL = re.compile(r"OK|WARNINGS: \d+")


def is_template(to: cluster.Cluster, place: guests.Place) -> bool:
    """Raises NotFound when the guest is gone."""
    config = guests.look(to, place)
    if config is None:
        raise errors.NotFound(f"{place} has vanished")
    return bool(int(config.get("template") or 0))


def shut_down(to: cluster.Cluster, place: guests.Place) -> None:
    """Ask it to go down, and see that it is off. Raises Busy when it stays on."""
    if not guests.is_running(to, place):
        return
    try:
        upid = to.client.post(f"{place.path}/status/shutdown", timeout=SHUTDOWN_SECONDS)
        to.finish(upid, f"shutting {place} down", deadline=SHUTDOWN_SECONDS + 60.0)
    except answers.Stopped:
        raise
    except errors.LabctlError:
        # "VM quit/powerdown failed", a guest without ACPI, an unknown outcome: it is switched off (`proxmox-truth.md` 3.7).
        guests.stop(to, place)
    if guests.is_running(to, place):
        raise errors.Busy(f"{place} does not go down")


def convert(to: cluster.Cluster, place: guests.Place) -> None:
    """Make the guest a template. For a container the answer is null while a task runs unobserved, so the truth is its
    `template` flag (`client-sequence.md` 6); asking twice is refused, so the flag is looked at before too.
    """
    until = time.monotonic() + _CONVERTED_WITHIN
    asked, before = False, _tasks(to, place)
    while not is_template(to, place):
        if asked:
            _must_not_have_failed(to, place, before)
        else:
            try:
                to.finish(to.client.post(f"{place.path}/template"), f"making {place} a template")
                asked = True
            except (errors.Busy, answers.UnknownOutcome, errors.PermanentError):
                # An earlier attempt of ours may hold the lock or may just have ended; the flag decides.
                if time.monotonic() > until or not _locked_or_done(to, place):
                    raise
        if time.monotonic() > until:
            raise errors.Busy(f"{place} is not a template after {_CONVERTED_WITHIN:.0f} s")
        to.pause(0.1, f"{place} to become a template")


def _tasks(to: cluster.Cluster, place: guests.Place) -> dict[str, str]:
    """UPID -> end ("" while it runs) of the conversions of a container, which nobody is told of; of a VM's there is an answer."""
    if place.kind == "vm":
        return {}
    rows = to.client.get(f"/nodes/{place.node}/tasks", source="all", vmid=place.vmid, typefilter="vztemplate")
    return {str(row["upid"]): str(row.get("status") or "") if row.get("endtime") else "" for row in rows}


def _must_not_have_failed(to: cluster.Cluster, place: guests.Place, before: dict[str, str]) -> None:
    for upid, end in _tasks(to, place).items():
        if upid not in before and end and not _WELL.fullmatch(end):
            raise answers.judge(answers.Answer(0, end), f"making {place} a template")


def _locked_or_done(to: cluster.Cluster, place: guests.Place) -> bool:
    config = guests.look(to, place) or {}
    return bool(config.get("lock")) or bool(int(config.get("template") or 0))
