"""A plan: blueprint x seat x plot, nothing left open. Frozen values only; `labctl.model.planning` makes them.

The plan is saved (encrypted, for it holds the drawn values of variables) with the environment; after that nobody looks
at YAML again. Sizes are MiB for memory and GiB for disks. Addresses are text: "10.10.10.20/24" where a prefix belongs
to them, "10.10.10.20" where not.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SeatRef(_Frozen):
    """Whose seat this plan is for."""

    number: int
    name: str
    login: str
    email: str = ""


class Nic(_Frozen):
    """One network card. Index 0 is always management (`network` is None there). `gateway` is the default route that this
    card carries, if it carries it. `address` is None for a link without address.
    """

    index: int
    network: str | None
    vnet: str
    mac: str
    address: str | None
    gateway: str | None = None


class PlannedNetwork(_Frozen):
    """One of the lab's own networks, as one VNet of this environment."""

    name: str
    vnet: str
    tag: int | None
    cidr: str
    gateway: str | None = None
    domain: str | None = None


class PlannedMachine(_Frozen):
    """One guest on `node`. `template` is the VMID to clone, on `template_node` (empty: on `node` too). `names` are all names its
    neighbours know it by.
    """

    name: str
    vmid: int
    node: str
    template: int
    template_node: str = ""
    kind: Literal["vm", "container"]
    image: str
    family: Literal["linux", "windows", "other"] = "linux"
    hostname: str
    cpus: int
    memory: int
    memory_min: int | None = None
    disk: int | None = None
    nics: tuple[Nic, ...]
    routes: tuple[tuple[str, str], ...] = ()
    forwards: bool = False
    names: tuple[str, ...] = ()
    hidden: bool = False
    login: str = "learner"
    sudo: bool = True
    password: str | None = None
    access: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    nesting: bool = False

    @property
    def address(self) -> str:
        """The management address, without prefix."""
        return (self.nics[0].address or "").partition("/")[0]


class PlannedStep(_Frozen):
    """One configure step with every reference resolved. `what` is a path in the frozen blueprint folder (playbook, script),
    a role name, or the path of a file to write; `hosts` are machine names.
    """

    kind: Literal["playbook", "role", "script", "packages", "write"]
    what: str
    hosts: tuple[str, ...]
    title: str
    vars: dict[str, Any] = {}
    packages: tuple[str, ...] = ()
    content: str | None = None
    owner: str = "root"
    mode: str = "0600"
    tags: tuple[str, ...] = ()
    skip_tags: tuple[str, ...] = ()
    timeout: int = 1800
    bake: bool = True


class PlannedCheck(_Frozen):
    """One readiness check (`blueprint.md` 11) with every reference resolved; `timeout` in seconds."""

    kind: Literal["run", "script", "http", "tcp", "file"]
    what: str
    machine: str
    as_user: Literal["root", "learner"] = "root"
    exit: int = 0
    output: str | None = None
    status: int | None = None
    body: str | None = None
    contains: str | None = None
    absent: bool = False
    mode: str | None = None
    owner: str | None = None
    message: str | None = None
    timeout: int = 10


class PlannedAction(_Frozen):
    """One thing to do on a machine (`setup`, `solve`), with every reference resolved; `timeout` in seconds."""

    kind: Literal["run", "script"]
    what: str
    machine: str
    as_user: Literal["root", "learner"] = "root"
    timeout: int = 60


class PlannedAnswer(_Frozen):
    """What counts as right: any of these. Never shown to a learner."""

    texts: tuple[str, ...] = ()
    matches: str | None = None
    sha256: str | None = None
    case: bool = False


class PlannedChoice(_Frozen):
    """One thing to choose."""

    text: str
    right: bool = False


class PlannedHint(_Frozen):
    """Help that costs so many points."""

    text: str
    cost: int = 0


class PlannedTask(_Frozen):
    """One task with every reference resolved; which proof it has, says `proof`."""

    id: str
    title: str
    points: int = 1
    requires: tuple[str, ...] = ()
    proof: Literal["answer", "choices", "checks", "confirm"]
    answer: PlannedAnswer | None = None
    choices: tuple[PlannedChoice, ...] = ()
    checks: tuple[PlannedCheck, ...] = ()
    attempts: int | None = None
    hints: tuple[PlannedHint, ...] = ()
    explain: str = ""
    setup: tuple[PlannedAction, ...] = ()
    solve: tuple[PlannedAction, ...] = ()
    skills: tuple[str, ...] = ()
    minutes: int | None = None
    optional: bool = False


class PlannedApp(_Frozen):
    """A web page of a machine (`blueprint.md` 10), reached through its own 127.0.0.1. `url` is where the learner finds it: an address of
    its own or, where the site has none for apps, that of the learner's own end of `ssh -L`.
    """

    name: str
    machine: str
    port: int
    scheme: Literal["http", "https"] = "http"
    path: str = "/"
    title: str
    url: str


class Variable(_Frozen):
    """A variable with its drawn value. `shown` says whether the learner may see it; values never reach a log."""

    name: str
    value: Any
    shown: bool = False


class Plan(_Frozen):
    """Everything one environment needs. `pool` is the Proxmox pool of this environment; `source` names the frozen blueprint
    folder ("<name>@sha256:..."); `stands_on` the environment whose golden machines the templates are (None: images).
    """

    environment: str
    installation: str
    plot: int
    pool: str
    zone: str
    classroom: str
    blueprint: str
    source: str
    seat: SeatRef
    principal: str
    machines: tuple[PlannedMachine, ...]
    networks: tuple[PlannedNetwork, ...]
    steps: tuple[PlannedStep, ...]
    checks: tuple[PlannedCheck, ...]
    tasks: tuple[PlannedTask, ...] = ()
    variables: tuple[Variable, ...] = ()
    apps: tuple[PlannedApp, ...] = ()
    stands_on: str | None = None
    personal: tuple[PlannedStep, ...] = ()
    """After a handing over: the steps that are this learner's own. Empty before."""
    bound: str = ""
    """The node whose own storage its disks are on; empty where all nodes share the storage."""
    avoid: tuple[str, ...] = ()
    """Nodes that failed it: it is built elsewhere."""

    def machine(self, name: str) -> PlannedMachine:
        """The machine of that name; KeyError if there is none."""
        for machine in self.machines:
            if machine.name == name:
                return machine
        raise KeyError(name)
