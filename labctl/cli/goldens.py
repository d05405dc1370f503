"""Golden machines on the command line: list, remove. They are baked by `labctl blueprint bake`, or by the first class that needs them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from labctl import errors
from labctl import settings as settings_
from labctl.cli import board as board_
from labctl.cli import client, screen

app = typer.Typer(no_args_is_help=True, help="Golden machines: what is the same for everybody, configured once; learners get clones.")


@app.command("list")
def list_(json: screen.Json = False) -> None:
    """The sets there are, with their age and the classes that stand on them.

    For example:

      labctl golden list
    """
    found = client.Client(settings_.Settings()).get("/goldens")
    if json:
        screen.data(found)
        return
    rows = [
        [one["name"], one["blueprint"], one["status"], one["fresh_until"], ", ".join(one["classes"]) or "-", _why(one)] for one in found
    ]
    if rows:
        screen.table(["golden machines", "blueprint", "state", "fresh until", "classes", "why not"], rows)
    else:
        screen.say("There are no golden machines. The first class of a blueprint has them baked; `labctl blueprint bake` does it ahead.")


def _why(one: dict[str, Any]) -> str:
    return "" if one["trouble"] is None or one["status"] == "ready" else str(one["trouble"]["reason"])


@app.command()
def remove(
    name: Annotated[str, typer.Argument(metavar="GOLDEN", help="A name from `labctl golden list`, or a blueprint's with one set only.")],
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until they are gone.")] = True,
) -> None:
    """Remove golden machines that no class stands on. The next class of that blueprint has them baked anew.

    For example:

      labctl golden remove web-attack-basics
    """
    api = client.Client(settings_.Settings())
    accepted = api.delete(f"/goldens/{name}")
    screen.say(accepted["what"])
    if not wait:
        return
    slug = accepted["look"].rpartition("/")[2]
    last = board_.watch(api, slug, board_.all_gone, quiet=True)
    if any(seat["status"] != "gone" for seat in last["seats"]):
        raise errors.PermanentError(f"the golden machines `{slug}` are not gone yet.", hint="`labctl golden list` says why.")
    screen.say(f"The golden machines `{slug}` are gone. A search of the cluster found nothing left of them.")


def baked(board: board_.Board) -> bool:
    """Ready, or never to be."""
    return all(seat["status"] in {"ready", "failed", "gone"} for seat in board["seats"])
