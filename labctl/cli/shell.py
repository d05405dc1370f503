"""`labctl ssh`: into a learner's machine with plain OpenSSH and the seat's own bundle."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated

import typer

from labctl import errors
from labctl import settings as settings_
from labctl.cli import client


def add_to(app: typer.Typer) -> None:
    """Put the verb on the command line."""
    app.command("ssh", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})(ssh)


def fetch(api: client.Client, settings: settings_.Settings, name: str, seat: int) -> tuple[Path, list[str]]:
    """A fresh bundle of the seat, written to the home; the path of its `config` and the machines one may enter."""
    from labctl import ports
    from labctl.drivers import ssh_ca

    found = api.post(f"/classrooms/{name}/seats/{seat}/bundle")
    bundle = ports.Bundle(files=found["files"], hosts=tuple(found["hosts"]))
    for folder in (settings.home / "bundles", settings.home / "bundles" / name):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return ssh_ca.write_bundle(bundle, settings.home / "bundles" / name / str(seat)), found["hosts"]


def command(config: Path, machine: str) -> list[str]:
    """What to type. It works from any folder."""
    return ["ssh", "-F", str(config), machine]


def ssh(
    name: Annotated[str, typer.Argument(metavar="CLASS", help="The class's name.")],
    seat: Annotated[int, typer.Argument(help="The seat's number.")],
    machine: Annotated[str | None, typer.Argument(help="Which machine; the blueprint's first one when left out.")] = None,
    words: Annotated[list[str] | None, typer.Argument(metavar="[COMMAND]...", help="A command to run there instead of a shell.")] = None,
) -> None:
    """Log in to a learner's machine as the learner does: with the seat's own short-lived certificate.

    For example:

      labctl ssh monday 3

      labctl ssh monday 3 attacker

      labctl ssh monday 3 attacker uname -a

      labctl ssh monday 3 -- uname -a
    """
    words = words or []
    if machine == "--":  # options of the command are not ours to read, so the separator arrives here as a word
        machine = None
    elif words[:1] == ["--"]:
        words = words[1:]
    settings = settings_.Settings()
    config, hosts = fetch(client.Client(settings), settings, name, seat)
    if not hosts:
        raise errors.Conflict(f"seat {seat} of `{name}` has no machine to log in to.", hint=f"`labctl class show {name}` shows its state.")
    chosen = machine or hosts[0]
    if chosen not in hosts:
        raise errors.NotFound(f"seat {seat} of `{name}` has no machine `{chosen}` to log in to.", hint=f"There are: {', '.join(hosts)}.")
    program = shutil.which("ssh")
    if program is None:
        raise errors.NotFound("there is no `ssh` on this machine.", hint="apt-get install openssh-client")
    os.execv(program, [*command(config, chosen), *words])  # noqa: S606  (ssh takes over the terminal; no shell is between)
