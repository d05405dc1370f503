"""Taking guests away: their volumes, their config, their places in pools, ACLs and firewall; and what a failed create or clone
leaves (`proxmox-truth.md` 2.1 delete, 3.5 step 3).
"""

from __future__ import annotations

import contextlib
import re

from labctl.sandbox import answers, guest_formats, register, tasks, volumes
from labctl.sandbox import node as node_
from labctl.sandbox.guests import runtime


def referenced(guest: register.Guest) -> list[str]:
    """Volumes its config and its snapshots name."""
    found: list[str] = []
    for values in (guest["config"], guest.get("pending", {}), *guest.get("snapshots", {}).values()):
        for key, value in values.items():
            if key in guest_formats.DRIVES or re.fullmatch(r"rootfs|mp\d+|unused\d+|vmstate", key):
                volume = str(value).partition(",")[0].removeprefix("file=").removeprefix("volume=")
                if ":" in volume and volume not in found:
                    found.append(volume)
    return found


def destroy(node: node_.Node, vmid: int, guest: register.Guest, job: tasks.Job, *, unreferenced: bool = False) -> None:
    """The work of a delete; a template with linked clones is refused before anything is touched. Where a volume cannot be freed for want
    of its storage's lock, a container stays as it was, to be deleted again (pve-container `LXC.pm`, destroy_lxc_container), and a VM goes
    with a warning while the volume stays (qemu-server `QemuServer.pm`, destroy_vm).
    """
    own = [volume for volume in referenced(guest) if volume in node.content["volumes"] and volumes.owner(volume) == vmid]
    if register.is_template(guest):
        for volume in own:
            if volumes.clone_of(node, volume):
                answers.die(f"base volume '{volume}' is still in use by linked cloned")
    for volume in own:
        try:
            with node.locks.storage(volumes.split(volume)[0]):
                node.acts.spend("free")
                volumes.free(node, volume)
        except answers.Refused as refusal:
            if guest["type"] == "qemu":
                job.warn(f"Could not remove disk '{volume}', check manually: {refusal.as_task_error()}")
                continue
            raise
    if unreferenced:
        for volume in volumes.of_guest(node, vmid):
            job.say(f"removing unreferenced volume '{volume}'")
            volumes.free(node, volume)
    node.runtime.destroy(vmid)
    # Once nothing of it is left its config says `destroyed`, which needs quorum; whatever fails from here on leaves that shell.
    node.check_writable(guest["type"], vmid)
    with node.state.change() as content:
        content["guests"][str(vmid)]["config"]["lock"] = "destroyed"
    with node.locks.cluster("file-user_cfg", f"access permissions cleanup for {register.WORD[guest['type']]} {vmid} failed: "):
        register.forget(node, vmid)


def discard(node: node_.Node, vmid: int, made: list[str]) -> None:
    """After a failed create or clone: nothing of the new guest stays."""
    with node.state.change() as content:
        for volume in made:
            content["volumes"].pop(volume, None)
    with contextlib.suppress(runtime.RuntimeFailure):
        node.runtime.stop(vmid)
        node.runtime.destroy(vmid)
    register.forget(node, vmid)
