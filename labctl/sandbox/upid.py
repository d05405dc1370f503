"""Task names: `UPID:node:pid:pstart:starttime:type:id:user[!token]:` (`proxmox-truth.md` 3.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PATTERN = re.compile(
    r"UPID:([a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?):([0-9A-Fa-f]{8}):([0-9A-Fa-f]{8,9}):([0-9A-Fa-f]{8}):([^:\s]+):([^:\s]*):([^:\s]+):\Z",
    re.ASCII,
)


@dataclass(frozen=True)
class Upid:
    """A task name, taken apart."""

    node: str
    pid: int
    pstart: int
    starttime: int
    type: str
    id: str
    user: str

    def __str__(self) -> str:
        return f"UPID:{self.node}:{self.pid:08X}:{self.pstart:08X}:{self.starttime:08X}:{self.type}:{self.id}:{self.user}:"

    @property
    def owner(self) -> str:
        """The user without a token's name."""
        return self.user.partition("!")[0]

    def facts(self) -> dict[str, object]:
        """What every answer about the task carries."""
        facts: dict[str, object] = {
            "pid": self.pid, "pstart": self.pstart, "starttime": self.starttime, "type": self.type, "id": self.id, "user": self.owner,
            "node": self.node, "upid": str(self),
        }  # fmt: skip
        if "!" in self.user:
            facts["tokenid"] = self.user.partition("!")[2]
        return facts


def parse(text: str) -> Upid | None:
    """The parts, or None for what is no task name."""
    found = _PATTERN.match(text)
    if not found:
        return None
    return Upid(found[1], int(found[2], 16), int(found[3], 16), int(found[4], 16), found[5], found[6], found[7])
