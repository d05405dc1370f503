"""After the node's process has died: what its workers left is put right, as far as Proxmox itself would, and said honestly.

Proxmox's workers are processes of their own and outlive the daemon; ours are threads and die with it. So a cut-off task ends as
"unexpected status" (a log without its last line), and what it left is settled thus:
* create, clone: the half-made guest goes, with its volumes, as the failing worker would have removed it;
* a container clone's source loses its lock `disk`;
* snapshot, delete of a snapshot, rollback, template: the lock is cleared; a snapshot that was never finished is not there;
* delete: the guest keeps its lock `destroyed` in Proxmox; here the delete is finished, because half a guest helps nobody;
* start, stop, shutdown: what runs is asked of the runtime.
Guests run on while the node is away (their monitors are other processes); what is found not running is reported stopped.
"""

from __future__ import annotations

import logging

from labctl.sandbox import node as node_
from labctl.sandbox import register, removal, sdn, setup, volumes
from labctl.sandbox.guests import runtime

_log = logging.getLogger(__name__)
_CLEARED = {"snapshot", "snapshot-delete", "rollback", "disk"}


def settle(node: node_.Node) -> list[str]:
    """Put everything right; one line per thing that was done."""
    cut = [task for peer in node.peers.values() for task in peer.tasks.settle()]
    done = [f"task {task.type} of {task.id or 'the node'} was cut off" for task in cut]
    for text, guest in list(node.content["guests"].items()):
        lock, vmid, on = guest["config"].get("lock"), int(text), node.peers.get(guest.get("node", ""), node)
        if "clone-of" in guest or lock == "create":
            removal.discard(on, vmid, volumes.of_guest(node, vmid))
            done.append(f"half-made guest {vmid} removed")
        elif lock == "destroyed":
            _finish_delete(on, vmid, guest)
            done.append(f"half-removed guest {vmid} removed")
        elif lock in _CLEARED:
            with node.state.change():
                del node.content["guests"][text]["config"]["lock"]
            done.append(f"guest {vmid}: lock '{lock}' of a worker that is gone cleared")
    done += _strays(node)
    done += _networks(node)
    for line in done:
        _log.warning("settled: %s", line)
    return done


def _finish_delete(node: node_.Node, vmid: int, guest: register.Guest) -> None:
    with node.state.change() as content:
        for volume in removal.referenced(guest):
            if volumes.owner(volume) == vmid:
                content["volumes"].pop(volume, None)
    node.runtime.stop(vmid)
    node.runtime.destroy(vmid)
    register.forget(node, vmid)


def _strays(node: node_.Node) -> list[str]:
    """Guests that run but are not in the configuration: a kill between making and writing."""
    found = []
    for vmid in sorted(node.runtime.running() - {int(text) for text in node.content["guests"]}):
        node.runtime.stop(vmid)
        node.runtime.destroy(vmid)
        found.append(f"guest {vmid} ran without a configuration: removed")
    return found


def _networks(node: node_.Node) -> list[str]:
    """Bridges of applied VNets are there again after a restart of the machine, and those of removed ones go."""
    try:
        for peer in node.peers.values():
            peer.runtime.add_bridge(setup.PLAIN_BRIDGE)
        made, gone = sdn.reload_bridges(node)
    except runtime.RuntimeFailure as failure:
        return [f"bridges could not be made: {failure}"]
    return [f"bridge {name} made again" for name in made] + [f"bridge {name} removed" for name in gone]
