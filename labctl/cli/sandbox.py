"""`labctl sandbox ...`: the sandbox node's own command line, with this home filled in. It is a program of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from labctl import settings as settings_

_WITH_HOME = {"init", "serve", "status", "wipe"}


def add_to(app: typer.Typer) -> None:
    """Put the verb on the command line."""
    app.command("sandbox", context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})(sandbox)


def sandbox(words: Annotated[list[str] | None, typer.Argument(metavar="VERB [OPTIONS]")] = None) -> None:
    """The sandbox node: check, image, init, serve, status, wipe.

    For example:

      labctl sandbox check        what this machine lacks for real guests

      labctl sandbox image        build the guest image from Debian's packages

      labctl sandbox status       guests and their memory

      labctl sandbox wipe         stop and remove the node's guests, namespaces and files

      labctl sandbox --help
    """
    from labctl.services import node

    settings = settings_.Settings()
    argv = list(words or ["--help"])
    if argv[0] in _WITH_HOME and "--home" not in argv and "--help" not in argv:
        argv += ["--home", str(node.home(settings))]
    if argv[0] == "image" and "--cache" not in argv and "--help" not in argv:
        argv += ["--cache", str(settings.cache)]
    done = subprocess.run([sys.executable, "-m", "labctl.sandbox", *argv], check=False)
    raise typer.Exit(done.returncode)
