"""What is tried: at which call of a step which kind of error, and after which call a kill.

A point is a call by its method, its path and how often that path was called before, as recorded where nothing went wrong: machines are
done side by side, so calls of one path keep their order and calls of different paths do not. Looks at the same thing again and again
(tasks, mostly) are tried at the first two and the last.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from labctl.sandbox import catalogue, faults
from labctl.sandbox.faults import kinds, rules

PERSON = frozenset({"forbidden", "unauthorised", "refuse", "vanished", "storage-full", "agent-silent"})
"""Kinds after which a person may have to ask again: nothing tells labctl that trying the same once more would help."""

LASTS = {"node-frozen": 40.0, "lock-held": 15.0, "task-slow": 5.0}
"""Seconds in Proxmox's time, one for all others. A frozen node hangs for longer than Proxmox waits for it, and a lock is held for longer
than it is waited for.
"""


@dataclass(frozen=True)
class Case:
    """One thing to try in a scene: a rule that strikes one call, or (rule None) a kill after the call of that number."""

    scene: str
    rule: rules.Rule | None = None
    call: int = 0

    @property
    def kind(self) -> str:
        """Its name in tables."""
        if self.rule is None:
            return "kill"
        return self.rule.kind.name + (" after" if self.rule.after else "") + (" locked" if self.rule.locked else "")

    def __str__(self) -> str:
        if self.rule is None:
            return f"{self.scene}: kill -9 after call {self.call}"
        return f"{self.scene}: {self.kind} at {self.rule.pattern} #{min(self.rule.nth)}"


@dataclass(frozen=True)
class Point:
    """The nth call of that method and path."""

    verb: str
    path: str
    nth: int


def of(calls: Sequence[faults.Call]) -> list[Point]:
    """The points of a recorded step, in the order in which they were met."""
    total: Counter[tuple[str, str]] = Counter(_key(call) for call in calls)
    met: Counter[tuple[str, str]] = Counter()
    found = []
    for call in calls:
        key = _key(call)
        met[key] += 1
        if met[key] <= 2 or met[key] == total[key]:
            found.append(Point(*key, met[key]))
    return found


def _key(call: faults.Call) -> tuple[str, str]:
    return call.method.verb, re.sub(r"/UPID:[^/]*", "/{upid}", call.path)


def cases(scene: str, calls: Sequence[faults.Call]) -> Iterator[Case]:
    """Every kind at every point, and a kill after every call."""
    methods = {_key(call): call.method for call in calls}
    for point in of(calls):
        for kind in kinds.of(methods[point.verb, point.path]):
            for rule in _rules(point, kind, methods[point.verb, point.path]):
                yield Case(scene, rule)
    yield from (Case(scene, call=number) for number in range(1, len(calls) + 1))


def _rules(point: Point, kind: kinds.Kind, method: catalogue.Method) -> Iterator[rules.Rule]:
    plain = rules.Rule(
        number=1,
        pattern=rules.Pattern(point.verb, point.path),
        kind=kind,
        nth=frozenset({point.nth}),
        times=1,
        in_task=kind.in_task,
        seconds=LASTS.get(kind.name, 1.0 if kind.lasts else 0.0),
    )
    yield plain
    if kind.follows and method.verb != "GET":
        yield replace(plain, after=True)
    if "locked" in kind.takes:
        yield replace(plain, locked=True)


def needs_a_person(case: Case) -> bool:
    """Whether a person may have to ask again."""
    return case.rule is not None and (case.rule.kind.name in PERSON or case.rule.locked)
