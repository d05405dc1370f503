"""What of a node is on this machine, and taking all of it away. Works without the node, and on what a killed node left half made."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path

from labctl.sandbox.guests import cgroups, container, idmap, network, orphans

FOLDERS = ("guests", "layers", "images")


def found(home: Path, name: str) -> list[str]:
    """Everything of the node `name` with disks in `home`: running guests, groups, mounts, interfaces, namespaces, folders."""
    home = home.resolve()
    net = network.Network(name)
    things = [f"running guest {guest}" for guest in _guests(home, name) if cgroups.Groups(guest).alive()]
    things += [f"control group {path}" for guest in _guests(home, name) for path in cgroups.Groups(guest).everywhere()]
    things += [f"mount {path}" for path in _mounts(home)]
    things += [f"lock file {path}" for path in _locks(home)]
    things += [f"interface {cable}" for cable in net.cables()]
    things += [f"network namespace {net.namespace}"] if Path(net.file).exists() else []
    return things + [f"folder {home / folder}" for folder in FOLDERS if (home / folder).exists()]


def wipe(home: Path, name: str) -> list[str]:
    """Stop and remove every guest, the namespace, cables, mounts, groups and disks; returns what was there. Repeatable. Other files in
    the home stay; the home itself goes when it is empty then.
    """
    home = home.resolve()
    orphans.settle(home)
    gone = found(home, name)
    net = network.Network(name)
    ids = idmap.granted() or idmap.IdMap(idmap.DEFAULT_FIRST)
    for guest in _guests(home, name):
        tail = guest.rpartition("-")[2]
        container.Container(guest, int(tail) if tail.isdigit() else 0, home / "guests" / guest, net, ids).stop()
    for path in _mounts(home):
        subprocess.run(["umount", "--lazy", str(path)], capture_output=True, check=False)
    for guest in _guests(home, name):
        cgroups.Groups(guest).sweep()
    cgroups.sweep_pivot()
    _remove_locks(home)
    net.remove()
    for folder in FOLDERS:
        if (home / folder).exists():
            shutil.rmtree(home / folder)
    (home / "owner.lock").unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        home.rmdir()
    return gone


def _guests(home: Path, name: str) -> list[str]:
    """By their folders and by the groups the kernel still has."""
    folders = {path.name for path in (home / "guests").glob(f"{name}-*")}
    return sorted(folders | cgroups.guests_of(name))


def _locks(home: Path) -> list[Path]:
    return sorted((container.LOCKS / home.relative_to("/") / "guests").glob(".*"))


def _remove_locks(home: Path) -> None:
    """LXC's lock files, and the folders it made for them as far as they are empty."""
    for path in _locks(home):
        path.unlink(missing_ok=True)
    folder = container.LOCKS / home.relative_to("/") / "guests"
    with contextlib.suppress(OSError):
        while folder != container.LOCKS:
            folder.rmdir()
            folder = folder.parent


def _mounts(home: Path) -> list[Path]:
    """Mounts below the home, deepest first."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    paths = [Path(line.split()[4].encode("latin-1", "ignore").decode("unicode_escape")) for line in lines]
    return sorted((path for path in paths if home in path.parents), key=lambda path: -len(path.parts))
