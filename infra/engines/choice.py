"""Which engine works here: the real CLI where a supported one is, else the embedded one; and how to get the real one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from infra import state
from infra.engines import embedded, engine
from labctl import errors

OLDEST = (3, 200)
BELOW = (4, 0)
"""CLI versions that are supported; 3.260 is the one that was run."""


@dataclass(frozen=True)
class Cli:
    """A CLI that was found, supported or not."""

    path: Path
    version: str
    supported: bool


def find(installed: Path | None = None) -> Cli | None:
    """`$LABCTL_PULUMI`, then what `install` put into `installed`, then the PATH."""
    named = os.environ.get("LABCTL_PULUMI")
    candidates = [named, str(installed / "bin" / "pulumi") if installed else None, shutil.which("pulumi")]
    for candidate in candidates:
        if candidate and Path(candidate).is_file():
            return _ask(Path(candidate))
    return None


def _ask(path: Path) -> Cli:
    environment = os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        done = subprocess.run([str(path), "version"], env=environment, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return Cli(path, "unknown", supported=False)
    answer = done.stdout.strip()
    match = re.match(r"v?(\d+)\.(\d+)\.", answer)
    return Cli(path, answer, supported=match is not None and OLDEST <= (int(match[1]), int(match[2])) < BELOW)


def choose(name: str, backend: state.Backend, passphrase_file: Path) -> engine.Engine:
    """`auto`, `embedded` or `pulumi`. Raises NotFound when the CLI is asked for and not there."""
    if name not in {"auto", "embedded", "pulumi"}:
        raise errors.BadInput(f"engine must be auto, embedded or pulumi, not {name!r}")
    cli = None if name == "embedded" else find(place(backend))
    if cli is not None and cli.supported:
        from infra.engines import pulumi  # gRPC is started only where the real engine is used

        return pulumi.Pulumi(backend, cli.path, passphrase_file)
    if name == "pulumi":
        raise errors.NotFound(_why(cli), hint='`labctl engine install` gets it, or set engine = "embedded".')
    return embedded.Embedded(backend)


def describe(name: str, backend: state.Backend) -> str:
    """For status and doctor: which engine works, and why."""
    cli = None if name == "embedded" else find(place(backend))
    if cli is not None and cli.supported:
        return f"pulumi {cli.version} ({cli.path})"
    if name == "pulumi":
        return f"none: {_why(cli)}"
    return "embedded" if name == "embedded" else f"embedded ({_why(cli)})"


def place(backend: state.Backend) -> Path:
    """Where `install` puts the CLI."""
    return backend.root.parent / "pulumi"


def install(backend: state.Backend) -> str:
    """Get the CLI from its vendor. Raises Unreachable with what to do instead, where that is impossible."""
    from pulumi.automation import PulumiCommand  # heavy, and only needed here

    target = place(backend)
    try:
        PulumiCommand.install(root=str(target))
    except Exception as error:
        shutil.rmtree(target, ignore_errors=True)
        raise errors.Unreachable(
            f"the vendor's installer did not work here: {error}",
            hint="Nothing is missing: the embedded engine does the same with the same state. Or put a `pulumi` on the PATH yourself.",
        ) from error
    cli = find(target)
    return f"pulumi {cli.version if cli else '?'} installed in {target}"


def _why(cli: Cli | None) -> str:
    if cli is None:
        return "no `pulumi` on the PATH"
    return f"{cli.path} has version {cli.version}, supported are {OLDEST[0]}.{OLDEST[1]} to before {BELOW[0]}.{BELOW[1]}"
