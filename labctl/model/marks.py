"""Plot arithmetic and marks of ownership: who a VMID, an address, a MAC, a VNet and a guest belong to.

Pure; the same numbers are used by the planner, the provider, the sweep and the search for leftovers (`access.md` 1.2,
`architecture.md` Nouns, `client-sequence.md` 4). A mark counts only together with the plot's VMID, because a clone
inherits its template's tags and description.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from labctl.model import site as site_

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def slot(plot: int, index: int) -> int:
    """The slot of machine `index` (0..31) on `plot`."""
    if not 0 <= index < site_.SLOTS_PER_PLOT:
        msg = f"a plot has {site_.SLOTS_PER_PLOT} slots, not {index + 1}"
        raise ValueError(msg)
    return plot * site_.SLOTS_PER_PLOT + index


def vmid(site: site_.Site, plot: int, index: int) -> int:
    """The VMID of machine `index` on `plot`."""
    return site.vmid_base + slot(plot, index)


def vmids(site: site_.Site, plot: int) -> range:
    """All VMIDs of a plot."""
    return range(vmid(site, plot, 0), vmid(site, plot, 0) + site_.SLOTS_PER_PLOT)


def plot_of(site: site_.Site, vmid_: int) -> int | None:
    """Whose a VMID is: the plot, or None when it is outside this installation's range."""
    plot = (vmid_ - site.vmid_base) // site_.SLOTS_PER_PLOT
    return plot if plot in site.plots else None


def management_address(site: site_.Site, plot: int, index: int) -> str:
    """The management address of machine `index` on `plot`, without prefix."""
    return str(site.management.network_address + slot(plot, index))


def management_mac(plot: int, index: int) -> str:
    """bc:24:11 and 24 bits of slot."""
    return _mac("bc:24:11", slot(plot, index))


def lab_mac(plot: int, index: int, nic: int) -> str:
    """MAC of lab card `nic` (1..31): locally administered, unique on the whole site."""
    return _mac(f"be:24:{nic:02x}", slot(plot, index))


def _mac(prefix: str, number: int) -> str:
    tail = number.to_bytes(3, "big")
    return prefix + "".join(f":{byte:02x}" for byte in tail)


def vnet(plot: int, index: int) -> str:
    """`l<plot, base 36><index, hex>`: at most 8 characters (Proxmox' limit, `proxmox-truth.md` 2.1)."""
    digits = ""
    number = plot
    while number:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return f"l{digits or '0'}{index:x}"


def plot_of_vnet(name: str) -> int | None:
    """The plot of a VNet made by labctl, or None."""
    match = re.fullmatch(r"l([0-9a-z]{1,6})([0-9a-f])", name)
    return int(match[1], 36) if match else None


def tag(site: site_.Site, plot: int, index: int) -> int | None:
    """The VNet's tag; None in a simple zone, which refuses tags (`proxmox-truth.md` 3.11)."""
    return None if site.zone_type == "simple" else plot * site_.NETWORKS_PER_PLOT + index + 1


def pool(site: site_.Site, environment: str) -> str:
    """The environment's own pool, nested in the site's."""
    return f"{site.pool}/{environment}"


_MARK = re.compile(
    r"^labctl installation=(?P<installation>[a-z0-9-]+) environment=(?P<environment>[a-z0-9]+) "
    r"machine=(?P<machine>[a-z0-9-]+) vmid=(?P<vmid>[0-9]+)$"
)


@dataclass(frozen=True)
class Mark:
    """Who owns a guest, as written in the first line of its description."""

    installation: str
    environment: str
    machine: str
    vmid: int

    def __str__(self) -> str:
        return f"labctl installation={self.installation} environment={self.environment} machine={self.machine} vmid={self.vmid}"


def read_mark(description: str | None, vmid_: int) -> Mark | None:
    """The owner written in a description, if it is one and names the very VMID it stands on; else None."""
    for line in (description or "").splitlines()[:1]:
        match = _MARK.match(line.strip())
        if match and int(match["vmid"]) == vmid_:
            return Mark(match["installation"], match["environment"], match["machine"], vmid_)
    return None


def network_alias(installation: str, environment: str) -> str:
    """The alias of a VNet: its mark. Proxmox allows letters, digits, blanks and `-_.()` there."""
    return f"labctl {installation} {environment}"
