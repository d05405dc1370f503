"""Tags of guests: their stored form and who may change which (`proxmox-truth.md` 3.2 and 5.1, datacenter options `tag-style`,
`user-tag-access`, `registered-tags`).
"""

from __future__ import annotations

from typing import Any

from labctl.sandbox import answers, calls, formats, property_strings
from labctl.sandbox import node as node_


def _option(node: node_.Node, name: str) -> dict[str, Any]:
    text = str(node.content["meta"].get("datacenter", {}).get(name, ""))
    return property_strings.parse({}, text, name, checked=False)


def stored(node: node_.Node, text: str) -> str:
    """Unique, lower case and sorted, unless the datacenter's `tag-style` says otherwise."""
    style = _option(node, "tag-style")
    names = formats.split_list(text)
    if style.get("case-sensitive") != "1":
        names = [name.lower() for name in names]
    unique = list(dict.fromkeys(names))
    return ";".join(unique if style.get("ordering") == "config" else sorted(unique))


def need(call: calls.Call, vmid: str, pool: str | None, old: str, new: str) -> None:
    """VM.Config.Options to change tags; those registered or not open to users need Sys.Modify on /."""
    before, after = formats.split_list(stored(call.node, old)), formats.split_list(stored(call.node, new))
    changed = [tag for tag in [*after, *before] if (tag in before) != (tag in after)]
    if not changed or call.is_root:
        return
    call.node.access.need_on_guest(call.who, vmid, pool, "VM.Config.Options")
    if call.may("/", "Sys.Modify"):
        return
    registered = set(formats.split_list(str(call.node.content["meta"].get("datacenter", {}).get("registered-tags", ""))))
    allowed = _allowed(call)
    for tag in sorted(changed):
        if tag in registered or (allowed is not None and tag not in allowed):
            answers.forbid(f"/, Sys.Modify for modifying tag '{tag}'")


def _allowed(call: calls.Call) -> set[str] | None:
    """None: any tag."""
    access = _option(call.node, "user-tag-access")
    kind = access.get("user-allow", "free")
    if kind == "free":
        return None
    if kind == "none":
        return set()
    listed = set(formats.split_list(str(access.get("user-allow-list", ""))))
    if kind == "list":
        return listed
    visible = [guest for vmid, guest in call.node.content["guests"].items() if call.may(f"/vms/{vmid}", "VM.Audit")]
    return listed | {tag for guest in visible for tag in formats.split_list(str(guest["config"].get("tags", "")))}
