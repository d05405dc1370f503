"""What strikes a call: rules are counted in the order of calls, and each strike is a line in the log.

Thread-safe. Counts live in memory: a node that starts again counts from the beginning.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labctl.sandbox import catalogue
from labctl.sandbox.faults import kinds, rules


@dataclass(frozen=True)
class Call:
    """One call as it came, with the method it means."""

    method: catalogue.Method
    path: str
    given: Mapping[str, str]
    """What stands in the path: node, vmid, snapname ..."""
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def node(self) -> str:
        """The node it is for; "" for the cluster's own methods."""
        return self.given.get("node", "")

    @property
    def vmid(self) -> str:
        """The guest it is for, "" where it is for none."""
        return self.given.get("vmid", "")

    @property
    def kind(self) -> str:
        """qemu, lxc, or "" where it is for no guest."""
        parts = self.method.template.split("/")
        return parts[3] if len(parts) > 3 and parts[3] in {"qemu", "lxc"} else ""

    def __str__(self) -> str:
        return f"{self.method.verb} {self.path}"


@dataclass(frozen=True)
class Struck:
    """What one call meets. `answer` is a refusal or a fault of the wire; `task` strikes the task that the call starts."""

    call: Call
    answer: rules.Rule | None = None
    task: rules.Rule | None = None
    begins: tuple[rules.Rule, ...] = ()
    slow: float = 0.0
    """Seconds, in Proxmox's time."""


class Faults:
    """Counts calls against rules. `log` gets a JSON line for each strike: at, call, node, kind, rule."""

    def __init__(self, known: rules.Rules = rules.NONE, *, log: Path | None = None) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._follow(known)

    def _follow(self, known: rules.Rules) -> None:
        """Count from the beginning, for these rules."""
        self.known = known
        self._met = {rule.number: 0 for rule in known}
        self._struck = {rule.number: 0 for rule in known}
        self._dice = {rule.number: random.Random(f"{known.seed}/{rule.number}") for rule in known}  # noqa: S311 - chances, not secrets

    def strike(self, call: Call) -> Struck | None:
        """Asked once for each call, before it is done; None when nothing strikes. Every rule that means the call counts it."""
        if not self.known.rules:
            return None
        with self._lock:
            due = [rule for rule in self.known if rule.means(call.method, call.path, call.node) and self._due(rule)]
            return self._chosen(call, due) if due else None

    def counts(self) -> dict[int, int]:
        """How often each rule has struck."""
        with self._lock:
            return dict(self._struck)

    def _due(self, rule: rules.Rule) -> bool:
        self._met[rule.number] += 1
        count = self._met[rule.number]
        if rule.times and self._struck[rule.number] >= rule.times:
            return False
        if rule.nth:
            return count in rule.nth
        if rule.every:
            return count % rule.every == 0
        return rule.chance == 0 or self._dice[rule.number].random() < rule.chance

    def _chosen(self, call: Call, due: list[rules.Rule]) -> Struck:
        """One answer and one end of a task at most, the first of each in the file; any number of conditions and delays."""
        answer, task, begins, slow = None, None, [], 0.0
        for rule in due:
            if rule.kind.family is kinds.Family.LASTING:
                begins.append(rule)
            elif rule.kind.name == "slow":
                slow += rule.seconds
            elif _in_task(rule, call):
                if task is not None:
                    continue
                task = rule
            elif answer is None:
                answer = rule
            else:
                continue
            self._struck[rule.number] += 1
            self._write(call, rule)
        return Struck(call, answer, task, tuple(begins), slow)

    def _write(self, call: Call, rule: rules.Rule) -> None:
        if self._log is None:
            return
        line = {"at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", "call": str(call), "node": call.node}
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line | {"kind": rule.kind.name, "rule": rule.number}) + "\n")


def _in_task(rule: rules.Rule, call: Call) -> bool:
    """The SDN's lock is waited for before its task is made (`proxmox-truth.md` 3.4)."""
    waits = rule.in_task and call.method.upid and not call.method.template.startswith("/cluster/sdn")
    return rule.kind.family is kinds.Family.TASK or waits
