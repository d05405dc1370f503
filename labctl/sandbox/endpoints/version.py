"""`GET /version` and the node's own `version`: the release this node speaks (`proxmox-truth.md`, sources)."""

from __future__ import annotations

from typing import Any

from labctl.sandbox import calls, release


@calls.on("GET", "/version")
def version(call: calls.Call) -> dict[str, Any]:
    """The API's version; `console` from the datacenter options is not kept here."""
    _ = call
    return dict(release.VERSION)


@calls.on("GET", "/nodes/{node}/version")
def node_version(call: calls.Call) -> dict[str, Any]:
    """The same, of one node."""
    _ = call
    return dict(release.VERSION)
