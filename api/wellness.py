"""Whether what the API needs answers now: store, broker, cluster. Looks only; mends nothing."""

from __future__ import annotations

from collections.abc import Callable

from api import shapes
from labctl import errors, wiring
from labctl.services import cluster


def state(wired: wiring.Wiring, version: str) -> shapes.State:
    """Each part with what it said."""
    parts = [_part("store", _store, wired), _part("broker", _broker, wired), _part("cluster", _cluster, wired)]
    return shapes.State(version=version, well=all(part.well for part in parts), parts=parts)


def _part(name: str, ask: Callable[[wiring.Wiring], str], wired: wiring.Wiring) -> shapes.Part:
    try:
        return shapes.Part(name=name, well=True, text=ask(wired))
    except errors.LabctlError as error:
        return shapes.Part(name=name, well=False, text=f"{error.message} {error.hint}".strip())


def _store(wired: wiring.Wiring) -> str:
    return f"{len(wired.classrooms.classrooms())} open classes"


def _broker(wired: wiring.Wiring) -> str:
    broker = wired.broker
    if not broker.own:
        return "configured by LABCTL_BROKER; not asked here"
    if not broker.answers():
        raise errors.Unreachable("the broker does not answer.", hint="`labctl up` starts it; until then the sweep finds what is due.")
    return "answers"


def _cluster(wired: wiring.Wiring) -> str:
    sight = cluster.look(wired.site)
    return f"{'; '.join(sight.lines)}; {sight.guests} guests of this installation run"
