"""Which pools a guest or a storage is in: the pools' own lists the other way round, kept up as pools change."""

from __future__ import annotations

from labctl.sandbox import state

FIELDS = ("vms", "storage")


class Membership:
    """Of one cluster."""

    def __init__(self, state_: state.State) -> None:
        self._pools = state_.content["pools"]
        self._members: dict[str, list[tuple[str, str]]] = {}
        self._pools_of: dict[tuple[str, str], tuple[str, ...]] = {}
        self._catch_up = state_.follow("pools", self._read)

    def pools_of(self, field: str, member: str | int) -> tuple[str, ...]:
        """Names of the pools with this member, `field` being "vms" or "storage"."""
        self._catch_up()
        return self._pools_of.get((field, str(member)), ())

    def _read(self, pool: str) -> None:
        facts = self._pools.get(pool, {})
        for key in self._members.pop(pool, ()):
            left = tuple(name for name in self._pools_of.get(key, ()) if name != pool)
            if left:
                self._pools_of[key] = left
            else:
                self._pools_of.pop(key, None)
        members = [(field, str(member)) for field in FIELDS for member in facts.get(field, [])]
        self._members[pool] = members
        for key in members:
            self._pools_of[key] = (*self._pools_of.get(key, ()), pool)
