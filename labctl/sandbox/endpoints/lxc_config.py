"""`/nodes/{node}/lxc/{vmid}/config`, `pending`, `interfaces`, `resize`, `feature`."""

from __future__ import annotations

from typing import Any

from labctl.sandbox import answers, calls, formats, lxc_config, property_strings, register, tasks, volumes


@calls.on("GET", "/nodes/{node}/lxc/{vmid}/config")
def config(call: calls.Call) -> dict[str, Any]:
    """With pending values unless `current`; of a snapshot if one is named."""
    guest = register.find(call.node, "lxc", call.text("vmid"))
    if "snapshot" in call.params:
        known = guest.get("snapshots", {}).get(call.text("snapshot"))
        if known is None:
            answers.die(f"snapshot '{call.text('snapshot')}' does not exist")
        return {**known, "digest": register.digest(guest)}
    shown = dict(guest["config"])
    if not call.flag("current"):
        shown |= guest.get("pending", {})
        for key in guest.get("delete", []):
            shown.pop(key, None)
    if shown.get("tags") == "":
        shown["tags"] = " "
    return shown | {"digest": register.digest(guest)}


@calls.on("GET", "/nodes/{node}/lxc/{vmid}/pending")
def pending(call: calls.Call) -> list[dict[str, Any]]:
    """Key by key: the value, what is pending, whether it is to go."""
    guest = register.find(call.node, "lxc", call.text("vmid"))
    waiting = guest.get("pending", {})
    rows: list[dict[str, Any]] = []
    for key, value in guest["config"].items():
        row: dict[str, Any] = {"key": key, "value": value}
        if key in waiting:
            row["pending"] = waiting[key]
        if key in guest.get("delete", []):
            row["delete"] = 1
        rows.append(row)
    rows += [{"key": key, "pending": value} for key, value in waiting.items() if key not in guest["config"]]
    return [*rows, {"key": "digest", "value": register.digest(guest)}]


@calls.on("PUT", "/nodes/{node}/lxc/{vmid}/config")
def put(call: calls.Call) -> None:
    """At once, under the lock."""
    change = lxc_config.read(call)
    guest = register.find(call.node, "lxc", call.text("vmid"))
    lxc_config.check(call, call.text("vmid"), change, guest)
    lxc_config.apply(call, call.number("vmid"), change)


@calls.on("GET", "/nodes/{node}/lxc/{vmid}/interfaces")
def interfaces(call: calls.Call) -> list[dict[str, Any]] | None:
    """The addresses a running container has; null when it does not run."""
    vmid = call.number("vmid")
    register.find(call.node, "lxc", vmid)
    if not register.runs(call.node, vmid):
        return None
    rows: list[dict[str, Any]] = []
    for name, mac, addresses in call.node.runtime.addresses(vmid):
        row: dict[str, Any] = {"name": name, "hwaddr": mac, "hardware-address": mac, "ip-addresses": []}
        for address in addresses:
            bare, _, prefix = address.partition("/")
            row.setdefault("inet6" if ":" in bare else "inet", address)
            row["ip-addresses"].append({"ip-address": bare, "ip-address-type": "inet6" if ":" in bare else "inet", "prefix": prefix})
        rows.append(row)
    return rows


@calls.on("PUT", "/nodes/{node}/lxc/{vmid}/resize")
def resize(call: calls.Call) -> str:
    """Grows; equal size is an error here (`proxmox-truth.md` 2.1). Needs Disk and Options (`client-sequence.md` 2)."""
    vmid, disk = call.number("vmid"), call.text("disk")
    call.need(f"/vms/{vmid}", "VM.Config.Options")
    guest = register.find(call.node, "lxc", vmid)
    if disk not in guest["config"]:
        answers.die(f"no mount point '{disk}'")
    volume = str(register.fields("lxc", disk, str(guest["config"][disk])).get("volume"))
    call.need(f"/storage/{volumes.split(volume)[0]}", "Datastore.AllocateSpace")

    size = volumes.size_of(call.node, volume) or 0
    text = call.text("size")
    if (formats.parse_size(text.removeprefix("+")) or 0) + (size if text.startswith("+") else 0) == size:
        answers.die("disk is already at specified size")

    def work(job: tasks.Job) -> None:
        node = call.node
        with node.locks.guest("lxc", vmid), node.state.change() as content:
            present = register.find(node, "lxc", vmid)
            register.check_lock(present)
            mount = register.fields("lxc", disk, str(present["config"][disk]))
            size = volumes.size_of(node, str(mount["volume"])) or 0
            text = call.text("size")
            wanted = (formats.parse_size(text.removeprefix("+")) or 0) + (size if text.startswith("+") else 0)
            if wanted < size:
                answers.die("unable to shrink disk size")
            if wanted == size:
                answers.die("disk is already at specified size")
            content["volumes"][str(mount["volume"])]["size"] = wanted
            mount["size"] = formats.format_size(wanted)
            present["config"][disk] = property_strings.emit(register.layout("lxc", disk), mount)
            job.say("Image resized.")

    return call.node.tasks.start("resize", str(vmid), call.who, work)


@calls.on("GET", "/nodes/{node}/lxc/{vmid}/feature")
def feature(call: calls.Call) -> dict[str, Any]:
    """snapshot, clone (linked, of templates only) or copy."""
    guest = register.find(call.node, "lxc", call.text("vmid"))
    has = {"snapshot": not register.is_template(guest), "clone": register.is_template(guest), "copy": True}[call.text("feature")]
    return {"hasFeature": int(has)}


@calls.on("GET", "/nodes/{node}/lxc/{vmid}")
def index(call: calls.Call) -> list[dict[str, str]]:
    """What there is below a container."""
    register.find(call.node, "lxc", call.text("vmid"))
    return [
        {"subdir": name} for name in ("config", "pending", "status", "snapshot", "clone", "firewall", "interfaces", "resize", "template")
    ]
