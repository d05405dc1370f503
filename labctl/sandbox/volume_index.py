"""Volumes by what they are looked for: their owner, the number in their name, the base they stand on. Kept up as volumes change."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from labctl.sandbox import state


def split(volid: str) -> tuple[str, str]:
    """(storage, name on it)."""
    name, _, rest = volid.partition(":")
    return name, rest


def owner(volid: str) -> int | None:
    """The VMID a guest's volume belongs to, by its name."""
    folder = re.search(r"[:/](\d+)/[^/]+\Z", volid)
    if folder:
        return int(folder[1])
    found = re.search(r"(?:vm|base|subvol|basevol)-(\d+)-[^/]+\Z", volid)
    return int(found[1]) if found else None


def stem(last: str) -> str:
    """What two volumes of one guest may not share: numbers are shared by all formats and by bases."""
    return re.sub(r"^(base|vm)-|\.\w+\Z", "", last.replace("basevol-", "subvol-"))


class VolumeIndex:
    """Of one cluster."""

    def __init__(self, state_: state.State) -> None:
        self._volumes = state_.content["volumes"]
        self._state = state_
        self._known: set[str] = set()
        self._owned: defaultdict[int | None, dict[str, None]] = defaultdict(dict)
        self._stems: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._clones: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._catch_up = state_.follow("volumes", self._read)

    def of_guest(self, vmid: int) -> list[str]:
        """All volumes named for a guest."""
        self._catch_up()
        with self._state.reading():
            return list(self._owned.get(vmid, ()))

    def taken(self, storage: str, last: str) -> bool:
        """Whether a volume there has that name but for what formats and bases add to it."""
        self._catch_up()
        return (storage, stem(last)) in self._stems

    def clone_of(self, volid: str) -> str | None:
        """A linked clone that needs this volume."""
        self._catch_up()
        with self._state.reading():
            return next(iter(self._clones.get(volid, ())), None)

    def _read(self, volid: str) -> None:
        if volid in self._volumes:
            self._add(volid)
        else:
            self._drop(volid)

    def _add(self, volid: str) -> None:
        if volid in self._known:
            return
        storage, rest = split(volid)
        base, _, last = rest.rpartition("/")
        self._known.add(volid)
        self._owned[owner(volid)][volid] = None
        self._stems[storage, stem(last)][volid] = None
        for place in _bases(storage, base):
            self._clones[place][volid] = None

    def _drop(self, volid: str) -> None:
        if volid not in self._known:
            return
        storage, rest = split(volid)
        base, _, last = rest.rpartition("/")
        self._known.discard(volid)
        _take_out(self._owned, owner(volid), volid)
        _take_out(self._stems, (storage, stem(last)), volid)
        for place in _bases(storage, base):
            _take_out(self._clones, place, volid)


def _take_out(index: defaultdict[Any, dict[str, None]], key: Any, volid: str) -> None:
    index[key].pop(volid, None)
    if not index[key]:
        del index[key]


def _bases(storage: str, path: str) -> list[str]:
    """All volumes whose name is the beginning of a volume's path: `9000/base-9000-disk-0.qcow2/101` has one that is a base."""
    parts = path.split("/") if path else []
    return [f"{storage}:{'/'.join(parts[:count])}" for count in range(1, len(parts) + 1)]
