"""SDN configuration: what is written, what runs, who holds the lock (`proxmox-truth.md` 2.1, 3.11 and section 0).

Everything written is pending until applied; applying copies it to `running` and makes or removes the bridges. In
`content["sdn"]`: `zones/Z`, `vnets/V`, `subnets/S` (written), `running` (applied, None before the first time), `lock` (token).
Not done: controllers, DNS, IPAM plugins other than `pve` (which keeps gateways and addresses given by hand), fabrics.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from labctl.sandbox import answers, state

if TYPE_CHECKING:
    from labctl.sandbox import node as node_

Thing = dict[str, Any]
NAME = {"zones": "zone", "vnets": "vnet", "subnets": "subnet"}


def written(node: node_.Node, kind: str) -> dict[str, Thing]:
    """The objects of a kind as configured; not to be changed by who asks."""
    found: dict[str, Thing] = node.worked_out(f"sdn {kind}", "sdn", lambda: _written(node, kind))
    return found


def _written(node: node_.Node, kind: str) -> dict[str, Thing]:
    prefix = f"{kind}/"
    return {key.removeprefix(prefix): thing for key, thing in node.content["sdn"].items() if key.startswith(prefix)}


def one(node: node_.Node, kind: str, name: str) -> Thing | None:
    """An object as configured."""
    found: Thing | None = node.content["sdn"].get(f"{kind}/{name}")
    return found


class VnetTags:
    """Which written VNets have a tag in a zone; kept up as they change, for with thousands of them each new one asks."""

    def __init__(self, state_: state.State) -> None:
        self._things = state_.content["sdn"]
        self._state = state_
        self._known: dict[str, tuple[Any, Any]] = {}
        self._vnets: dict[tuple[Any, Any], set[str]] = {}
        self._catch_up = state_.follow("sdn", self._read)

    def others(self, zone: str, tag: Any, name: str) -> list[str]:
        """VNets of that zone and tag but this one, sorted."""
        self._catch_up()
        with self._state.reading():
            return sorted(self._vnets.get((zone, tag), set()) - {name})

    def _read(self, key: str) -> None:
        kind, _, name = key.partition("/")
        if kind != "vnets":
            return
        before = self._known.pop(name, None)
        if before in self._vnets:
            self._vnets[before].discard(name)
            if not self._vnets[before]:
                del self._vnets[before]
        thing = self._things.get(key)
        if thing is not None:
            self._known[name] = (thing.get("zone"), thing.get("tag"))
            self._vnets.setdefault(self._known[name], set()).add(name)


def running(node: node_.Node, kind: str) -> dict[str, Thing]:
    """The objects of a kind as last applied."""
    known = node.content["sdn"].get("running") or {}
    found: dict[str, Thing] = known.get(kind, {})
    return found


def find(node: node_.Node, kind: str, name: str, prefix: str = "") -> Thing:
    """The object; 500 in the words of its kind."""
    known = one(node, kind, name)
    if known is None:
        word = {"zones": "sdn", "vnets": "sdn vnet", "subnets": "sdn subnet"}[kind]
        answers.die(f"{prefix}{word} '{name}' does not exist")
    return known


def digest(node: node_.Node, kind: str) -> str:
    """SHA-1 of all objects of a kind."""

    def work() -> str:
        return hashlib.sha1(json.dumps(written(node, kind), sort_keys=True).encode(), usedforsecurity=False).hexdigest()

    return str(node.worked_out(f"digest {kind}", "sdn", work))


def state_of(node: node_.Node, kind: str, name: str) -> tuple[Thing, Thing, str]:
    """(as it runs or {}, as written or {}, new|changed|deleted|"")."""
    live, wanted = running(node, kind).get(name, {}), one(node, kind, name) or {}
    if live and not wanted:
        return live, wanted, "deleted"
    if wanted and not live:
        return live, wanted, "new"
    return live, wanted, "" if live == wanted else "changed"


def has_pending(node: node_.Node) -> bool:
    """Whether something waits for an apply."""
    return any(running(node, kind) != written(node, kind) for kind in NAME)


@contextlib.contextmanager
def writing(node: node_.Node, token: str | None, prefix: str) -> Iterator[dict[str, Any]]:
    """The SDN part of the content under the cluster's lock; errors inside carry the prefix (section 0, 1)."""
    with node.locks.cluster("domain-sdn", prefix), node.state.change() as content:
        check_token(node, token, prefix)
        try:
            yield content["sdn"]
        except answers.Refused as refusal:
            if refusal.status == 403:
                raise
            raise answers.Refused(500, f"{prefix}{refusal.as_task_error()}\n") from None


def check_token(node: node_.Node, token: str | None, prefix: str) -> None:
    """While a lock is held every write needs its token; with none held a wrong token is accepted (section 0)."""
    held = node.content["sdn"].get("lock")
    if held and held["token"] != token:
        answers.die_at(f"{prefix}invalid lock token provided!")


def lock(node: node_.Node, *, allow_pending: bool) -> str:
    """A new lock's token."""
    prefix = "could not acquire lock for SDN config: "
    with node.locks.cluster("domain-sdn", prefix), node.state.change() as content:
        check_token(node, None, prefix)
        if not allow_pending and has_pending(node):
            answers.die_at(f"{prefix}configuration has pending changes")
        token = str(uuid.uuid4())
        content["sdn"]["lock"] = {"token": token}
    return token


def unlock(node: node_.Node, token: str | None, *, force: bool) -> None:
    """Nothing happens when none is held."""
    prefix = "could not release lock: "
    with node.locks.cluster("domain-sdn", prefix), node.state.change() as content:
        if not force:
            check_token(node, token, prefix)
        content["sdn"].pop("lock", None)


def commit(node: node_.Node) -> None:
    """What is written is what runs."""
    with node.state.change() as content:
        content["sdn"]["running"] = {kind: {name: dict(thing) for name, thing in written(node, kind).items()} for kind in NAME}


def roll_back(node: node_.Node) -> None:
    """What runs is what is written: everybody's pending changes are gone."""
    with node.state.change() as content:
        for key in [key for key in content["sdn"] if "/" in key]:
            del content["sdn"][key]
        for kind in NAME:
            content["sdn"] |= {f"{kind}/{name}": dict(thing) for name, thing in running(node, kind).items()}


def reload_bridges(node: node_.Node) -> tuple[list[str], list[str]]:
    """Make the bridges of applied VNets on every node, remove those of vanished ones; (made, removed)."""
    known, wanted = set(node.content["meta"].get("vnet-bridges", [])), set(running(node, "vnets"))
    with node.state.change() as content:
        content["meta"]["vnet-bridges"] = sorted(known | wanted)  # before they are made: a kill in between forgets none
    made: set[str] = set()
    gone: set[str] = set()
    for peer in node.peers.values():
        there = peer.runtime.bridges()
        made, gone = made | (wanted - there), gone | ((known - wanted) & there)
        for name in sorted(wanted):
            peer.runtime.add_bridge(name)
        for name in sorted((known - wanted) & there):
            peer.runtime.remove_bridge(name)
    with node.state.change() as content:
        content["meta"]["vnet-bridges"] = sorted(wanted)
    return sorted(made), sorted(gone)
