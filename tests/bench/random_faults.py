"""A fault file by chance: calls that labctl makes, each with a kind that this call can have, striking once or a few times.

Faults end by themselves (`times`, `for`) or when the file is taken away, so that what comes after shows whether all is well again.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import yaml

from labctl.sandbox import catalogue
from labctl.sandbox.faults import kinds

_GUEST = "/nodes/{node}/%s/{vmid}"
_OF_GUEST = (
    ("POST", f"{_GUEST}/clone"),
    ("GET", f"{_GUEST}/config"),
    ("PUT", f"{_GUEST}/config"),
    ("POST", f"{_GUEST}/status/start"),
    ("POST", f"{_GUEST}/status/stop"),
    ("GET", f"{_GUEST}/status/current"),
    ("GET", f"{_GUEST}/snapshot"),
    ("POST", f"{_GUEST}/snapshot"),
    ("POST", f"{_GUEST}/snapshot/{{snapname}}/rollback"),
    ("DELETE", f"{_GUEST}/snapshot/{{snapname}}"),
    ("POST", f"{_GUEST}/template"),
    ("DELETE", _GUEST),
)
_OTHERS = (
    ("POST", "/pools"),
    ("DELETE", "/pools"),
    ("GET", "/pools"),
    ("POST", "/cluster/sdn/vnets"),
    ("GET", "/cluster/sdn/vnets"),
    ("DELETE", "/cluster/sdn/vnets/{vnet}"),
    ("PUT", "/cluster/sdn"),
    ("GET", "/cluster/nextid"),
    ("GET", "/cluster/resources"),
    ("GET", "/nodes/{node}/tasks/{upid}/status"),
    ("GET", "/nodes/{node}/storage/{storage}/status"),
)
CALLS = tuple((verb, path % kind) for kind in ("lxc", "qemu") for verb, path in _OF_GUEST) + _OTHERS
"""What labctl asks of Proxmox."""
ANY = ("drop", "lost-answer", "proxy-595", "proxy-596", "proxy-599", "slow", "garbled", "unauthorised")
"""Kinds that any call can have: these also strike anywhere at all, now and then."""


def file(chance: random.Random, most: int = 12) -> str:
    """The text of a fault file with one to `most` faults."""
    known = {(one.verb, one.template): one for one in catalogue.load().methods.values()}
    rules = [_anywhere(chance) if chance.random() < 0.2 else _rule(chance, known) for _ in range(chance.randint(1, most))]
    return yaml.safe_dump({"version": 1, "seed": chance.randrange(10**6), "faults": rules}, sort_keys=False)


def _anywhere(chance: random.Random) -> dict[str, Any]:
    return {"call": "*", "do": chance.choice(ANY), "chance": chance.choice((0.02, 0.05, 0.1)), "times": chance.randint(1, 5)}


def _rule(chance: random.Random, known: Mapping[tuple[str, str], catalogue.Method]) -> dict[str, Any]:
    verb, path = chance.choice(CALLS)
    kind = chance.choice(kinds.of(known[verb, path]))
    rule: dict[str, Any] = {"call": f"{verb} {path}", "do": kind.name}
    if chance.random() < 0.6:
        rule["nth"] = chance.randint(1, 2)
    else:
        rule |= {"chance": chance.choice((0.1, 0.3, 0.6)), "times": chance.randint(1, 4)}
    if kind.follows and chance.random() < 0.5:
        rule["after"] = True
    if "for" in kind.takes:
        rule["for"] = f"{chance.uniform(0.5, 6.0):.1f}s"
    if kind.name == "refuse":
        rule |= chance.choice(({"status": 500, "message": "got timeout"}, {"status": 400, "message": "parameter verification failed"}))
    if kind.name == "task-error":
        rule["message"] = "something broke"
    return rule
