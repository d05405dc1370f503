"""A plan for people: what `labctl blueprint plan` prints. Values of variables are masked; nothing here decides anything.

The plan is the real one of one seat; a class is that many times as much (`blueprint.md` 15). Drawing tables is the CLI's matter.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from labctl.model import blueprint as language
from labctl.model import inventory
from labctl.model.plan import Plan, PlannedMachine, PlannedStep

EXPECTED_LOAD = {"low": 0.1, "medium": 0.3, "high": 1.0}
"""Share of its cores that a machine is expected to keep busy (`blueprint.md` 6, `load`)."""

MASK = "••••••"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class MachineLine(_Frozen):
    """A machine in one line; `addresses` as "lan 10.10.10.20/24"."""

    name: str
    kind: str
    image: str
    cpus: int
    memory_mib: int
    disk_gib: int | None
    addresses: tuple[str, ...]
    access: tuple[str, ...]
    login: str


class NetworkLine(_Frozen):
    """A network in one line."""

    name: str
    cidr: str
    gateway: str | None
    machines: tuple[str, ...]


class StepLine(_Frozen):
    """A configure step in one line."""

    title: str
    kind: str
    hosts: tuple[str, ...]
    bake: bool
    timeout_seconds: int


class AppLine(_Frozen):
    """A web app in one line."""

    name: str
    title: str
    machine: str
    port: int
    url: str


class VariableLine(_Frozen):
    """A variable by name; the value never."""

    name: str
    made: str
    shown: bool
    value: str = MASK


class Totals(_Frozen):
    """What something needs: memory in MiB (the least a balloon may leave), disk growth in GiB, expected busy cores."""

    machines: int
    networks: int
    cpus: int
    busy_cpus: float
    memory_mib: int
    disk_gib: int


class Summary(_Frozen):
    """A plan for people."""

    blueprint: str
    title: str
    digest: str
    seats: int
    machines: tuple[MachineLine, ...]
    networks: tuple[NetworkLine, ...]
    steps: tuple[StepLine, ...]
    checks: tuple[str, ...]
    variables: tuple[VariableLine, ...]
    apps: tuple[AppLine, ...]
    seat: Totals
    classroom: Totals


def of(blueprint: language.Blueprint, plan: Plan, seats: int = 1) -> Summary:
    """The summary of one seat's plan and of a class of `seats`."""
    seat = _totals(blueprint, plan)
    return Summary(
        blueprint=plan.blueprint,
        title=blueprint.about.title,
        digest=plan.source.partition("@")[2],
        seats=seats,
        machines=tuple(_machine(machine) for machine in plan.machines),
        networks=tuple(
            NetworkLine(
                name=network.name,
                cidr=network.cidr,
                gateway=network.gateway,
                machines=tuple(machine.name for machine in plan.machines for nic in machine.nics if nic.network == network.name),
            )
            for network in plan.networks
        ),
        steps=tuple(_step(step) for step in plan.steps),
        checks=tuple(f"{check.kind} {_masked(check.what, plan)} on {check.machine}" for check in plan.checks),
        variables=tuple(
            VariableLine(name=name, made=_made(variable), shown=variable.shown) for name, variable in blueprint.variables.items()
        ),
        apps=tuple(AppLine(name=one.name, title=one.title, machine=one.machine, port=one.port, url=one.url) for one in plan.apps),
        seat=seat,
        classroom=Totals(**{key: round(value * seats, 1) for key, value in seat.model_dump().items()}),
    )


def _machine(machine: PlannedMachine) -> MachineLine:
    return MachineLine(
        name=machine.name,
        kind=machine.kind,
        image=machine.image,
        cpus=machine.cpus,
        memory_mib=machine.memory,
        disk_gib=machine.disk,
        addresses=tuple(f"{nic.network} {nic.address or 'none'}" for nic in machine.nics if nic.network),
        access=machine.access,
        login=machine.login,
    )


def _step(step: PlannedStep) -> StepLine:
    return StepLine(title=step.title, kind=step.kind, hosts=step.hosts, bake=step.bake, timeout_seconds=step.timeout)


def _masked(text: str, plan: Plan) -> str:
    """A check's command may hold a drawn value. Very short ones are not worth hiding and would tear words apart."""
    for value in sorted((str(variable.value) for variable in plan.variables if not variable.shown), key=len, reverse=True):
        if len(value) > 3:
            text = text.replace(value, MASK)
    return text


def _made(variable: object) -> str:
    for kind in ("random", "ask"):
        if word := getattr(variable, kind):
            return f"{kind}: {word}"
    return "value"


def _totals(blueprint: language.Blueprint, plan: Plan) -> Totals:
    loads = {machine.name: EXPECTED_LOAD[machine.get("load")] for machine in inventory.machines(blueprint)}
    return Totals(
        machines=len(plan.machines),
        networks=len(plan.networks),
        cpus=sum(machine.cpus for machine in plan.machines),
        busy_cpus=round(sum(machine.cpus * loads[machine.name] for machine in plan.machines), 1),
        memory_mib=sum(machine.memory_min or machine.memory for machine in plan.machines),
        disk_gib=sum(machine.disk or 0 for machine in plan.machines),
    )
