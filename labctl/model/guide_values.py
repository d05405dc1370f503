"""A guide's pages with the values of one seat: references replaced by what its learner may see (`blueprint.md` 8, 16)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from labctl.model import guide, references
from labctl.model.plan import Plan


def filled(page: guide.Page, plan: Plan) -> guide.Page:
    """The page with the values of one seat. What its learner may not see, and what is not there, stays as it was written."""
    fill = filling(plan)
    return replace(page, title=fill(page.title), pieces=tuple(_filled(piece, fill) for piece in page.pieces))


def filling(plan: Plan) -> Callable[[str], str]:
    """What does the same with a text."""
    return lambda text: "".join(part if isinstance(part, str) else value(plan, part) for part in references.parts(text))


def _filled(piece: guide.Piece, fill: Callable[[str], str]) -> guide.Piece:
    if isinstance(piece, guide.Text):
        return guide.Text(fill(piece.markdown))
    if isinstance(piece, guide.Code):
        return replace(piece, text=fill(piece.text), path=fill(piece.path))
    if isinstance(piece, guide.Placed):
        return piece
    inner = tuple(one for one in (_filled(one, fill) for one in piece.pieces) if not isinstance(one, guide.Fold | guide.Placed))
    return guide.Fold(piece.kind, fill(piece.title), inner)


def value(plan: Plan, path: tuple[str, ...]) -> str:
    """What a reference means on this seat, as text: only what its learner may see."""
    written = "${lab." + ".".join(path) + "}"
    known: dict[tuple[str, ...], Any] = {
        ("seat", "number"): plan.seat.number,
        ("seat", "name"): plan.seat.name,
        ("seat", "login"): plan.seat.login,
        ("classroom", "name"): plan.classroom,
        **{(one.name,): references.written(one.value) for one in plan.variables if one.shown},
    }
    for app in plan.apps:
        known["apps", app.name, "url"] = app.url
    for network in plan.networks:
        known["networks", network.name, "cidr"] = network.cidr
        if network.gateway:
            known["networks", network.name, "gateway"] = network.gateway
    for machine in plan.machines:
        if machine.hidden:
            continue
        known["machines", machine.name, "hostname"] = machine.hostname
        for nic in machine.nics:
            if nic.network and nic.address:
                address = nic.address.partition("/")[0]
                known["machines", machine.name, nic.network] = address
                known.setdefault(("machines", machine.name, "address"), address)
    return str(known.get(path, written))
