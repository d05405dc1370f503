"""Single seats of a running class on the command line: swap for a spare. The API does the work."""

from __future__ import annotations

from typing import Annotated

import typer

from labctl import settings as settings_
from labctl.cli import board as board_
from labctl.cli import classes, client, screen

app = classes.app


@app.command()
def swap(
    name: classes.Name,
    seat: Annotated[int, typer.Argument(help="The number of the seat whose machines are bad.")],
    keep: Annotated[bool, typer.Option("--keep", help="Keep the bad machines aside for a look, instead of removing them.")] = False,
    refill: Annotated[bool, typer.Option("--refill", help="Make a new spare in place of the one that was used.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until the seat is ready.")] = False,
    json: screen.Json = False,
) -> None:
    """Give a learner the machines of a spare, within seconds. Identity, values and files for ssh stay the learner's own.

    For example:

      labctl class swap monday 3

      labctl class swap monday 3 --keep --refill --wait
    """
    api = client.Client(settings_.Settings())
    done = api.post(f"/classrooms/{name}/seats/{seat}/swap", {"keep": keep, "refill": refill})
    if json:
        screen.data(done)
    else:
        screen.say(done["what"])
        screen.say(f"The old ones are {'kept aside as' if done['kept'] else 'removed from'} seat {done['spare']}.")
        if done["added"]:
            screen.say(f"Seat {done['added']} becomes a new spare.")
        if done["not_added"]:
            screen.say(f"There is no new spare: {done['not_added']}")
    if wait:
        last = board_.watch(api, name, lambda seen: classes.settled(seen, seat), quiet=json)
        classes.fail_unless_ready({**last, "seats": [one for one in last["seats"] if one["number"] == seat]})
