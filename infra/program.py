"""The program: a plan becomes resources with their dependencies, and a list of resources becomes a Pulumi program.

`draw` is pure. What it returns holds no secret, so it may lie beside the state as `program.json`, where `pulumi up` by
hand finds it (`infra.by_hand`). Removal follows the same arrows backwards: guests, VNets, pool.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from infra.resources import guest, network, pool
from labctl.model import marks
from labctl.model import plan as plan_
from labctl.model import site as site_

PROJECT = "labctl"
USER = "labctl"
"""The account in a guest that labctl's deploy key opens (IT's container template has it; cloud-init makes it in VMs)."""


@dataclass(frozen=True)
class Resource:
    """`inputs` may hold `{"$id": NAME}` as a value: the id of another resource, which makes it a property dependency."""

    type: str
    name: str
    inputs: dict[str, Any]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Program:
    """All resources of one stack, each after those it needs."""

    stack: str
    resources: tuple[Resource, ...] = field(default=())

    def dump(self) -> str:
        """As JSON, for people who run `pulumi` by hand."""
        rows = [{"type": one.type, "name": one.name, "inputs": one.inputs, "needs": list(one.needs)} for one in self.resources]
        return json.dumps({"stack": self.stack, "resources": rows}, indent=1) + "\n"

    @classmethod
    def load(cls, text: str) -> Program:
        """The reverse of `dump`."""
        data = json.loads(text)
        rows = (Resource(row["type"], row["name"], row["inputs"], tuple(row["needs"])) for row in data["resources"])
        return cls(data["stack"], tuple(rows))


def draw(plan: plan_.Plan, site: site_.Site, deploy_key: str) -> Program:
    """What must exist for `plan`. `deploy_key` is the public half of labctl's own key."""
    alias = marks.network_alias(plan.installation, plan.environment)
    nodes = sorted({machine.node for machine in plan.machines})
    own_pool = Resource(pool.POOL.name, "pool", {"poolid": plan.pool, "comment": alias})
    networks = [
        Resource(
            network.NETWORK.name,
            f"net-{one.name}",
            {"vnet": one.vnet, "zone": plan.zone, "alias": alias, "label": one.name, "nodes": nodes}
            | ({"tag": one.tag} if one.tag is not None else {}),
            needs=("pool",),
        )
        for one in plan.networks
    ]
    names = {one.vnet: f"net-{one.name}" for one in plan.networks}
    guests = [_guest(machine, plan, site, deploy_key, names) for machine in plan.machines]
    return Program(plan.environment, (own_pool, *networks, *_sorted(guests)))


def _guest(machine: plan_.PlannedMachine, plan: plan_.Plan, site: site_.Site, deploy_key: str, vnets: dict[str, str]) -> Resource:
    elsewhere = machine.template_node if machine.template_node != machine.node else ""
    inputs: dict[str, Any] = {
        "node": machine.node,
        "kind": machine.kind,
        "vmid": machine.vmid,
        "template": machine.template,
        "pool": {"$id": "pool"},
        "storage": site.storage,
        "name": f"{plan.environment}-{machine.name}",
        "cores": machine.cpus,
        "memory": machine.memory,
        "nics": [_nic(nic, managed=nic.vnet == site.management_vnet) for nic in machine.nics],
        "admits": str(site.own_address),
        "installation": plan.installation,
        "environment": plan.environment,
        "machine": machine.name,
        "note": f"{plan.blueprint}, seat {plan.seat.number} of {plan.classroom}. Made by labctl; removed when the class ends.",
        "tags": sorted({"labctl", plan.installation, plan.environment}),
        "user": USER,
        "sshKeys": [deploy_key.strip()] if deploy_key.strip() else None,
        "disk": machine.disk,
        "balloon": machine.memory_min,
        "nesting": machine.nesting or None,
        "source": elsewhere or None,
    }
    needs = ["pool", *sorted({vnets[nic.vnet] for nic in machine.nics if nic.vnet in vnets}), *(f"guest-{name}" for name in machine.after)]
    return Resource(guest.GUEST.name, f"guest-{machine.name}", {k: v for k, v in inputs.items() if v is not None}, tuple(needs))


def _nic(nic: plan_.Nic, *, managed: bool) -> dict[str, Any]:
    row = {"index": nic.index, "mac": nic.mac, "bridge": nic.vnet, "address": nic.address, "gateway": nic.gateway}
    row["firewall"] = True if managed else None
    return {name: value for name, value in row.items() if value is not None}


def _sorted(guests: Sequence[Resource]) -> list[Resource]:
    """Each guest after those it comes after (the planner has refused circles)."""
    done: list[Resource] = []
    left = list(guests)
    while left:
        names = {one.name for one in left}
        ready = [one for one in left if not names & set(one.needs)]
        if not ready:
            raise ValueError(f"machines wait for each other: {sorted(names)}")
        done += ready
        left = [one for one in left if one not in ready]
    return done


class _Made(pulumi.CustomResource):
    """A resource of our provider as the SDK wants it: no schema, no generated code."""


def register(program: Program) -> None:
    """Run inside an engine: name every resource to it."""
    made: dict[str, pulumi.CustomResource] = {}
    for one in program.resources:
        inputs = {
            name: made[value["$id"]].id if isinstance(value, dict) and "$id" in value else value for name, value in one.inputs.items()
        }
        made[one.name] = _Made(one.type, one.name, inputs, pulumi.ResourceOptions(depends_on=[made[name] for name in one.needs]))


def _value(value: Any, made: dict[str, pulumi.CustomResource]) -> Any:
    return made[value["$id"]].id if isinstance(value, dict) and "$id" in value else value
