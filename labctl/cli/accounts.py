"""People: accounts, and the links and codes by which others come in."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from labctl import errors
from labctl import settings as settings_
from labctl.cli import client, screen

app = typer.Typer(no_args_is_help=True, help="Accounts: who signs in, with which roles.")
invite = typer.Typer(no_args_is_help=True, help="Links and codes by which people come in. Each is shown once.")


class Role(StrEnum):
    """What an account may be."""

    TRAINER = "trainer"
    IT = "it"
    AUTHOR = "author"


Email = Annotated[str, typer.Argument(help="Mail address: it names them here; nothing is sent to it.")]
Name = Annotated[str, typer.Option(help="Their name. Default: whoever has the link says it.")]
Room = Annotated[str, typer.Argument(metavar="CLASS", help="The class's name.")]


@app.command("list")
def list_(json: screen.Json = False) -> None:
    """All accounts.

    For example:

      labctl account list
    """
    found = _api().get("/accounts")
    if json:
        screen.data(found)
        return
    rows = [[a["email"], a["name"], ", ".join(a["roles"]), "provider" if a["provider"] else "here", a["closed"] or ""] for a in found]
    screen.table(["address", "name", "roles", "signs in by", "closed"], rows)


@app.command()
def link(email: Email, json: screen.Json = False) -> None:
    """A link by which somebody chooses anew how to sign in: for a forgotten password, or a lost passkey.

    For example:

      labctl account link eva@example.org
    """
    api = _api()
    _show(api.post(f"/accounts/{_id(api, email)}/link"), json)


@app.command("sign-out")
def sign_out(email: Email) -> None:
    """End all of somebody's sessions, at once.

    For example:

      labctl account sign-out eva@example.org
    """
    api = _api()
    ended = api.post(f"/accounts/{_id(api, email)}/sign-out")["ended"]
    screen.say(f"{email} is signed out everywhere ({ended} sessions).")


@app.command()
def close(email: Email) -> None:
    """Nobody comes in with this account any more. What it did stays in the journal.

    For example:

      labctl account close eva@example.org
    """
    api = _api()
    api.delete(f"/accounts/{_id(api, email)}")
    screen.say(f"The account of {email} is closed.")


@app.command()
def roles(
    email: Email,
    role: Annotated[list[Role] | None, typer.Option(help="May be given more than once.")] = None,
    none: Annotated[bool, typer.Option("--none", help="No role: they sit on the seats that rosters give to their address.")] = False,
) -> None:
    """Give somebody these roles and no others, at once. The last account of IT keeps that role.

    For example:

      labctl account roles eva@example.org --role trainer --role author
    """
    if bool(role) == none:
        raise typer.BadParameter("give --role (once or more), or --none", param_hint="--role")
    api = _api()
    now = api.put(f"/accounts/{_id(api, email)}/roles", {"roles": role or []})["roles"]
    screen.say(f"{email} has the roles: {', '.join(now) or 'none'}.")


@invite.command()
def person(
    email: Email,
    role: Annotated[list[Role] | None, typer.Option(help="May be given more than once.")] = None,
    name: Name = "",
    json: screen.Json = False,
) -> None:
    """A link by which somebody gets an account.

    For example:

      labctl invite person eva@example.org --role trainer --name "Eva Schmit"
    """
    _show(_api().post("/accounts", {"name": name, "email": email, "roles": role or ["trainer"]}), json)


@invite.command()
def trainer(room: Room, email: Email, name: Name = "", json: screen.Json = False) -> None:
    """A link by which somebody comes to run this one class, and nothing else: an outside professional, say.

    For example:

      labctl invite trainer monday otto@example.com
    """
    _show(_api().post(f"/classrooms/{room}/invitations", {"name": name, "email": email}), json)


@invite.command()
def code(room: Room, json: screen.Json = False) -> None:
    """A code by which learners without an account take their seats. The one before is not good any more.

    For example:

      labctl invite code monday
    """
    made = _api().post(f"/classrooms/{room}/join-code")
    if json:
        screen.data(made)
        return
    screen.say(f"{made['code']}   {made['url']}")


@invite.command()
def seat(
    place: Annotated[str, typer.Argument(metavar="CLASS/SEAT", help="e.g. monday/3")],
    json: screen.Json = False,
) -> None:
    """A link that seats a learner without a code, in any browser.

    For example:

      labctl invite seat monday/3
    """
    room, _, number = place.partition("/")
    if not number.isdecimal():
        raise typer.BadParameter("write it as CLASS/SEAT, e.g. monday/3", param_hint="CLASS/SEAT")
    _show(_api().post(f"/classrooms/{room}/seats/{number}/link"), json)


def _api() -> client.Client:
    return client.Client(settings_.Settings())


def _id(api: client.Client, email: str) -> str:
    for known in api.get("/accounts"):
        if known["email"] == email.strip().lower():
            return str(known["id"])
    raise errors.NotFound(f"there is no account for {email}.", hint="`labctl account list` shows all accounts.")


def _show(made: dict[str, Any], json: bool) -> None:
    if json:
        screen.data(made)
        return
    screen.say(made["url"])
    screen.say(f"Good once, until {made['until'][:16].replace('T', ' ')} UTC.")
