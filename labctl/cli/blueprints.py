"""Blueprints on the command line: list, check, plan. They need no running labctl."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from labctl import errors, wiring
from labctl import settings as settings_
from labctl.cli import screen
from labctl.model import plan as plan_
from labctl.model import preview as preview_

app = typer.Typer(no_args_is_help=True, help="Courses as text files: list, check, plan.")

Which = Annotated[str, typer.Argument(metavar="BLUEPRINT", help="A name from `labctl blueprint list`, or a path to a blueprint's folder.")]


@app.command("list")
def list_(json: screen.Json = False) -> None:
    """The courses there are.

    For example:

      labctl blueprint list
    """
    found = wiring.build(settings_.Settings()).shelf.list()
    if json:
        screen.data([one.__dict__ for one in found])
        return
    rows = [[one.name, one.broken or one.title, one.area, one.level, str(one.machines)] for one in found]
    screen.table(["blueprint", "title", "area", "level", "machines"], rows) if rows else screen.say("There is no blueprint.")


@app.command()
def check(which: Which, json: screen.Json = False) -> None:
    """Read a blueprint and say everything that is wrong with it, with file, line, column and what was expected.

    Exit 0 when it is good (warnings are shown), 1 when not.

    For example:

      labctl blueprint check web-attack-basics

      labctl blueprint check ./my-lab
    """
    try:
        book = wiring.build(settings_.Settings()).shelf.book(which)
    except errors.BadInput as error:
        if not json:
            raise
        screen.data({"blueprint": which, "good": False, "complaints": [one.__dict__ for one in error.complaints], "message": error.message})
        raise typer.Exit(1) from None
    if json:
        screen.data({"blueprint": book.name, "good": True, "complaints": [one.__dict__ for one in book.warnings]})
        return
    for warning in book.warnings:
        screen.say(str(warning))
    screen.say(f"{book.name} is good.")


@app.command()
def plan(
    which: Which,
    seats: Annotated[int, typer.Option("--seats", "-s", help="For how many learners.")] = 1,
    answer: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE for a variable of the blueprint; may be repeated.")] = None,
    json: screen.Json = False,
) -> None:
    """What would be made for so many learners: guests, networks, addresses, steps. Nothing is made.

    It is the planner of the real run. Where no site is set up yet, every image is taken to be there.

    For example:

      labctl blueprint plan web-attack-basics --seats 30

      labctl blueprint plan ./my-lab --json
    """
    settings = settings_.Settings()
    wired = wiring.build(settings)
    book = wired.shelf.book(which)
    site = wired.site if settings.site_file.exists() else preview_.offline_site(book.blueprint)
    found = preview_.preview(book.blueprint, site, seats, f"{book.name}@{book.digests.blueprint}", pairs(answer or []))
    if json:
        screen.data(preview_.shown(found))
        return
    screen.say(f"{book.name} for {seats} learner{'s' if seats > 1 else ''}: {found.guests} guests, {found.networks} lab networks.")
    screen.say(f"Memory up to {screen.size(found.memory * 2**20)}; disks asked for: {found.disk} GiB (linked clones take what is written).")
    _show(found.plans[0])


def pairs(words: Sequence[str]) -> dict[str, str]:
    """KEY=VALUE words as a mapping. Raises BadInput."""
    answers = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise errors.BadInput(f"`{word}` is not KEY=VALUE.", hint="For example --set difficulty=hard.")
        answers[key] = value
    return answers


def _show(first: plan_.Plan) -> None:
    screen.say("")
    screen.say(f"Seat 1 (all seats have the same lab addresses; VMIDs, management addresses and VNets differ): pool {first.pool}")
    rows = [[m.name, m.kind, m.image, str(m.vmid), f"{m.cpus} cpu, {m.memory} MiB", _nics(m), m.login] for m in first.machines]
    screen.table(["machine", "kind", "image", "vmid", "size", "addresses", "login"], rows)
    if first.networks:
        screen.say("")
        screen.table(["network", "vnet", "tag", "range"], [[n.name, n.vnet, str(n.tag or ""), n.cidr] for n in first.networks])
    screen.say("")
    for number, step in enumerate(first.steps, start=1):
        screen.say(f"step {number}: {step.kind} {step.what} on {', '.join(step.hosts)}: {step.title}")
    for number, one in enumerate(first.checks, start=1):
        screen.say(f"check {number}: {one.kind} {one.what} on {one.machine}")
    if first.variables:
        screen.say(f"variables drawn for each seat: {', '.join(one.name for one in first.variables)}")


def _nics(machine: plan_.PlannedMachine) -> str:
    return ", ".join(f"{nic.network or 'management'} {nic.address or 'no address'}" for nic in machine.nics)
