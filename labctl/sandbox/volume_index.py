"""Volumes by what they are looked for: their owner, the number in their name, the base they stand on. Kept up as volumes change."""

from __future__ import annotations

import re
import threading
from collections import defaultdict

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
        self._changed = state_.follow("volumes")
        self._mutex = threading.Lock()
        self._known: set[str] = set()
        self._owned: defaultdict[int | None, dict[str, None]] = defaultdict(dict)
        self._stems: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self._clones: defaultdict[str, dict[str, None]] = defaultdict(dict)

    def of_guest(self, vmid: int) -> list[str]:
        """All volumes named for a guest."""
        self._follow()
        with self._mutex:
            return list(self._owned.get(vmid, ()))

    def taken(self, storage: str, last: str) -> bool:
        """Whether a volume there has that name but for what formats and bases add to it."""
        self._follow()
        return bool(self._stems.get((storage, stem(last))))

    def clone_of(self, volid: str) -> str | None:
        """A linked clone that needs this volume."""
        self._follow()
        with self._mutex:
            return next(iter(self._clones.get(volid, ())), None)

    def _follow(self) -> None:
        for volid in self._changed():
            with self._mutex:
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
        self._stems[storage, stem(last)].add(volid)
        for place in _bases(storage, base):
            self._clones[place][volid] = None

    def _drop(self, volid: str) -> None:
        if volid not in self._known:
            return
        storage, rest = split(volid)
        base, _, last = rest.rpartition("/")
        self._known.discard(volid)
        self._owned[owner(volid)].pop(volid, None)
        self._stems[storage, stem(last)].discard(volid)
        for place in _bases(storage, base):
            self._clones[place].pop(volid, None)


def _bases(storage: str, path: str) -> list[str]:
    """All volumes whose name is the beginning of a volume's path: `9000/base-9000-disk-0.qcow2/101` has one that is a base."""
    parts = path.split("/") if path else []
    return [f"{storage}:{'/'.join(parts[:count])}" for count in range(1, len(parts) + 1)]
