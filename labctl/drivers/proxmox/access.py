"""What labctl's token must be allowed to do, and what of it is missing.

An ACL on only one of user and token grants nothing, yet reads then answer 200 and empty (`client-sequence.md` 1), so the
privileges are compared by name with `GET /access/permissions` instead of waiting for a refusal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labctl import errors
from labctl.drivers.proxmox import client
from labctl.model import site as site_

GUESTS = frozenset(
    f"VM.{name}"
    for name in (
        "Allocate", "Audit", "Clone", "PowerMgmt", "Console", "Snapshot",
        "Config.CPU", "Config.Memory", "Config.Disk", "Config.Network", "Config.Options", "Config.HWType", "Config.Cloudinit",
    )
) | {"Pool.Allocate", "Pool.Audit"}  # fmt: skip
"""`client-sequence.md` 1, role LabctlGuests, without the agent's privilege, whose name depends on the version."""


def agent(version: tuple[int, int]) -> str:
    """Reading the guest agent: VM.Monitor until 8, VM.GuestAgent.Audit from 9 (`proxmox-truth.md` 1.3, 5.1)."""
    return "VM.Monitor" if version[0] < 9 else "VM.GuestAgent.Audit"


def needed(site: site_.Site, version: tuple[int, int]) -> dict[str, frozenset[str]]:
    """ACL path -> privileges, as `client-sequence.md` 1 has IT set them."""
    return {
        f"/pool/{site.pool}": GUESTS | {agent(version)},
        f"/storage/{site.storage}": frozenset({"Datastore.AllocateSpace", "Datastore.Audit"}),
        f"/sdn/zones/{site.zone}": frozenset({"SDN.Allocate", "SDN.Audit", "SDN.Use"}),
        "/sdn": frozenset({"SDN.Allocate"}),
        "/nodes": frozenset({"Sys.Audit"}),
        "/": frozenset({"Sys.Audit"}),
    }


def findings(to: client.Client, site: site_.Site) -> list[str]:
    """One line for each path that lacks privileges; empty when all is well. Raises Unreachable, Forbidden (no such token)."""
    lacking = []
    for path, privileges in needed(site, to.version()).items():
        missing = privileges - _granted(to, path)
        if missing:
            lacking.append(f"{path} lacks {' '.join(sorted(missing))}")
    for image in sorted({template.vmid for one in site.images.values() for template in (*one.vm, *one.container)}):
        missing = frozenset({"VM.Clone", "VM.Audit"}) - _granted(to, f"/vms/{image}")
        if missing:
            lacking.append(f"template {image} lacks {' '.join(sorted(missing))}")
    if "SDN.Use" not in _management(to, site):
        lacking.append(f"the VNet {site.management_vnet} lacks SDN.Use")
    return lacking


def _granted(to: client.Client, path: str) -> set[str]:
    try:
        answer: Mapping[str, Mapping[str, Any]] = to.get("/access/permissions", path=path) or {}
    except errors.NotFound:
        return set()
    return set(answer.get(path) or {})


def _management(to: client.Client, site: site_.Site) -> set[str]:
    """The management VNet lies in IT's zone, whose name labctl does not need: the VNet's own row tells it."""
    for row in to.get("/cluster/sdn/vnets"):
        if row.get("vnet") == site.management_vnet:
            return _granted(to, f"/sdn/zones/{row.get('zone')}/{site.management_vnet}")
    return set()
