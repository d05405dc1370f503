"""Rows to nouns and back. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from labctl.model.classroom import Classroom, Learner, Seat
from labctl.model.environment import Environment, Facts, Ground, Kept, Lease, Machine, State, Step, Trouble, Wanted, Wishes
from labctl.model.help import Reached


def classroom(row: Any, seats: Iterable[Seat]) -> Classroom:
    """A classroom with its seats in order."""
    return Classroom(
        slug=row.slug,
        title=row.title,
        blueprint=row.blueprint,
        digest=row.digest,
        lease=Lease(row.starts, row.ends),
        opened=row.opened,
        trainer=row.trainer,
        closed=row.closed,
        golden=row.golden,
        may_join=row.may_join,
        seats=tuple(seats),
    )


def seat(row: Any) -> Seat:
    """A seat, from its row with its class's `slug`."""
    learner = Learner(**row.learner) if row.learner else None
    return Seat(classroom=row.slug, number=row.number, learner=learner, environment=row.environment)


def reached(row: Any) -> Reached:
    """How far a seat's learner is in the guide."""
    return Reached(row.seat, row.page, row.pages, row.at)


def environment(row: Any) -> Environment:
    """An environment, from a row of `looking.query`."""
    wishes = Wishes(
        wanted=Wanted(row.wanted),
        lease=Lease(row.starts, row.ends),
        round=row.wanted_round,
        undo=row.wanted_undo,
        hand=row.wanted_hand,
        aside=row.aside,
    )
    facts = Facts(
        state=State(row.state),
        round=row.round,
        doing=Step(row.doing) if row.doing else None,
        doing_since=row.doing_since,
        trouble=_trouble(row.trouble),
        machines=tuple(Machine(**machine) for machine in row.machines or ()),
        hand=row.hand,
        kept=Kept(row.kept["round"], datetime.fromisoformat(row.kept["until"])) if row.kept else None,
    )
    ground = Ground(row.stands_on, State(row.ground_state), _trouble(row.ground_trouble)) if row.stands_on and row.ground_state else None
    return Environment(row.id, row.slug, row.seat, row.plot, wishes, facts, golden=row.golden, ground=ground)


def wishes_columns(wishes: Wishes) -> dict[str, Any]:
    """The desk's columns."""
    return {
        "wanted": wishes.wanted.value,
        "starts": wishes.lease.starts,
        "ends": wishes.lease.ends,
        "wanted_round": wishes.round,
        "wanted_undo": wishes.undo,
        "wanted_hand": wishes.hand,
        "aside": wishes.aside,
    }


def facts_columns(facts: Facts) -> dict[str, Any]:
    """The runner's columns."""
    return {
        "state": facts.state.value,
        "round": facts.round,
        "doing": facts.doing.value if facts.doing else None,
        "doing_since": facts.doing_since,
        "trouble": _trouble_columns(facts.trouble),
        "machines": [dict(vars(machine)) for machine in facts.machines],
        "hand": facts.hand,
        "kept": {"round": facts.kept.round, "until": facts.kept.until.isoformat()} if facts.kept else None,
    }


def _trouble(value: dict[str, Any] | None) -> Trouble | None:
    if value is None:
        return None
    retry_at = value["retry_at"]
    return Trouble(
        step=Step(value["step"]),
        reason=value["reason"],
        attempts=value["attempts"],
        since=datetime.fromisoformat(value["since"]),
        retry_at=datetime.fromisoformat(retry_at) if retry_at else None,
        round=value["round"],
        cause=value.get("cause", ""),
        machine=value.get("machine", ""),
        node=value.get("node", ""),
    )


def _trouble_columns(trouble: Trouble | None) -> dict[str, Any] | None:
    if trouble is None:
        return None
    return {
        "step": trouble.step.value,
        "reason": trouble.reason,
        "attempts": trouble.attempts,
        "since": trouble.since.isoformat(),
        "retry_at": trouble.retry_at.isoformat() if trouble.retry_at else None,
        "round": trouble.round,
        "cause": trouble.cause,
        "machine": trouble.machine,
        "node": trouble.node,
    }
