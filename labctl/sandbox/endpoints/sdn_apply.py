"""`/cluster/sdn` itself: apply, lock, rollback, and what the node says of its zones."""

from __future__ import annotations

from typing import Any

from labctl.sandbox import answers, calls, sdn, tasks
from labctl.sandbox.guests import runtime


@calls.on("GET", "/cluster/sdn")
def index(call: calls.Call) -> list[dict[str, str]]:
    """What there is below."""
    _ = call
    return [{"id": name} for name in ("vnets", "zones", "controllers", "ipams", "dns", "fabrics")]


@calls.on("PUT", "/cluster/sdn")
def apply(call: calls.Call) -> str:
    """Written becomes running, then the node makes its bridges. The task ends OK even when the bridges failed (section 0)."""
    node, prefix = call.node, "could not commit SDN config: "
    with node.locks.cluster("domain-sdn", prefix), node.state.change() as content:
        sdn.check_token(node, call.params.get("lock-token"), prefix)
        sdn.commit(node)
        if call.flag("release-lock", default=True):
            content["sdn"].pop("lock", None)

    def reload(job: tasks.Job) -> None:
        for name in node.peers:
            job.say(f"{name}: reloading network config")
        node.acts.spend("sdn")
        node.acts.spend("sdn_node", len(node.peers))
        try:
            made, gone = sdn.reload_bridges(node)
        except runtime.RuntimeFailure as failure:
            job.say(f"{node.name}: error reloading network config: {failure}")
            return
        for name in made:
            job.say(f"bridge '{name}' made")
        for name in gone:
            job.say(f"bridge '{name}' removed")

    return node.tasks.start("reloadnetworkall", "", call.who, reload)


@calls.on("POST", "/cluster/sdn/lock")
def lock(call: calls.Call) -> str:
    """Only on a clean configuration, unless `allow-pending`."""
    return sdn.lock(call.node, allow_pending=call.flag("allow-pending"))


@calls.on("DELETE", "/cluster/sdn/lock")
def unlock(call: calls.Call) -> None:
    """With the token, or by force."""
    sdn.unlock(call.node, call.params.get("lock-token"), force=call.flag("force"))


@calls.on("POST", "/cluster/sdn/rollback")
def rollback(call: calls.Call) -> None:
    """Everybody's pending changes are thrown away."""
    node, prefix = call.node, "could not rollback SDN configuration: "
    with node.locks.cluster("domain-sdn", prefix), node.state.change() as content:
        sdn.check_token(node, call.params.get("lock-token"), prefix)
        sdn.roll_back(node)
        if call.flag("release-lock", default=True):
            content["sdn"].pop("lock", None)


@calls.on("GET", "/nodes/{node}/sdn/zones")
def node_zones(call: calls.Call) -> list[dict[str, Any]]:
    """Zones that run here, and whether their bridges are there."""
    running = sdn.running(call.node, "zones")
    return [
        {"zone": name, "status": "available" if _complete(call, name) else "pending"}
        for name in sorted(running)
        if call.may(f"/sdn/zones/{name}", "SDN.Audit", "SDN.Allocate", any_of=True)
    ]


def _complete(call: calls.Call, zone: str) -> bool:
    there = call.node.runtime.bridges()
    return all(name in there for name, thing in sdn.running(call.node, "vnets").items() if thing["zone"] == zone)


@calls.on("GET", "/nodes/{node}/sdn/zones/{zone}/content")
def zone_content(call: calls.Call) -> list[dict[str, Any]]:
    """The VNets of a zone that run here; `status` says whether the bridge is there."""
    zone = call.text("zone")
    if zone not in sdn.running(call.node, "zones"):
        answers.die_at("can't find this zone")
    there, found = call.node.runtime.bridges(), []
    for name, thing in sorted(sdn.running(call.node, "vnets").items()):
        if thing["zone"] == zone and call.may(f"/sdn/zones/{zone}/{name}", "SDN.Audit", "SDN.Use", any_of=True):
            found.append(
                {"vnet": name, "status": "available" if name in there else "error", "statusmsg": "" if name in there else "missing bridge"}
            )
    return found
