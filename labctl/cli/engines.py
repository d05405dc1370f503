"""The engine that makes resources agree with the Pulumi program: show which, install the real one."""

from __future__ import annotations

import typer

from labctl import settings as settings_
from labctl.cli import screen
from labctl.services import engine

app = typer.Typer(no_args_is_help=True, help="The Pulumi engine: the real CLI, or the one labctl brings.")


@app.command()
def show(json: screen.Json = False) -> None:
    """Which engine works here, and why.

    For example:

      labctl engine show

      LABCTL_ENGINE=pulumi labctl engine show
    """
    settings = settings_.Settings()
    said = engine.describe(settings)
    screen.data({"setting": settings.engine, "engine": said}) if json else screen.say(said)


@app.command()
def install() -> None:
    """Install the real Pulumi CLI with its vendor's installer, in the version this labctl was made for.

    Not needed: the embedded engine runs the same program on the same state. Needs the internet (get.pulumi.com).

    For example:

      labctl engine install
    """
    screen.say(engine.install(settings_.Settings()))
