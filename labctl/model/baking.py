"""Golden machines: what is baked once for everybody, its digest, and how a seat's plan comes to stand on it. Pure.

The plan of golden machines is made by the same planner from the same blueprint, cut down to what is the same for everyone: baked
steps and constants; no checks, tasks, passwords, drawn values or learner. All machines of a blueprint are baked as one set, at the
lab's own addresses (`blueprint.md` 9), also those without a baked step of their own: they are cheap, and a set is whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from labctl.model import blueprint as language
from labctl.model import digest, marks, planning
from labctl.model import plan as plan_
from labctl.model import site as site_
from labctl.model.environment import Machine

FRESH = timedelta(days=30)
"""How long a set counts as fresh: packages age, and so do the passwords of machine accounts (`blueprint.md` 9)."""

PREFIX = "golden."
"""The slug of a set is this and twelve digits of its digest; a class's name cannot hold a dot."""


def needed(blueprint: language.Blueprint) -> bool:
    """Whether anything of it is the same for everybody, so that baking saves work."""
    return any(step.bake for step in blueprint.configure)


def slug(golden: str) -> str:
    """The name of the set with this golden digest."""
    return f"{PREFIX}{digest.short(golden)}"


def plan(blueprint: language.Blueprint, site: site_.Site, *, environment: str, plot: int, classroom: str, source: str) -> plan_.Plan:
    """The plan of one set of golden machines. Raises BadInput as `planning.plan` does."""
    constants = {name: variable for name, variable in blueprint.variables.items() if not variable.personal}
    common = blueprint.model_copy(
        update={
            "configure": tuple(step for step in blueprint.configure if step.bake),
            "ready": (),
            "tasks": (),
            "apps": {},
            "variables": constants,
            "defaults": blueprint.defaults.model_copy(update={"password": None}),
            "machines": {name: block.model_copy(update={"password": None}) for name, block in blueprint.machines.items()},
        }
    )
    made = planning.plan(
        common,
        site,
        environment=environment,
        plot=plot,
        classroom=classroom,
        seat=plan_.SeatRef(number=1, name="golden machines", login="golden"),
        source=source,
        values={name: variable.value for name, variable in constants.items()},
    )
    # A principal that no certificate ever names: nobody but labctl logs in to golden machines.
    return made.model_copy(update={"principal": f"nobody-{environment}"})


def golden_digest(plan: plan_.Plan, files: str) -> str:
    """What decides whether two sets are the same (`blueprint.md` 18), whatever plot the plan is for: templates, kind, disk, lab
    networks, routes, hostname, login, sudo, groups, the baked steps as resolved, and `files`, the digest of the blueprint's files
    (all that may decide what is built, for nobody can tell which of them a play reads). cpus, memory and access are not in it.
    """
    return digest.sealed(
        {
            "machines": [_machine(machine) for machine in plan.machines],
            "networks": [[one.name, one.cidr, one.gateway or "", one.domain or ""] for one in plan.networks],
            "steps": [step.model_dump(mode="json", exclude={"title", "timeout"}) for step in plan.steps],
            "files": files,
        }
    )


def _machine(machine: plan_.PlannedMachine) -> dict[str, Any]:
    return {
        "name": machine.name,
        "template": [machine.template_node or machine.node, machine.template],
        "kind": machine.kind,
        "disk": machine.disk,
        "nics": [[nic.network, nic.address, nic.gateway] for nic in machine.nics if nic.network is not None],
        "routes": [list(route) for route in machine.routes],
        "hostname": machine.hostname,
        "names": list(machine.names),
        "login": machine.login,
        "sudo": machine.sudo,
        "groups": sorted(machine.groups),
        "nesting": machine.nesting,
    }


def stand(plan: plan_.Plan, site: site_.Site, environment: str, plot: int) -> plan_.Plan:
    """A seat's plan whose machines are clones of the golden ones on `plot`; only the personal steps are left. May be repeated with
    other golden machines. On which node these are is looked up when clones are made (`rooted`), for they may be built elsewhere.
    """
    machines = tuple(
        machine.model_copy(update={"template": marks.vmid(site, plot, index), "template_node": ""})
        for index, machine in enumerate(plan.machines, start=1)
    )
    personal = tuple(step for step in plan.steps if not step.bake)
    return plan.model_copy(update={"machines": machines, "steps": personal, "stands_on": environment})


def rooted(plan: plan_.Plan, golden: Iterable[Machine]) -> plan_.Plan:
    """The plan with the nodes on which its golden machines really are."""
    nodes = {machine.vmid: machine.node for machine in golden}
    machines = tuple(
        machine.model_copy(update={"template_node": nodes.get(machine.template, machine.template_node)}) for machine in plan.machines
    )
    return plan.model_copy(update={"machines": machines})
