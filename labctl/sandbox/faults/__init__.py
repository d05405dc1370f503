"""Faults as data: what a node is to do wrong, said in a file and not in code.

Rooms: `kinds` (what can go wrong, each with its place in `proxmox-truth.md`), `rules` (which call, how often), `reading` (a YAML file
becomes rules, or complaints with line and column), `striking` (counts calls and says what strikes this one), `conditions` (what lasts:
a node away, a storage full), `ends` (how a struck task ends), `watching` (a serving node follows the file in its home).

Who answers calls asks `strike` once for each call and does what comes back; nothing here answers, sleeps or changes a guest by itself.
Not done here: faults of the guests themselves (a sick machine is not Proxmox's matter).
"""

from __future__ import annotations

from labctl.sandbox.faults.striking import Call, Faults, Struck

__all__ = ["Call", "Faults", "Struck"]
