"""Classes on the command line: open, list, show, extend, reset, close. The API does the work."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from labctl import errors
from labctl import settings as settings_
from labctl.cli import blueprints, client, fit, screen
from labctl.cli import board as board_
from labctl.cli import learners as learners_

app = typer.Typer(no_args_is_help=True, help="Classes: a blueprint, a roster and a window of time.")

Name = Annotated[str, typer.Argument(metavar="CLASS", help="The class's name.")]


@app.command("open")
def open_(
    blueprint: Annotated[str, typer.Argument(help="The course: a name from `labctl blueprint list`.")],
    name: Annotated[str, typer.Option("--name", "-n", help="The class's name, unique among open classes.")],
    roster: learners_.Roster = None,
    learner: learners_.Learner = None,
    by_code: learners_.ByCode = None,
    starts: Annotated[
        str | None, typer.Option("--from", help="When machines may be made: +30m, 09:00, '2026-11-24 09:00'. Default: now.")
    ] = None,
    ends: Annotated[
        str | None, typer.Option("--until", help="When everything is removed. Default: after the hours that the blueprint names.")
    ] = None,
    title: Annotated[str, typer.Option(help="A title for people.")] = "",
    answer: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE for a variable of the blueprint; may be repeated.")] = None,
    seats: Annotated[int | None, typer.Option("--seats", help="Only the first so many learners of the roster.")] = None,
    spares: Annotated[int, typer.Option("--spares", help="Seats without a learner, made ready like the others, for `class swap`.")] = 0,
    may_join: Annotated[
        bool, typer.Option("--may-join", help="Learners agree beforehand that trainers type in their terminals; else each is asked.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say whether it fits and when it would be ready. Nothing is made.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Show the board until every seat is ready.")] = False,
    json: screen.Json = False,
) -> None:
    """Open a class: machines of their own for every learner.

    Who that is says a roster, a list of names, or a number of seats for whoever has the class's code; learners without a mail address
    come in by the code, too.

    Everything is checked first (blueprint, learners, dates, room on the cluster); if anything is wrong, nothing is made.

    For example:

      labctl class open web-attack-basics --name monday --roster roster.csv

      labctl class open web-attack-basics -n monday -r roster.csv --spares 2 --dry-run

      labctl class open linux-first-steps -n evening -r roster.csv --from 18:00 --until +6h --wait

      labctl class open linux-first-steps -n trial -l "Ada Lovelace" -l "Grace Hopper"

      labctl class open linux-first-steps -n fair --by-code 20
    """
    api = client.Client(settings_.Settings())
    found = learners_.wanted(roster, learner or [], by_code, seats)
    body = {
        "blueprint": blueprint,
        "name": name,
        "title": title,
        "roster": found.roster,
        "starts": screen.moment(starts).isoformat() if starts else None,
        "ends": screen.moment(ends).isoformat() if ends else None,
        "answers": blueprints.pairs(answer or []),
        "seats": seats,
        "spares": spares,
        "may_join": may_join,
    }
    if dry_run:
        _dry_run(api, body, seats or found.number, json=json)
        return
    accepted = api.post("/classrooms", body)
    code = api.post(f"/classrooms/{name}/join-code") if found.by_code else {}
    if json and not wait:
        screen.data(accepted | code)
        return
    if code and not json:
        screen.say(f"Learners come in with the code {code['code']}: {code['url']}")
    if not wait:
        screen.say(f"{accepted['what']} Look at it with `labctl class show {name} --watch`.")
        return
    last = board_.watch(api, name, board_.all_ready, quiet=json)
    if json:
        screen.data(last)
    fail_unless_ready(last)


def _dry_run(api: client.Client, body: dict[str, Any], seats: int, *, json: bool) -> None:
    """Exit 0 when it fits, 1 when not."""
    found = api.post("/classrooms/fit", {"seats": seats, **{key: body[key] for key in ("blueprint", "spares", "starts", "answers")}})
    screen.data(found) if json else fit.show(found)
    if not found["fits"]:
        raise typer.Exit(1)


def fail_unless_ready(last: dict[str, Any]) -> None:
    """Exit 0 when every learner's seat is ready; 3 when the others go on by themselves, 1 when a person must look. Says which are
    not, and why: the class can be used with the others.
    """
    learners = [seat for seat in last["seats"] if not seat["spare"] and not seat["aside"]]
    bad = [seat for seat in learners if seat["status"] != "ready"]
    for seat in last["seats"]:
        if seat["spare"] and seat["status"] in {"failed", "stuck"}:
            screen.err.print(f"spare {seat['number']} is {seat['status']}: {board_.reason(seat)}", markup=False)
    if not bad:
        return
    ready = len(learners) - len(bad)
    which = "; ".join(f"seat {seat['number']} ({seat['learner']}): {board_.reason(seat)}" for seat in bad)
    text = f"{ready} of {len(learners)} seats are ready{' and can be used' if ready else ''}; not so: {which}"
    slug = last["classroom"]["slug"]
    if any(seat["status"] == "failed" for seat in bad):
        raise errors.PermanentError(text, hint=f"`labctl class reset {slug} SEAT` starts a seat again; `labctl class swap` takes a spare.")
    raise errors.TemporaryError(text, hint=f"They go on by themselves; look at them with `labctl class show {slug} --watch`.")


@app.command("list")
def list_(
    closed: Annotated[bool, typer.Option("--closed", help="Closed classes too.")] = False,
    json: screen.Json = False,
) -> None:
    """Classes there are, and how many of their seats are ready.

    For example:

      labctl class list

      labctl class list --closed --json
    """
    rooms = client.Client(settings_.Settings()).get("/classrooms", closed=closed)
    if json:
        screen.data(rooms)
        return
    rows = [
        [
            r["slug"],
            r["blueprint"],
            f"{r['counts']['ready']}/{r['counts']['seats']}{' PAPER' * (r['guests'] == 'paper')}",
            r["ends"],
            r["trainer"],
        ]
        for r in rooms
    ]
    screen.table(["class", "blueprint", "ready", "until", "trainer"], rows) if rows else screen.say("No class is open.")


@app.command()
def show(
    name: Name,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay and show changes, until Ctrl-C or the end of the class.")] = False,
    json: screen.Json = False,
) -> None:
    """The board of a class: each seat with its step, its time and the reason when it is not well.

    For example:

      labctl class show monday

      labctl class show monday --watch

      labctl class show monday --json
    """
    api = client.Client(settings_.Settings())
    if watch:
        board_.watch(api, name, board_.never)
        return
    found = api.get(f"/classrooms/{name}")
    if json:
        screen.data(found)
    else:
        screen.out.print(board_.render(found), soft_wrap=False)


@app.command()
def extend(name: Name, until: Annotated[str, typer.Argument(help="The new end: +1h counts from now; 18:30; '2026-11-24 18:30'.")]) -> None:
    """Give a class more time.

    For example:

      labctl class extend monday 18:30

      labctl class extend monday +2h
    """
    room = client.Client(settings_.Settings()).post(f"/classrooms/{name}/extend", {"until": screen.moment(until).isoformat()})
    screen.say(f"Class `{name}` now ends at {room['ends']}.")


@app.command()
def reset(
    name: Name,
    seat: Annotated[int, typer.Argument(help="The seat's number.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Go back to what was there before the last reset.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until the seat is ready again.")] = False,
) -> None:
    """Start one seat again, from the state in which it first was ready. What was there can be had back for an hour (--undo).

    Also the way to try again after a step failed for good.

    For example:

      labctl class reset monday 3

      labctl class reset monday 3 --yes --wait

      labctl class reset monday 3 --undo
    """
    api = client.Client(settings_.Settings())
    found = api.get(f"/classrooms/{name}/seats/{seat}")
    since = "the reset" if undo else "it was ready"
    question = f"{found['learner'] or 'Nobody'}'s work on seat {seat} since {since} is taken away. Go on?"
    if not yes and screen.out.is_terminal and not typer.confirm(question):
        raise typer.Exit(1)
    accepted = api.post(f"/classrooms/{name}/seats/{seat}/{'undo' if undo else 'reset'}")
    screen.say(accepted["what"])
    if wait:
        last = board_.watch(api, name, lambda seen: settled(seen, seat))
        fail_unless_ready({**last, "seats": [one for one in last["seats"] if one["number"] == seat]})


def settled(seen: dict[str, Any], seat: int) -> bool:
    """Whether that seat is ready, or watching longer would show nothing new."""
    return all(one["status"] in board_.RESTS for one in seen["seats"] if one["number"] == seat)


@app.command()
def close(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until everything is gone and say what was removed.")] = True,
    json: screen.Json = False,
) -> None:
    """Close a class: remove everything of it, and show that nothing is left.

    May be repeated; a removal that was cut off goes on. Exit 0 only when a search found nothing left.

    For example:

      labctl class close monday

      labctl class close monday --yes --no-wait
    """
    api = client.Client(settings_.Settings())
    room = api.get(f"/classrooms/{name}")["classroom"]
    question = f"All machines of the {room['counts']['seats']} seats of `{name}` and what is in them are removed. Go on?"
    if not yes and not json and screen.out.is_terminal and not typer.confirm(question):
        raise typer.Exit(1)
    accepted = api.post(f"/classrooms/{name}/close")
    if not wait:
        screen.data(accepted) if json else screen.say(f"{accepted['what']} Look at it with `labctl class show {name} --watch`.")
        return
    report(api, name, json=json)


def report(api: client.Client, name: str, *, json: bool = False) -> None:
    """Wait for the end of a removal, then print what was removed and what a search found."""
    begin = time.monotonic()
    last = board_.watch(api, name, board_.all_gone, quiet=json)
    seats = {seat["environment"]: f"seat {seat['number']} {seat['learner'] or ''}" for seat in last["seats"]}
    order = list(seats)
    told = [line for line in journal(api, name) if _tells_of_removal(line)]
    lines = sorted(told, key=lambda line: (order.index(line["environment"]), line["number"]))
    left = [seat for seat in last["seats"] if seat["status"] != "gone"]
    if json:
        screen.data(
            {"classroom": name, "gone": not left, "removed": [line["text"] for line in lines], "left": [s["trouble"] for s in left]}
        )
    else:
        for line in lines:
            screen.say(f"  {seats.get(line['environment'], ''):<24} {line['text']}")
    if left:
        reasons = "; ".join(f"seat {s['number']}: {s['trouble']['reason'] if s['trouble'] else s['status']}" for s in left)
        raise errors.PermanentError(
            f"something of `{name}` is left: {reasons}",
            hint=f"`labctl class close {name}` tries again; `labctl doctor` looks for the cause.",
        )
    if not json:
        took = f"{len(seats)} seats, {time.monotonic() - begin:.1f} s"
        screen.say(f"Class `{name}` is gone ({took}). A search of the cluster found nothing left of it.")
        _say_what_stays(api, last["classroom"]["blueprint"])


def _say_what_stays(api: client.Client, blueprint: str) -> None:
    """Golden machines belong to no class: the next one of the blueprint starts from them."""
    kept = [one["name"] for one in api.get("/goldens") if one["blueprint"] == blueprint and one["status"] == "ready"]
    if kept:
        screen.say(f"Golden machines of {blueprint} stay for its next class ({', '.join(kept)}; `labctl golden remove` takes them away).")


def _tells_of_removal(line: dict[str, Any]) -> bool:
    # What the engine took off its record has been told as a guest, network or pool of the cluster already.
    noise = line["text"].startswith(("begins", "done ")) or line["text"].endswith("(on record)")
    return bool(line["step"] == "remove" and not noise)


def journal(api: client.Client, name: str) -> list[dict[str, Any]]:
    """All lines of a class's journal."""
    lines: list[dict[str, Any]] = []
    while more := api.get(f"/classrooms/{name}/journal", after=lines[-1]["number"] if lines else 0, limit=1000):
        lines += more
    return lines
