"""From a config to what a runtime needs to start the guest: memory, cards, and the effects of cloud-init or of Proxmox's own
container setup.

A VM's cloud-init keys work only when it has a cloud-init drive (`ide2=lab:cloudinit`), as in Proxmox (`proxmox-truth.md` 3.8).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from labctl.sandbox import answers, figures, guest_formats, guest_secrets, property_strings, qemu_rights, register, sdn
from labctl.sandbox import node as node_
from labctl.sandbox.guests import runtime


def spec(node: node_.Node, vmid: int, guest: register.Guest) -> runtime.GuestSpec:
    """All that the runtime asks for."""
    config = guest["config"]
    cards = _lxc_nics(node, guest) if guest["type"] == "lxc" else _qemu_nics(node, guest)
    return runtime.GuestSpec(
        vmid=vmid,
        cores=figures.cores_of(guest),
        memory=figures.memory_of(guest) // 1024**2,
        nics=tuple(cards),
        identity=_lxc_identity(vmid, config) if guest["type"] == "lxc" else _qemu_identity(vmid, config),
        nesting=guest["type"] == "lxc" and register.fields("lxc", "features", str(config.get("features", ""))).get("nesting") == 1,
        container=guest["type"] == "lxc",
    )


def check_bridges(node: node_.Node, guest: register.Guest) -> None:
    """500 "bridge 'x' does not exist" (`proxmox-truth.md` 3.11)."""
    there = node.runtime.bridges()
    for nic in register.nics(guest).values():
        if nic.get("bridge") and nic["bridge"] not in there:
            answers.die(f"bridge '{nic['bridge']}' does not exist")


def _isolated(node: node_.Node, bridge: str | None) -> bool:
    return bool(bridge and sdn.running(node, "vnets").get(bridge, {}).get("isolate-ports"))


def _learns(node: node_.Node, bridge: str | None) -> bool:
    """Unless the VNet's zone says otherwise (pve-network `Zones/Plugin.pm`, tap_plug)."""
    vnet = sdn.running(node, "vnets").get(bridge, {}) if bridge else {}
    return not sdn.running(node, "zones").get(vnet.get("zone", ""), {}).get("bridge-disable-mac-learning")


def _bridge(nic: dict[str, Any]) -> str | None:
    return None if nic.get("link_down") == 1 else nic.get("bridge")


def _with_prefix(text: Any) -> str | None:
    return str(text) if text and "/" in str(text) else None


def _qemu_nics(node: node_.Node, guest: register.Guest) -> list[runtime.NicSpec]:
    found = []
    for index, nic in register.nics(guest).items():
        config: dict[str, Any] = {}
        if has_cloudinit(guest["config"]):
            config = property_strings.parse(
                guest_formats.IPCONFIG, str(guest["config"].get(f"ipconfig{index}", "")), "ipconfig", checked=False
            )
        found.append(_nic(node, index, str(nic["macaddr"]), nic, config))
    return found


def _lxc_nics(node: node_.Node, guest: register.Guest) -> list[runtime.NicSpec]:
    return [_nic(node, index, str(nic["hwaddr"]), nic, nic) for index, nic in register.nics(guest).items()]


def _nic(node: node_.Node, index: int, mac: str, nic: dict[str, Any], config: dict[str, Any]) -> runtime.NicSpec:
    bridge = _bridge(nic)
    return runtime.NicSpec(
        index=index,
        mac=mac.lower(),
        bridge=bridge,
        address=_with_prefix(config.get("ip")),
        gateway=config.get("gw"),
        isolated=_isolated(node, bridge),
        learning=_learns(node, bridge),
        firewall=nic.get("firewall") == 1,
    )


def has_cloudinit(config: dict[str, Any]) -> bool:
    """Whether one of its drives is a cloud-init drive."""
    return any(key in guest_formats.DRIVES and qemu_rights.is_cloudinit(str(value).partition(",")[0]) for key, value in config.items())


def _qemu_identity(vmid: int, config: dict[str, Any]) -> runtime.Identity | None:
    if not has_cloudinit(config):
        return None
    keys = ("name", "ciuser", "cipassword", "sshkeys", "nameserver", "searchdomain", "smbios1")
    seen = {key: value for key, value in config.items() if key in keys or key.startswith(("net", "ipconfig"))}
    return runtime.Identity(
        instance=_instance(vmid, seen),
        hostname=str(config.get("name", f"VM{vmid}")),
        user=config.get("ciuser"),
        password=config.get("cipassword"),
        ssh_keys=guest_secrets.ssh_keys(str(config.get("sshkeys", ""))),
        nameserver=config.get("nameserver"),
        searchdomain=config.get("searchdomain"),
    )


def _lxc_identity(vmid: int, config: dict[str, Any]) -> runtime.Identity:
    seen = {key: config.get(key) for key in ("hostname", "nameserver", "searchdomain")}
    return runtime.Identity(
        instance=_instance(vmid, seen),
        hostname=str(config.get("hostname", f"CT{vmid}")),
        nameserver=config.get("nameserver"),
        searchdomain=config.get("searchdomain"),
    )


def _instance(vmid: int, seen: dict[str, Any]) -> str:
    """Changes when what is written into the guest changes, as cloud-init's instance-id does."""
    return hashlib.sha1(json.dumps([vmid, seen], sort_keys=True).encode(), usedforsecurity=False).hexdigest()
