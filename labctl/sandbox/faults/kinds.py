"""Every kind of fault by name: what it is, which methods can have it, and what Proxmox says then.

Sections are those of `proxmox-truth.md`. Texts that a task shows and an answer does not (a lock that the worker waits for) strike
inside the task where the method starts one, unless the rule says `in: answer`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from labctl.sandbox import catalogue


class Family(enum.Enum):
    """Where a kind shows."""

    REFUSAL = "refusal"
    """An answer of 400 and more, in Proxmox's own words."""
    WIRE = "wire"
    """The connection, or the proxy in front of the node."""
    TASK = "task"
    """The end (or the length) of the task that the call starts."""
    LASTING = "lasting"
    """A condition that this call begins and that ends after `for`."""


Fits = Callable[[catalogue.Method], bool]


@dataclass(frozen=True)
class Kind:
    """One kind. `takes` are the keys a rule may give it; `follows` says that it may also strike when the work is done."""

    name: str
    family: Family
    about: str
    fits: Fits
    follows: bool = False
    in_task: bool = False
    takes: frozenset[str] = frozenset()
    lasts: float = 0.0
    """Seconds when the rule does not say `for`; 0: it may not say."""


def _any(_method: catalogue.Method) -> bool:
    return True


def _writes(method: catalogue.Method) -> bool:
    return method.verb != "GET"


def _tasks(method: catalogue.Method) -> bool:
    return method.upid or (method.template == "/nodes/{node}/lxc/{vmid}/template" and method.verb == "POST")


def _of_guest(method: catalogue.Method) -> bool:
    return "{vmid}" in method.template and method.template.startswith("/nodes/{node}/")


def _writes_guest(method: catalogue.Method) -> bool:
    return _of_guest(method) and _writes(method) and "/agent" not in method.template and "proxy" not in method.template


def _uses_storage(method: catalogue.Method) -> bool:
    """Volumes are made or freed under the storage's lock: clone, create, destroy, resize, snapshots, templates."""
    ends = ("/clone", "/resize", "/snapshot", "/snapshot/{snapname}", "/rollback", "/template", "/{vmid}", "/qemu", "/lxc")
    return _writes(method) and method.template.startswith(("/nodes/{node}/qemu", "/nodes/{node}/lxc")) and method.template.endswith(ends)


def _uses_cluster(method: catalogue.Method) -> bool:
    """Cluster files: pools and their members, users, SDN (3.4)."""
    if not _writes(method):
        return False
    if method.template.startswith(("/pools", "/cluster/sdn", "/access")):
        return True
    return method.template in {"/nodes/{node}/qemu/{vmid}/clone", "/nodes/{node}/lxc/{vmid}/clone"} or _destroys(method)


def _destroys(method: catalogue.Method) -> bool:
    return method.verb == "DELETE" and method.template in {"/nodes/{node}/qemu/{vmid}", "/nodes/{node}/lxc/{vmid}"}


def _sets_config(method: catalogue.Method) -> bool:
    return _writes(method) and method.template.endswith(("/config", "/firewall/options")) and "{vmid}" in method.template


def _needs_quorum(method: catalogue.Method) -> bool:
    """Stop, shutdown and reads work without (3.9)."""
    return _writes(method) and not method.template.endswith(("/status/stop", "/status/shutdown")) and "/agent" not in method.template


def _sdn(method: catalogue.Method) -> bool:
    return _writes(method) and method.template.startswith("/cluster/sdn")


def _applies(method: catalogue.Method) -> bool:
    return (method.verb, method.template) == ("PUT", "/cluster/sdn")


def _agent(method: catalogue.Method) -> bool:
    return "/agent" in method.template


def _on_node(method: catalogue.Method) -> bool:
    return method.proxyto == "node"


def _makes_volumes(method: catalogue.Method) -> bool:
    return _uses_storage(method) and not _destroys(method)


R, W, T, L = Family.REFUSAL, Family.WIRE, Family.TASK, Family.LASTING
_FOR, _MESSAGE = frozenset({"for"}), frozenset({"message"})

_ALL = (
    Kind("config-lock", R, "3.4: the guest's config flock was not got in time", _writes_guest, in_task=True),
    Kind("storage-lock", R, "3.4: the storage's lock was not got in time", _uses_storage, in_task=True, takes=frozenset({"storage"})),
    Kind("cluster-lock", R, "3.4: a cluster file's lock was not got in time", _uses_cluster, in_task=True),
    Kind("guest-locked", R, "3.4: the guest's `lock` property is set", _writes_guest, takes=frozenset({"lock"})),
    Kind("no-worker", R, "3.3: the worker process could not be started", _tasks),
    Kind("digest", R, "3.8: somebody changed the file in between", _sets_config),
    Kind("no-quorum", R, "3.9: the cluster has no quorum just now", _needs_quorum),
    Kind("forbidden", R, "3.1: 403, a privilege is missing", _any),
    Kind("unauthorised", R, "3.1: 401, late and empty", _any),
    Kind("sdn-lock", R, "3.11: somebody else holds the SDN lock", _sdn),
    Kind("vanished", R, "client-sequence 4: the guest's file is gone", _of_guest),
    Kind("agent-silent", R, "3.10: no guest agent answers", _agent),
    Kind("refuse", R, "any status and message", _any, follows=True, takes=frozenset({"status", "message"})),
    Kind("drop", W, "the connection is cut before the work", _any),
    Kind("lost-answer", W, "the work is done, then the connection is cut", _any),
    Kind("proxy-595", W, "3.1: the node behind was not reached", _any),
    Kind("proxy-596", W, "3.1: the node behind did not answer in time", _any, follows=True),
    Kind("proxy-599", W, "3.1: the connection to the node behind broke", _any, follows=True),
    Kind("slow", W, "the answer takes its time", _any, takes=_FOR, lasts=2.0),
    Kind("garbled", W, "the work is done, the answer is no JSON", _any),
    Kind("task-error", T, "3.3: TASK ERROR", _tasks, follows=True, takes=_MESSAGE),
    Kind("task-killed", T, "3.3: the worker is killed half-way: unexpected status", _tasks, follows=True, takes=frozenset({"locked"})),
    Kind("task-interrupted", T, "2.1 task DELETE: the worker is told to stop and tidies up", _tasks),
    Kind("task-warnings", T, "3.3: the work is done, the end is WARNINGS: 1", _tasks),
    Kind("task-slow", T, "the worker takes its time", _tasks, takes=_FOR, lasts=5.0),
    Kind("sdn-node-failed", T, "2.1 SDN, section 0: the apply ends OK, the node did not take it", _applies),
    Kind("quorum-lost", L, "3.9: nothing can be written", _any, takes=_FOR, lasts=10.0),
    Kind("node-offline", L, "3.9: 595 for everything on the node", _on_node, takes=_FOR, lasts=10.0),
    Kind(
        "node-frozen",
        L,
        "3.1: calls hang, 596 after 30 s; they are done when it thaws",
        _on_node,
        takes=_FOR,
        lasts=10.0,
    ),
    Kind("storage-full", L, "no volume can be made", _makes_volumes, takes=frozenset({"for", "storage"}), lasts=10.0),
    Kind("lock-held", L, "3.4: another process holds a lock", _any, takes=frozenset({"for", "lock"}), lasts=5.0),
)

KINDS = {kind.name: kind for kind in _ALL}
"""All kinds by name."""


def of(method: catalogue.Method) -> tuple[Kind, ...]:
    """Every kind that this method can have."""
    return tuple(kind for kind in _ALL if kind.fits(method))
