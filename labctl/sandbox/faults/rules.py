"""One rule: which calls it means, which of them it strikes, and with what. Values only; who counts is `striking`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labctl.sandbox import catalogue
from labctl.sandbox.faults import kinds


@dataclass(frozen=True)
class Pattern:
    """`POST /nodes/{node}/lxc/{vmid}/clone`, `* /nodes/*`, `*`: a method or `*`, and a path whose `*` stands for any rest. A part in
    braces means any value; any other part means itself, also where the schema has a name (`/nodes/pve1/lxc/{vmid}/clone`).
    """

    verb: str = "*"
    path: str = "*"

    def means(self, verb: str, template: str, path: str) -> bool:
        """Whether that call is meant; `path` is what was really called."""
        if self.verb not in {"*", verb}:
            return False
        wanted, known, real = _parts(self.path), _parts(template), _parts(path)
        rest = wanted[-1:] == ["*"]
        if rest:
            wanted = wanted[:-1]
        if len(wanted) > len(known) or (not rest and len(wanted) != len(known)):
            return False
        return all(_same(want, has, real[index] if index < len(real) else "") for index, (want, has) in enumerate(zip(wanted, known)))  # noqa: B905 - checked above

    def __str__(self) -> str:
        return self.path if (self.verb, self.path) == ("*", "*") else f"{self.verb} {self.path}"


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _same(want: str, has: str, real: str) -> bool:
    if want.startswith("{"):
        return has.startswith("{")
    return want == has or (has.startswith("{") and want == real)


@dataclass(frozen=True)
class Rule:
    """One entry of a fault file. `number` counts from 1; `times` 0 is without end; `seconds` is `for` in Proxmox's time."""

    number: int
    pattern: Pattern
    kind: kinds.Kind
    node: str = ""
    nth: frozenset[int] = frozenset()
    every: int = 0
    chance: float = 0.0
    times: int = 0
    after: bool = False
    in_task: bool = False
    seconds: float = 0.0
    message: str = ""
    status: int = 500
    lock: str = ""
    storage: str = ""
    locked: bool = False

    def means(self, method: catalogue.Method, path: str, node: str) -> bool:
        """Whether it means that call, and that call can have this kind."""
        if self.node and self.node != node:
            return False
        return self.kind.fits(method) and self.pattern.means(method.verb, method.template, path)


@dataclass(frozen=True)
class Rules:
    """A whole file."""

    rules: tuple[Rule, ...] = ()
    seed: int = 0

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)


NONE = Rules()
"""Nothing goes wrong."""
