"""Whether a guest is as alone on the management network as it should be (`access.md` 1.2, 1.3): tried from inside, by its root.

It dials its neighbours and labctl itself. Whoever answers, be it only to refuse, could be reached; who is walled off is silent. All dials
go out at once in one script, so that the look costs half a second, and only the first seat of a class pays it;
seats proven at the same time wait for what it finds, so none is called ready by luck.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from labctl import errors, ports
from labctl.drivers import ssh_connection
from labctl.model.environment import Machine
from labctl.model.site import Site

SILENCE = 0.5
"""Seconds without an answer that count as none: on one network it takes a millisecond."""

SETTLED = 15.0
"""Seconds for which an answer is tried again: nodes put guests' firewalls in force every ten (pve-firewall `pve_firewall.pm`)."""

BELIEVED = 3600.0
"""Seconds for which a class that was found walled is not looked at again by this process."""


@dataclass(frozen=True)
class Target:
    """Somebody who must not answer. `labctl`: labctl itself, else another guest."""

    name: str
    address: str
    port: int
    labctl: bool = False


@dataclass(frozen=True)
class Found:
    """What one look found. `late`: some were dialled so late that their silence says nothing, by a guest that had much else to do."""

    answered: tuple[Target, ...] = ()
    late: bool = False


class Reached(errors.CheckFailed):
    """A guest reaches what it must not. No machine is to blame: making it anew would not help."""


class Walls:
    """What this process has found out about classes. `doors`: ports at which labctl itself listens; `patience`: seconds for which an
    answer is tried again.
    """

    def __init__(self, site: Site, doors: Sequence[int] = (), *, patience: float = SETTLED) -> None:
        self._site = site
        self._doors = tuple(dict.fromkeys((22, *doors)))
        self._patience = patience
        self._guard = threading.Lock()
        self._until: dict[str, float] = {}
        self._looks: dict[str, Future[Reached | None]] = {}

    def proven(self, classroom: str, look: Callable[[], bool]) -> None:
        """Returns when this class is known to be walled: by an earlier look, by one that another seat takes just now, or by `look`, which
        says whether it holds for the whole class. A Reached is that of all who waited for it; after any other error the next one looks.
        """
        while True:
            with self._guard:
                if self._until.get(classroom, 0.0) > time.monotonic():
                    return
                theirs = self._looks.get(classroom)
                if theirs is None:
                    mine = self._looks[classroom] = Future()
                    break
            if (found := theirs.result()) is not None:
                raise Reached(found.message, hint=found.hint)
        wrong: Reached | None = None
        try:
            holds = look()
        except Reached as error:
            wrong = error
            raise
        else:
            if holds:
                with self._guard:
                    self._until[classroom] = time.monotonic() + BELIEVED
        finally:
            with self._guard:
                del self._looks[classroom]
            mine.set_result(wrong)

    def targets(self, machine: Machine, neighbours: Sequence[Machine]) -> list[Target]:
        """Whom this machine is to dial in vain."""
        others = [one for one in neighbours if one.address != machine.address]
        found = [Target(f"its neighbour {one.name}", one.address, 22) for one in others]
        return found + [Target("labctl itself", str(self._site.own_address), port, labctl=True) for port in self._doors]

    def look(self, machine: Machine, neighbours: Sequence[Machine], connection: ssh_connection.Connection, tell: ports.Progress) -> bool:
        """Whether this holds for the whole class: not while there is no neighbour to try. Raises Reached, or Unreachable when the guest
        ends the connection.
        """
        wanted, begun = self.targets(machine, neighbours), time.monotonic()
        while True:
            found = read(connection.root(script(wanted), timeout=30).stdout, wanted)
            if found is None:
                tell(f"{machine.name}: lacks bash or timeout to try the management network with: its walls are NOT proven")
                return True  # its like would lack them too
            if found == Found():
                whom = "labctl (there is no neighbour to try yet)" if wanted[0].labctl else "labctl and its neighbours"
                tell(f"{machine.name}: cannot reach {whom} over the management network ({time.monotonic() - begun:.1f} s)")
                return not wanted[0].labctl
            if time.monotonic() - begun >= self._patience:
                if not found.answered:
                    raise errors.Unreachable(f"{machine.name} has too much to do to try the management network.")
                raise _refusal(machine, found.answered, self._site)
            time.sleep(1.0)  # the pause between two looks at a node that is putting rules in force


def script(targets: Sequence[Target]) -> str:
    """For root's shell: when it began, for each dial when that began, a line `open N` or `refused N` for each that answers, and a last one
    that says that it was tried.
    """
    dials = " ".join(f"dial {number} {one.address} {one.port} &" for number, one in enumerate(targets))
    dial = (
        'dial() { echo "at $1 $EPOCHREALTIME"; if said=$( (exec 3<>"/dev/tcp/$2/$3") 2>&1 ); then echo "open $1"; '
        'else case "$said" in *efused*) echo "refused $1";; esac; fi; }'
    )
    return (
        "if command -v bash >/dev/null && command -v timeout >/dev/null; then\n"
        f"""LC_ALL=C bash -c 'echo "begun $EPOCHREALTIME"; exec timeout {SILENCE:g} bash -c "$1"' - '{dial}; {dials} wait' </dev/null\n"""
        "echo tried\nelse echo lacking\nfi\nexit 0\n"
    )


def read(said: str, targets: Sequence[Target]) -> Found | None:
    """What the script found; None when it could not be tried. Raises Unreachable when the script did not come to its end."""
    lines = [line.split() for line in said.splitlines()]
    if ["lacking"] in lines:
        return None
    if ["tried"] not in lines:
        raise errors.Unreachable("the look at the management network was cut off")
    begun = next((_moment(words) for words in lines if words[:1] == ["begun"]), 0.0)
    soon = {int(words[1]) for words in lines if words[:1] == ["at"] and _moment(words) - begun <= SILENCE / 2}
    numbers = sorted({int(words[1]) for words in lines if words[:1] in (["open"], ["refused"])})
    return Found(tuple(targets[number] for number in numbers), late=not soon.union(numbers).issuperset(range(len(targets))))


def _moment(words: Sequence[str]) -> float:
    """Seconds; 0.0 where the guest's bash is older than 5.0 and does not say."""
    return float(words[-1]) if "." in words[-1] else 0.0


def _refusal(machine: Machine, answered: Sequence[Target], site: Site) -> Reached:
    """What is open, and what to switch on."""
    whom = ", ".join(f"{one.name} ({one.address}:{one.port})" for one in answered)
    hints = []
    if any(not one.labctl for one in answered):
        hints.append(f"set isolate-ports on the VNet {site.management_vnet} and switch the datacenter's firewall on")
    if any(one.labctl for one in answered):
        hints.append("lay labctl's own rules on this machine (`labctl up`)")
    hint = "; ".join(hints)
    return Reached(
        f"{machine.name} reaches over the management network what it must not: {whom}.",
        hint=f"{hint[0].upper()}{hint[1:]}. `labctl doctor` shows what is missing; then reset the seat.",
    )
