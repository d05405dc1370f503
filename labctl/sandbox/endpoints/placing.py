"""A clone for another node of the cluster (`target`): allowed when every storage that it uses is shared (`proxmox-truth.md` 3.5)."""

from __future__ import annotations

from labctl.sandbox import answers, calls, volumes


def check_target(call: calls.Call) -> None:
    """500 "no such cluster node 'x'"."""
    name = call.text("target", call.node.name)
    if name not in call.node.peers and name not in call.node.others:
        answers.die(f"no such cluster node '{name}'")


def check_shared(call: calls.Call, word: str, storages: list[str]) -> None:
    """500 unless each storage is shared, and there on the target too."""
    name = call.text("target", call.node.name)
    if name == call.node.name:
        return
    for storage in storages:
        if not volumes.storage(call.node, storage).get("shared"):
            answers.die(f"can't clone {word} to node '{name}' ({word} uses local storage)")
        if name in call.node.peers:
            volumes.usable(call.node.peers[name], storage)
