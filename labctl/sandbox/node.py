"""One node: the parts every endpoint needs, put together once. The composition root of the sandbox.

`open_()` builds it; nothing else constructs state, locks, tasks or a runtime. The nodes of a paper cluster are `peers`: what is the
cluster's (state, users, figures that are broadcast) they share, locks, tasks, bridges each has its own. An endpoint works on one
node and need not know of the others, since `calls` hands it the node that the path names.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl.sandbox import (
    access_control,
    acts,
    answers,
    broadcast,
    consoles,
    faults,
    hardware,
    locks,
    sdn,
    sessions,
    state,
    tasks,
    volume_index,
)
from labctl.sandbox.faults import conditions
from labctl.sandbox.guests import paper, runtime
from labctl.sandbox.paper import cluster, description

STAND_IN = "containers stand in for VMs"
"""The words by which a client can tell that qemu guests are not QEMU here (node status `pveversion`, guest `running-qemu`)."""


PAPER = "paper.sqlite3"
"""Where a home keeps what its paper guests are."""


class AlreadyRunning(Exception):
    """Another process holds this home."""


@dataclass(frozen=True)
class Settings:
    """What `init` wrote down about this node. `pace` scales Proxmox's waits: 1.0 is Proxmox's own."""

    name: str
    listen: str = "127.0.0.1:8006"
    runtime: str = "lxc"
    node: str = "sandbox"
    uplink: str = ""
    management: str = "100.64.0.0/16"
    cache: str = "/var/cache/labctl"
    authorized_key: str = ""
    pace: float = 1.0
    refusal_delay: float = 3.0
    """Seconds before a 401 is answered (`proxmox-truth.md` 3.1)."""
    certificate: str = "node.pem"


class Node:
    """State, locks, tasks, users and guests of one node. `of` is the cluster's first node, of which this is a further one."""

    def __init__(
        self,
        home: Path,
        settings: Settings,
        runtime_: runtime.Runtime,
        *,
        name: str = "",
        of: Node | None = None,
        acts_: acts.Acts | None = None,
        hardware_: hardware.Hardware | None = None,
    ) -> None:
        self.home = home
        self.settings = settings
        self.runtime = runtime_
        self.name = name or settings.node
        self.acts = acts_ or acts.Acts()
        self.hardware = hardware_ or hardware.Hardware(home)
        self.state: state.State = of.state if of else state.State(home / "node.sqlite3")
        self.content: state.Content = self.state.content
        self.locks: locks.Locks = locks.Locks(settings.pace, of=of.locks if of else None, acts_=self.acts)
        self.conditions: conditions.Conditions = of.conditions if of else conditions.Conditions(self.locks)
        self.faults: faults.Faults = of.faults if of else faults.Faults()
        """Asked by the wire of the node that answers, which is the first."""
        self.tasks = tasks.Tasks(self.name, home / "tasks", self.state, settings.pace, self.acts)
        self.access: access_control.AccessControl = of.access if of else access_control.AccessControl(self.state)
        self.sessions: sessions.Sessions = of.sessions if of else sessions.Sessions(home / "tickets.key", self.state, self.access)
        self.volumes: volume_index.VolumeIndex = of.volumes if of else volume_index.VolumeIndex(self.state)
        self.vnet_tags: sdn.VnetTags = of.vnet_tags if of else sdn.VnetTags(self.state)
        self.consoles: consoles.Consoles = of.consoles if of else consoles.Consoles(settings.pace)
        self._worked_out: dict[str, tuple[int, Any]] = {}
        self.paused: set[int] = of.paused if of else set()
        self.broadcast: broadcast.Broadcast = of.broadcast if of else broadcast.Broadcast()
        self.offline: set[str] = of.offline if of else set()
        self.others: set[str] = of.others if of else set()
        """Nodes of a recorded cluster that are not here."""
        self.peers: dict[str, Node] = of.peers if of else {}
        """All nodes of the cluster by name, this one too."""
        self.peers[self.name] = self

    @functools.cached_property
    def certificate(self) -> str:
        """The server's certificate, PEM."""
        pem = (self.home / "node.pem").read_text("ascii")
        return pem[pem.index("-----BEGIN CERTIFICATE") :]

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the server's certificate, as Proxmox shows it."""
        return ":".join(f"{byte:02X}" for byte in hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.certificate)).digest())

    def away(self, name: str) -> bool:
        """Whether the cluster does not hear of that node."""
        return name in self.offline or self.conditions.offline(name)

    def worked_out(self, name: str, kind: str, work: Callable[[], Any]) -> Any:
        """What `work` makes of the content's values of that kind; kept until one of them is altered."""
        now = self.state.generation[kind]
        known = self._worked_out.get(name)
        if known is None or known[0] != now:
            known = self._worked_out[name] = (now, work())
        return known[1]

    @property
    def stands_in(self) -> bool:
        """Whether qemu guests are something else here."""
        return self.runtime.kind != "qemu"

    def check_quorum(self) -> None:
        """500 "cluster not ready - no quorum?" (`proxmox-truth.md` 3.9)."""
        if not self.locks.quorate:
            answers.die("cluster not ready - no quorum?")

    def check_writable(self, kind: str, vmid: int | str) -> None:
        """Without quorum no guest's config can be written (`proxmox-truth.md` 3.9)."""
        if not self.locks.quorate:
            folder = {"qemu": "qemu-server", "lxc": "lxc"}[kind]
            answers.die(f"unable to open file '/etc/pve/nodes/{self.name}/{folder}/{vmid}.conf.tmp.{os.getpid()}' - Permission denied")

    def close(self) -> None:
        """Ends nothing: guests and tasks go on; closes the state file."""
        self.state.close()


def settings_of(home: Path) -> Settings:
    """What `init` wrote into this home."""
    known: dict[str, Any] = json.loads((home / "settings.json").read_text("utf-8"))
    return Settings(**known)


def open_(home: Path, *, speed: float = 0.0) -> Node:
    """The node of an initialised home, with the runtime it was initialised for; of a cluster the first node. `speed`: another speed of a
    paper cluster's clock than its own.
    """
    settings = settings_of(home)
    known = description.kept(home)
    if known is not None and speed:
        known = dataclasses.replace(known, speed=speed)
    if known is None:
        return Node(home, settings, make_runtime(home, settings))
    made: Node | None = None
    for parts in cluster.parts(home, home / PAPER, known):
        one = Node(home, settings, parts.runtime, name=parts.name, of=made, acts_=parts.acts, hardware_=parts.hardware)
        one.locks.shared_storages = parts.shared
        if made is None:
            parts.used.watch(one.state)
        made = made or one
    assert made
    return made


def make_runtime(home: Path, settings: Settings) -> runtime.Runtime:
    """Real containers, or paper."""
    if settings.runtime == "paper":
        return paper.PaperRuntime(home / PAPER)
    from labctl.sandbox.guests import lxc

    made: runtime.Runtime = lxc.LxcRuntime(home / "guests", settings.name, Path(settings.cache), settings.authorized_key or None)
    return made


def is_name(text: str) -> bool:
    """A node name as in a path."""
    return bool(re.fullmatch(r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?", text))
