"""`labctl code`: a one-time code for a learner without a key."""

from __future__ import annotations

from typing import Annotated

import typer

from labctl import settings as settings_
from labctl.cli import client, screen


def add_to(app: typer.Typer) -> None:
    """Put the verb on the command line."""
    app.command("code")(code)


def code(
    name: Annotated[str, typer.Argument(metavar="CLASS", help="The class's name.")],
    seat: Annotated[int, typer.Argument(help="The seat's number.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a code with which the learner comes in by plain ssh, without any key. It is good once, for two minutes.

    For example:

      labctl code monday 3
    """
    settings = settings_.Settings()
    found = client.Client(settings).post(f"/classrooms/{name}/seats/{seat}/code")
    if json:
        screen.data(found)
        return
    for machine in found["machines"]:
        screen.say(f"ssh {found['login']}+{machine}@{found['host']} -p {found['port']}")
    screen.say(f"Code: {found['code']}   (good once, for two minutes)")
