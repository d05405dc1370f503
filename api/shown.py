"""How nouns of the model become what goes over the wire (`api.shapes`). No I/O, no decisions."""

from __future__ import annotations

import collections
import operator
from dataclasses import dataclass
from datetime import datetime

from api import shapes
from labctl import goldens, ports
from labctl.drivers import shelf
from labctl.model import classroom as classroom_
from labctl.model import environment as environment_
from labctl.model import lifecycle


@dataclass(frozen=True)
class Beside:
    """What is known of a seat's learner beside the machines."""

    hand_since: datetime | None = None
    guide_page: int = 0
    guide_pages: int = 0
    tasks: int = 0
    tasks_done: int = 0
    points: int = 0
    tasks_changed: datetime | None = None
    joining: str = ""
    joining_by: str = ""


def line(one: ports.Line) -> shapes.LineShape:
    """A journal line."""
    return shapes.LineShape(number=one.number, at=one.at, environment=one.environment, step=one.step, text=one.text, who=one.who)


def blueprint(book: shelf.Book) -> shapes.BlueprintShape:
    """A course as people choose it."""
    about = book.blueprint.about
    return shapes.BlueprintShape(
        name=book.name,
        title=about.title,
        area=about.area,
        level=about.level or "",
        summary=about.summary or "",
        digest=book.digests.blueprint,
        machines=sum(machine.count for machine in book.blueprint.machines.values()),
    )


def token(one: ports.Token) -> shapes.TokenShape:
    """A token's owner."""
    return shapes.TokenShape(name=one.name, role=one.role, environment=one.environment, expires=one.expires)


def seat(
    one: classroom_.Seat, env: environment_.Environment, now: datetime, note: str = "", beside: Beside | None = None
) -> shapes.SeatShape:
    """A seat with its environment."""
    facts = env.facts
    return shapes.SeatShape(
        classroom=one.classroom,
        number=one.number,
        learner=one.learner.name if one.learner else None,
        login=one.learner.login if one.learner else None,
        environment=env.id,
        status=lifecycle.status(env, now),
        state=facts.state.value,
        doing=facts.doing.value if facts.doing else None,
        doing_since=facts.doing_since,
        note=note,
        trouble=_trouble(env),
        machines=_machines(facts),
        round=env.wishes.round,
        spare=one.learner is None and not env.wishes.aside,
        aside=env.wishes.aside,
        undo_until=undo_until(env, now),
        **vars(beside or Beside()),
    )


def undo_until(env: environment_.Environment, now: datetime) -> datetime | None:
    """Until when the last reset can be undone; None where it cannot (any more)."""
    return env.facts.kept.until if env.facts.kept and env.facts.kept.until > now else None


def golden(one: goldens.Held, now: datetime) -> shapes.GoldenShape:
    """A set of golden machines."""
    env = one.environment
    return shapes.GoldenShape(
        name=one.room.slug,
        blueprint=one.room.blueprint,
        digest=one.room.digest,
        status=lifecycle.status(env, now),
        environment=env.id,
        opened=one.room.opened,
        fresh_until=one.room.lease.ends,
        classes=sorted({standing.classroom for standing in one.standing}),
        seats=len(one.standing),
        trouble=_trouble(env),
        machines=_machines(env.facts),
    )


def environment(env: environment_.Environment, now: datetime) -> shapes.EnvironmentShape:
    """An environment by itself."""
    return shapes.EnvironmentShape(
        id=env.id,
        classroom=env.classroom,
        seat=env.seat,
        plot=env.plot,
        status=lifecycle.status(env, now),
        wanted=env.wishes.wanted.value,
        state=env.facts.state.value,
        doing=env.facts.doing.value if env.facts.doing else None,
        starts=env.wishes.lease.starts,
        ends=env.wishes.lease.ends,
        round=env.wishes.round,
        trouble=_trouble(env),
        machines=_machines(env.facts),
    )


def _trouble(env: environment_.Environment) -> shapes.TroubleShape | None:
    one = lifecycle.shown_trouble(env)
    if one is None:
        return None
    return shapes.TroubleShape(step=one.step.value, reason=one.reason, attempts=one.attempts, since=one.since, retry_at=one.retry_at)


def _machines(facts: environment_.Facts) -> list[shapes.MachineShape]:
    return [
        shapes.MachineShape(
            name=m.name, vmid=m.vmid, node=m.node, kind=m.kind, address=m.address, stand_in=m.stand_in, instead_of=m.instead_of
        )
        for m in facts.machines
    ]


def classroom(one: classroom_.Classroom, seats: list[shapes.SeatShape], *, paper: bool, message: str = "") -> shapes.ClassroomShape:
    """A classroom and the count of its seats' words."""
    kinds = collections.Counter(map(operator.attrgetter("status", "spare", "aside"), seats))
    words = {word: count for (word, spare, aside), count in kinds.items() if not spare and not aside}
    spares = [(word, count) for (word, spare, aside), count in kinds.items() if spare and not aside and word != "gone"]
    return shapes.ClassroomShape(
        slug=one.slug,
        title=one.title,
        blueprint=one.blueprint,
        digest=one.digest,
        trainer=one.trainer,
        opened=one.opened,
        starts=one.lease.starts,
        ends=one.lease.ends,
        closed=one.closed,
        guests="paper" if paper else "real",
        message=message,
        counts=shapes.Counts(
            seats=sum(words.values()),
            ready=words.get("ready", 0),
            words=words,
            spares=sum(count for _, count in spares),
            spares_ready=sum(count for word, count in spares if word == "ready"),
        ),
    )
