"""Guests' disks: overlay file systems made of immutable layers and one writable layer each.

    <home>/images/<stem>/          lowest layers, unpacked by `image`
    <home>/layers/<id>/            every other layer: writable while it is some disk's `upper`, never changed afterwards
    <home>/guests/<guest>/disk.json, root/ (mount point), work/

`disk.json` is the only truth and is replaced atomically; a layer that no `disk.json` names is rubbish and is collected. So each verb
may be killed anywhere: either the new file is there or the old one. A linked clone and a snapshot of a stopped guest copy nothing, a
rollback copies nothing; a snapshot of a running guest copies its writable layer. There is no quota: `overlay` has none.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from labctl.sandbox.guests import idmap
from labctl.sandbox.guests.runtime import RuntimeFailure


@dataclass(frozen=True)
class State:
    """What a disk held at one moment: layers, top first, as paths relative to the home; `instance` is the identity last written."""

    layers: tuple[str, ...]
    instance: str | None = None
    fresh: bool = True
    """Still without a machine-id and host keys of its own."""


@dataclass(frozen=True)
class Disk:
    """One guest's disk. `state.layers` lie below `upper`."""

    upper: str
    state: State
    base: int | None = None
    """The VMID of the template that a linked clone stands on."""
    snapshots: dict[str, State] = field(default_factory=dict)

    def layers(self) -> set[str]:
        """All layers this disk needs."""
        return {self.upper, *self.state.layers}.union(*(state.layers for state in self.snapshots.values()))


class Disks:
    """All disks of one node."""

    def __init__(self, home: Path, ids: idmap.IdMap) -> None:
        self.home = home
        self.ids = ids
        self._lock = threading.RLock()
        self._making: set[str] = set()

    def prepare(self) -> None:
        """The folders, which guests' root can pass through but not look into, and nobody else at all."""
        for name in ("images", "layers", "guests"):
            folder = self.home / name
            folder.mkdir(parents=True, exist_ok=True)
            os.chown(folder, 0, self.ids.first)
            folder.chmod(0o710)

    def folder(self, guest: str) -> Path:
        """Where a guest's own files lie. Absolute: `lxc-* -P` with a relative path looks elsewhere (`access.md` 1.1)."""
        return self.home / "guests" / guest

    def guests(self) -> list[str]:
        """Names of all guests that have a disk."""
        return sorted(path.parent.name for path in (self.home / "guests").glob("*/disk.json"))

    def read(self, guest: str) -> Disk:
        """Raises RuntimeFailure when there is no such disk."""
        try:
            raw: dict[str, Any] = json.loads((self.folder(guest) / "disk.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RuntimeFailure(f"guest {guest} has no disk") from None
        return Disk(
            upper=raw["upper"],
            state=_state(raw["state"]),
            base=raw["base"],
            snapshots={name: _state(state) for name, state in raw["snapshots"].items()},
        )

    def write(self, guest: str, disk: Disk) -> None:
        """Replace the truth about a disk, making the guest's folder when needed."""
        folder = self.folder(guest)
        for name in (".", "root", "work"):
            (folder / name).mkdir(exist_ok=True)
            (folder / name).chmod(0o755)
        scratch = folder / "disk.json.new"
        with scratch.open("w", encoding="utf-8") as file:
            json.dump(asdict(disk), file)
            file.flush()
            os.fsync(file.fileno())
        scratch.rename(folder / "disk.json")

    @contextmanager
    def new_layer(self, source: str | None = None) -> Iterator[str]:
        """An empty layer, or a copy of `source`, for the block to name in a disk; collected when the block fails."""
        name = f"layers/{secrets.token_hex(6)}"
        with self._lock:
            self._making.add(name)
        try:
            if source is None:
                (self.home / name).mkdir()
                (self.home / name).chmod(0o755)
                os.chown(self.home / name, self.ids.first, self.ids.first)
            else:
                self._copy(source, name)
            yield name
        except BaseException:
            with self._lock:
                self._making.discard(name)
            self.collect(name)
            raise
        with self._lock:
            self._making.discard(name)

    def _copy(self, source: str, target: str) -> None:
        """With hard links, extended attributes (overlay's own among them) and whiteouts."""
        command = ["cp", "-a", "--reflink=auto", "--sparse=auto", str(self.home / source), str(self.home / target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeFailure(f"disk could not be copied: {done.stderr.strip()[-300:]}")

    def stack(self, guest: str) -> Disk:
        """Put the writable layer of a stopped guest below a new empty one: what was written until now never changes again."""
        disk = self.read(guest)
        with self.new_layer() as upper:
            disk = replace(disk, upper=upper, state=replace(disk.state, layers=(disk.upper, *disk.state.layers)))
            self.write(guest, disk)
        return disk

    def collect(self, *only: str) -> None:
        """Remove layers that no disk names (`only` these, or all)."""
        with self._lock:
            candidates = set(only) or {f"layers/{path.name}" for path in (self.home / "layers").iterdir()}
            needed: set[str] = set()
            for guest in self.guests() if candidates else ():
                with contextlib.suppress(RuntimeFailure):  # destroyed just now
                    needed |= self.read(guest).layers()
            doomed = candidates - needed - self._making
        for name in doomed:
            shutil.rmtree(self.home / name, ignore_errors=True)

    def forget(self, guest: str) -> None:
        """Remove a disk, its snapshots and the guest's folder. Repeatable."""
        folder = self.folder(guest)
        if not folder.exists():
            return
        self.unmount(guest)
        try:
            layers = self.read(guest).layers()
        except RuntimeFailure:
            layers = set()
        (folder / "disk.json").unlink(missing_ok=True)
        shutil.rmtree(folder)
        self.collect(*(layer for layer in layers if layer.startswith("layers/")))

    def mount(self, guest: str) -> Path:
        """The disk as one file system; mounted by real root before LXC enters the user namespace (`guests.md` 2, pitfall 8)."""
        disk = self.read(guest)
        folder = self.folder(guest)
        root = folder / "root"
        lower = ":".join(disk.state.layers)
        wanted = f"lowerdir={lower},upperdir={disk.upper},workdir=guests/{guest}/work,index=off,metacopy=off,redirect_dir=on"
        self.unmount(guest)
        shutil.rmtree(folder / "work", ignore_errors=True)
        (folder / "work").mkdir()
        # Relative paths keep deep stacks within mount's page of options.
        command = ["mount", "-t", "overlay", "-o", wanted, f"sandbox-{guest}", str(root)]
        done = subprocess.run(command, cwd=self.home, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeFailure(f"disk of guest {guest} could not be mounted: {done.stderr.strip()}")
        return root

    def unmount(self, guest: str) -> None:
        """Repeatable. Lazily: whoever still looks into it keeps what he has."""
        root = self.folder(guest) / "root"
        while root.is_mount():
            done = subprocess.run(["umount", "--lazy", str(root)], capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeFailure(f"disk of guest {guest} could not be unmounted: {done.stderr.strip()}")

    def size(self, guest: str) -> int:
        """Bytes of the writable layer."""
        done = subprocess.run(
            ["du", "-sx", "--block-size=1", str(self.home / self.read(guest).upper)], capture_output=True, text=True, check=False
        )
        return int(done.stdout.split()[0]) if done.stdout else 0


def _state(raw: dict[str, Any]) -> State:
    return State(layers=tuple(raw["layers"]), instance=raw["instance"], fresh=raw["fresh"])
