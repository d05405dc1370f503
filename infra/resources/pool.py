"""The environment's own pool."""

from __future__ import annotations

from infra.resources import kind
from infra.work import Work
from labctl.drivers.proxmox import pools


def _make(work: Work, inputs: kind.Inputs) -> None:
    work.say(f"pool {inputs['poolid']}")
    pools.ensure(work.cluster, inputs["poolid"], inputs["comment"])


def _drift(work: Work, inputs: kind.Inputs) -> tuple[str, ...] | None:
    return None if pools.look(work.cluster, inputs["poolid"]) is None else ()


def _remove(work: Work, inputs: kind.Inputs) -> None:
    if pools.remove(work.cluster, inputs["poolid"], inputs["comment"]):
        work.say(f"pool {inputs['poolid']} removed")


POOL = kind.Kind(
    name="labctl:index:Pool",
    required={"poolid": str, "comment": str},
    optional={},
    replaces=frozenset({"poolid", "comment"}),
    identity=lambda inputs: str(inputs["poolid"]),
    make=_make,
    drift=_drift,
    remove=_remove,
)
