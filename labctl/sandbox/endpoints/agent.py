"""The guest agent's answers, honest ones: served from what the stand-in really has (`proxmox-truth.md` 2.1 and 3.10).

Built: ping, network-get-interfaces, get-host-name, get-osinfo. `exec` and the file methods are not offered: labctl does not use
them, and a stand-in's agent would be a back door that the VM would not have.
"""

from __future__ import annotations

import platform
from typing import Any

from labctl.sandbox import answers, calls, register

_OSINFO = {
    "id": "debian",
    "name": "Debian GNU/Linux",
    "pretty-name": "Debian GNU/Linux 12 (bookworm)",
    "version": "12 (bookworm)",
    "version-id": "12",
    "machine": "x86_64",
}


def _available(call: calls.Call) -> int:
    """The three complaints, in Proxmox's order."""
    vmid = call.number("vmid")
    guest = register.find(call.node, "qemu", vmid)
    agent = register.fields("qemu", "agent", str(guest["config"].get("agent", "0")))
    if agent.get("enabled") != 1:
        answers.die("No QEMU guest agent configured")
    if not register.runs(call.node, vmid):
        answers.die(f"VM {vmid} is not running")
    if not call.node.runtime.addresses(vmid):
        answers.die("QEMU guest agent is not running")
    return vmid


@calls.on("POST", "/nodes/{node}/qemu/{vmid}/agent/ping")
def ping(call: calls.Call) -> dict[str, Any]:
    """There is an init that has brought up its network."""
    _available(call)
    return {"result": {}}


@calls.on("GET", "/nodes/{node}/qemu/{vmid}/agent/network-get-interfaces")
def interfaces(call: calls.Call) -> dict[str, Any]:
    """The real interfaces and addresses of the guest."""
    rows = []
    for name, mac, addresses in call.node.runtime.addresses(_available(call)):
        known = [address.partition("/") for address in addresses]
        rows.append(
            {
                "name": name,
                "hardware-address": mac,
                "ip-addresses": [
                    {"ip-address": bare, "ip-address-type": "ipv6" if ":" in bare else "ipv4", "prefix": int(prefix or 0)}
                    for bare, _, prefix in known
                ],
            }
        )
    return {"result": rows}


@calls.on("GET", "/nodes/{node}/qemu/{vmid}/agent/get-host-name")
def host_name(call: calls.Call) -> dict[str, Any]:
    """The name it was given."""
    guest = register.find(call.node, "qemu", _available(call))
    return {"result": {"host-name": guest["config"].get("name", f"VM{call.text('vmid')}")}}


@calls.on("GET", "/nodes/{node}/qemu/{vmid}/agent/get-osinfo")
def osinfo(call: calls.Call) -> dict[str, Any]:
    """The base image's system and the kernel it really runs on."""
    _available(call)
    return {"result": _OSINFO | {"kernel-release": platform.release(), "kernel-version": platform.version()}}
