"""Bearer tokens of the API: create, list, revoke."""

from __future__ import annotations

from typing import Annotated

import typer

from labctl import settings as settings_
from labctl.cli import client, screen

app = typer.Typer(no_args_is_help=True, help="Tokens for the API: who may do what.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose it is: lower-case letters, digits, . _ -")],
    role: Annotated[str, typer.Option(help="trainer, it or learner.")] = "trainer",
    seat: Annotated[str | None, typer.Option(metavar="CLASS/SEAT", help="A learner's seat, e.g. monday/3.")] = None,
    until: Annotated[str | None, typer.Option(help="When it ends: +8h, 17:00, '2026-11-24 17:00'. Default: never.")] = None,
    json: screen.Json = False,
) -> None:
    """Make a token and print it, this once: only its hash is kept.

    For example:

      labctl token create eva

      labctl token create ops --role it

      labctl token create ada --role learner --seat monday/1 --until 17:00
    """
    classroom, _, number = (seat or "").partition("/")
    if seat and not number.isdecimal():
        raise typer.BadParameter("write it as CLASS/SEAT, e.g. monday/3", param_hint="--seat")
    body = {
        "name": name,
        "role": role,
        "classroom": classroom or None,
        "seat": int(number) if number else None,
        "expires": screen.moment(until).isoformat() if until else None,
    }
    made = client.Client(settings_.Settings()).post("/tokens", body)
    screen.data(made) if json else screen.say(made["secret"])


@app.command("list")
def list_(json: screen.Json = False) -> None:
    """Who has a token. Never the tokens themselves.

    For example:

      labctl token list
    """
    found = client.Client(settings_.Settings()).get("/tokens")
    if json:
        screen.data(found)
        return
    screen.table(
        ["name", "role", "environment", "until"], [[t["name"], t["role"], t["environment"] or "", t["expires"] or ""] for t in found]
    )


@app.command()
def revoke(name: Annotated[str, typer.Argument(help="Whose.")]) -> None:
    """Take a token back: it opens nothing from the next request on.

    For example:

      labctl token revoke eva
    """
    client.Client(settings_.Settings()).delete(f"/tokens/{name}")
    screen.say(f"The token `{name}` is revoked.")
