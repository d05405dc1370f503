"""A world small enough to see through: things are files in a folder, and every call of the provider leaves a line.

The engines' own rules are tested on it (both engines, and each after the other); Proxmox is tested elsewhere. Faults are
files too: `fail-NAME` makes the next make of NAME fail (`before` anything exists, or `after`), `hang-NAME` lets it wait
until the file is gone or the update is cancelled.
"""

from __future__ import annotations

import os
from pathlib import Path

from infra import provider
from infra.program import Program, Resource
from infra.resources import kind
from infra.work import Work
from labctl import errors
from labctl.drivers import gates
from labctl.drivers.proxmox import client, cluster
from labctl.model import site as site_


def work(folder: Path, say=None) -> Work:
    """Work whose cluster is never called."""
    (folder / "secret").write_text("x")
    (folder / "ca.pem").write_text("x")
    nowhere = site_.Cluster(url="https://127.0.0.1:1", secret_file=str(folder / "secret"), ca_file=str(folder / "ca.pem"))
    to = cluster.Cluster(client.Client(nowhere), gates.Gates(folder / "turns"))
    return Work(to, say) if say else Work(to)


def note(inputs, line: str) -> None:
    handle = os.open(Path(inputs["folder"], "calls"), os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(handle, (line + "\n").encode())
    os.close(handle)


def calls(folder: Path) -> list[str]:
    """What the provider was asked to do since the last time."""
    path = folder / "calls"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def _file(inputs) -> Path:
    return Path(inputs["folder"], f"thing-{inputs['label']}")


def _make(work: Work, inputs) -> None:
    name = inputs["label"]
    note(inputs, f"make {name}")
    fail = Path(inputs["folder"], f"fail-{name}")
    mode = fail.read_text() if fail.exists() else ""
    fail.unlink(missing_ok=True)
    if mode == "before":
        raise errors.Busy(f"{name} is not to be had")
    _file(inputs).write_text(str(inputs["size"]))
    hang = Path(inputs["folder"], f"hang-{name}")
    while hang.exists():
        try:
            work.cluster.pause(0.02, name)
        except errors.LabctlError as error:
            raise kind.HalfMade(name, error) from error
    if mode == "after":
        raise kind.HalfMade(name, errors.PermanentError(f"{name} is half made"))


def _drift(work: Work, inputs):
    try:
        return () if _file(inputs).read_text() == str(inputs["size"]) else ("size",)
    except FileNotFoundError:
        return None


def _remove(work: Work, inputs) -> None:
    note(inputs, f"remove {inputs['label']}")
    if Path(inputs["folder"], f"stay-{inputs['label']}").exists():
        raise errors.Busy(f"{inputs['label']} does not go")
    _file(inputs).unlink(missing_ok=True)


THING = kind.Kind(
    name="labctl:index:Thing",
    required={"label": str, "size": int, "folder": str},
    optional={"place": str, "of": str},
    replaces=frozenset({"place", "of"}),
    identity=lambda inputs: str(inputs["label"]),
    make=_make,
    drift=_drift,
    remove=_remove,
)


def make_provider(work: Work) -> provider.Labctl:
    return provider.Labctl(work, {THING.name: THING})


def thing(folder: Path, label: str, size: int = 1, needs: tuple[str, ...] = (), **more) -> Resource:
    return Resource(THING.name, label, {"label": label, "size": size, "folder": str(folder), **more}, needs)


def program(*things: Resource, stack: str = "s1") -> Program:
    return Program(stack, things)


def there(folder: Path) -> set[str]:
    return {path.name.removeprefix("thing-") for path in folder.glob("thing-*")}
