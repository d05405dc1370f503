"""What the node asks of whatever makes its guests real: one small interface, filled by `lxc` (real Linux systems) and
`paper` (no substance, for replaying vectors and for simulation).

All verbs block and are called from task threads; verbs on different VMIDs may run at once. Sizes: MiB of memory, GiB of
disk. Failure is `RuntimeFailure` with a text that fits into a Proxmox task log.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol


class RuntimeFailure(Exception):
    """The guest could not be made to do that; the text goes into the task's log."""


@dataclass(frozen=True)
class NicSpec:
    """One card. `bridge` is a VNet or bridge in the node's namespace; None leaves it unplugged. `address` carries its
    prefix ("100.64.0.34/16"). `isolated` (the VNet's `isolate-ports`): the port may not talk to other isolated ports. `learning` off (the
    zone's `bridge-disable-mac-learning`): frames for its hardware address go to it alone. `firewall`: it stands behind a bridge of its
    own, where the guest's firewall can filter it.
    """

    index: int
    mac: str
    bridge: str | None = None
    address: str | None = None
    gateway: str | None = None
    isolated: bool = False
    learning: bool = True
    firewall: bool = False


@dataclass(frozen=True)
class Identity:
    """What cloud-init (VM) or Proxmox itself (container) writes into a guest. `password` is a crypt(3) hash. A container gets
    hostname, nameserver and searchdomain only. Written again when `instance` changes.
    """

    instance: str
    hostname: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ssh_keys: tuple[str, ...] = ()
    nameserver: str | None = None
    searchdomain: str | None = None


@dataclass(frozen=True)
class GuestSpec:
    """All that is needed to start a guest."""

    vmid: int
    cores: int
    memory: int
    nics: tuple[NicSpec, ...]
    identity: Identity | None
    nesting: bool = False
    container: bool = False
    """Whether it is a container to Proxmox; what stands behind a VM may be one too."""


@dataclass(frozen=True)
class Usage:
    """What a running guest uses now: CPU seconds since start, bytes, seconds since start."""

    cpu_seconds: float = 0.0
    memory: int = 0
    disk: int = 0
    uptime: int = 0


class Runtime(Protocol):
    """See the module."""

    kind: str
    """"container", "qemu" or "paper": what guests really are here; shown by the node."""

    def provide(self, vmid: int, image: str) -> None:
        """Make `vmid`'s disk from a prepared image (a template's, or a new guest's). Repeatable."""

    def clone(self, source: int, vmid: int, *, linked: bool) -> None:
        """A disk for `vmid` from the stopped or template `source`. A linked clone keeps the source's disk as its base; new
        machine-id and SSH host keys in each clone.
        """

    def freeze_template(self, vmid: int) -> None:
        """Turn a stopped guest's disk into a base for linked clones."""

    def bases(self) -> dict[int, int]:
        """Linked clone -> its base."""

    def start(self, spec: GuestSpec) -> None:
        """Returns when the guest's init runs. Raises RuntimeFailure; a missing bridge gives "bridge 'x' does not exist"."""

    def shutdown(self, vmid: int, timeout: float) -> bool:
        """Ask politely; True when it is off within `timeout` seconds."""

    def stop(self, vmid: int) -> None:
        """At once. No-op when it is off."""

    def destroy(self, vmid: int) -> None:
        """Disk, snapshots, ports and log of a stopped guest. No-op when there is none."""

    def running(self) -> AbstractSet[int]:
        """VMIDs whose init runs now; the truth also after a restart of the node."""

    def snapshot(self, vmid: int, name: str) -> None:
        """Disk only; a running guest is frozen meanwhile."""

    def delete_snapshot(self, vmid: int, name: str) -> None:
        """No-op when there is none of that name."""

    def rollback(self, vmid: int, name: str) -> None:
        """The guest is stopped before; it stays stopped."""

    def addresses(self, vmid: int) -> list[tuple[str, str, list[str]]]:
        """(interface name, MAC, addresses with prefix) of a running guest."""

    def usage(self, vmid: int) -> Usage:
        """Zeros for a guest that is off."""

    def bridges(self) -> AbstractSet[str]:
        """Names of those that are there."""

    def add_bridge(self, name: str) -> None:
        """Repeatable. No address on it: nobody but its guests is on it."""

    def remove_bridge(self, name: str) -> None:
        """Repeatable."""
