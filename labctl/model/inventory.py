"""The machines of a blueprint one by one: after `defaults` and `count`, in file order, with the networks they stand on.

Everything that looks at machines (cross-checks, references, planning) looks at these, so that they agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from labctl.model import blueprint as language
from labctl.model import scalars

LAN = "lan"
LAN_CIDR = "10.10.10.0/24"
"""The one network of a blueprint that names none."""

DEFAULT_MEMORY = 1024
DEFAULTS: dict[str, Any] = {
    "kind": "vm", "cpus": 1, "memory": DEFAULT_MEMORY, "login": "learner", "sudo": True, "access": ("terminal",), "load": "medium",
}  # fmt: skip
"""What a machine is when neither it nor `defaults` says (`blueprint.md` 6)."""


@dataclass(frozen=True)
class Network:
    """One network with everything decided but labctl's addresses."""

    name: str
    block: language.Network
    cidr: str


@dataclass(frozen=True)
class Machine:
    """One of `count`: `base` is the name as written, `number` counts from 1 (0: there is only one)."""

    name: str
    base: str
    number: int
    block: language.Machine
    defaults: language.Defaults
    nics: dict[str, str]

    def get(self, key: str) -> Any:
        """The machine's own key, else the one of `defaults`, else the language's default."""
        own = getattr(self.block, key)
        if own is not None:
            return own
        shared = getattr(self.defaults, key)
        return DEFAULTS.get(key) if shared is None else shared

    @property
    def hostname(self) -> str:
        """What the machine calls itself."""
        return self.block.hostname or self.name


def networks(blueprint: language.Blueprint) -> tuple[Network, ...]:
    """All networks in file order; a single one may omit its cidr."""
    blocks = blueprint.networks or {LAN: language.Network()}
    return tuple(Network(name, block, block.cidr or LAN_CIDR) for name, block in blocks.items())


def machines(blueprint: language.Blueprint) -> tuple[Machine, ...]:
    """All machines in file order, counted ones as NAME-1, NAME-2 ..."""
    every = tuple(blueprint.networks or {LAN: None})
    found = []
    for base, block in blueprint.machines.items():
        nics = dict.fromkeys(every[:1], "auto") if block.nics is None else dict(block.nics)
        for number in range(1, block.count + 1):
            one = block.count == 1
            found.append(Machine(base if one else f"{base}-{number}", base, 0 if one else number, block, blueprint.defaults, nics))
    return tuple(found)


def groups(blueprint: language.Blueprint, members: Iterable[Machine], families: dict[str, str] | None = None) -> dict[str, tuple[str, ...]]:
    """Group -> names of machines. `all`, families, kinds, networks and counted names are always there.

    `families` maps images to their family; linux where it does not say.
    """
    members = tuple(members)
    found: dict[str, list[str]] = {"all": [], **{group: [] for group in sorted(scalars.ALWAYS_GROUPS)}}
    found.update({network.name: [] for network in networks(blueprint)})
    for machine in members:
        family = (families or {}).get(machine.get("image") or "", "linux")
        own = ["all", family, machine.get("kind"), *machine.nics, *machine.block.groups]
        if machine.number:
            own.append(machine.base)
        for group in dict.fromkeys(own):
            found.setdefault(group, []).append(machine.name)
    return {group: tuple(names) for group, names in found.items()}


def chosen(blueprint: language.Blueprint, hosts: tuple[str, ...] | None) -> tuple[str, ...]:
    """The machines that `hosts` of a step means, in file order; without hosts, all (the cross-checks saw to it that it is one)."""
    members = machines(blueprint)
    if hosts is None:
        return tuple(machine.name for machine in members)
    known = groups(blueprint, members)
    wanted = {name for host in hosts for name in known.get(host, (host,))}
    return tuple(machine.name for machine in members if machine.name in wanted)
