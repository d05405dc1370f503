"""Blueprints on the command line: list, check, plan, bake. They need no running labctl, but for bake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labctl import errors
from labctl import settings as settings_
from labctl.cli import fit, screen

if TYPE_CHECKING:
    from labctl import wiring as wiring_
    from labctl.drivers import shelf
    from labctl.model import summary

# The language's models and the database take a second to import: each verb imports what it needs.

app = typer.Typer(no_args_is_help=True, help="Courses as text files: list, check, plan, bake.")

Which = Annotated[str, typer.Argument(metavar="BLUEPRINT", help="A name from `labctl blueprint list`, or a path to a blueprint's folder.")]


@app.command("list")
def list_(json: screen.Json = False) -> None:
    """The courses there are.

    For example:

      labctl blueprint list
    """
    found = _shelf().list()
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
    from labctl.drivers import shelf_guide

    try:
        book = _shelf().book(which)
        warnings = (*book.warnings, *shelf_guide.read(book)[1])
    except errors.BadInput as error:
        if not json:
            raise
        screen.data({"blueprint": which, "good": False, "complaints": [one.__dict__ for one in error.complaints], "message": error.message})
        raise typer.Exit(1) from None
    if json:
        screen.data({"blueprint": book.name, "good": True, "complaints": [one.__dict__ for one in warnings]})
        return
    for warning in warnings:
        screen.say(str(warning))
    screen.say(f"{book.name} is good.")


@app.command("hash")
def hash_(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The right answer.")],
    case: Annotated[bool, typer.Option("--case", help="Capital letters count, as with `case: true`.")] = False,
) -> None:
    """The SHA-256 of an answer, to be written into a blueprint instead of the answer itself.

    For example:

      labctl blueprint hash "storm lantern"
    """
    from labctl.model import tasks

    screen.say(tasks.hashed(text, case=case))


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
    from labctl import wiring
    from labctl.model import preview, summary

    settings = settings_.Settings()
    wired = wiring.build(settings)
    book = wired.shelf.book(which)
    site = wired.site if settings.site_file.exists() else preview.offline_site(book.blueprint)
    plans = preview.plans(book.blueprint, site, seats, f"{book.name}@{book.digests.blueprint}", pairs(answer or []))
    found = summary.of(book.blueprint, plans[0], seats)
    fits, unknown = _fit(wired, book, seats, pairs(answer or [])) if settings.site_file.exists() else (None, "no site is set up yet")
    if json:
        screen.data({**found.model_dump(mode="json"), "fit": fits, "fit_unknown": unknown})
        return
    _show(found)
    screen.say("")
    fit.show(fits) if fits else screen.say(f"Whether it fits is not known: {unknown}")
    screen.say("")
    first = plans[0]
    screen.say(f"seat 1 would be pool {first.pool}, guests {', '.join(str(machine.vmid) for machine in first.machines)}.")


@app.command()
def bake(
    which: Annotated[str, typer.Argument(metavar="BLUEPRINT", help="A name from `labctl blueprint list`.")],
    wait: Annotated[bool, typer.Option("--wait", help="Show what happens until they are ready.")] = False,
    json: screen.Json = False,
) -> None:
    """Bake a blueprint's golden machines ahead of its first class: everything that is the same for all learners, done once.

    Where they are there already nothing is done. `labctl golden list` shows them.

    For example:

      labctl blueprint bake web-attack-basics --wait
    """
    from labctl.cli import board, client, goldens

    api = client.Client(settings_.Settings())
    accepted = api.post(f"/blueprints/{which}/bake")
    if not wait:
        screen.data(accepted) if json else screen.say(accepted["what"])
        return
    slug = accepted["look"].rpartition("/")[2]
    last = board.watch(api, slug, goldens.baked, quiet=json)
    seat = last["seats"][0]
    if json:
        screen.data(last)
    if seat["status"] != "ready":
        reason = seat["trouble"]["reason"] if seat["trouble"] else f"they are {seat['status']}"
        raise errors.PermanentError(f"the golden machines of `{which}` could not be baked: {reason}", hint="Nothing half-made is left.")
    if not json:
        screen.say(f"The golden machines of `{which}` are ready: classes of it start from clones of them.")


def _fit(wired: wiring_.Wiring, book: shelf.Book, seats: int, answers: dict[str, str]) -> tuple[dict[str, Any] | None, str]:
    """The answer, or why there is none."""
    from labctl.model import capacity

    try:
        return capacity.told(wired.fitting.of(book, seats, answers=answers)), ""
    except errors.LabctlError as error:
        return None, error.told


def _shelf() -> shelf.Shelf:
    from labctl import wiring

    return wiring.build(settings_.Settings()).shelf


def pairs(words: Sequence[str]) -> dict[str, str]:
    """KEY=VALUE words as a mapping. Raises BadInput."""
    answers = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise errors.BadInput(f"`{word}` is not KEY=VALUE.", hint="For example --set difficulty=hard.")
        answers[key] = value
    return answers


def _show(found: summary.Summary) -> None:
    whole = found.classroom
    screen.say(f"{found.title} ({found.blueprint}) for {found.seats} learner{'' if found.seats == 1 else 's'}")
    screen.say(
        f"together: {whole.machines} guests, {whole.networks} lab networks, {screen.size(whole.memory_mib * 2**20)} of memory, "
        f"{whole.busy_cpus} busy cores; disks asked for: {whole.disk_gib} GiB"
    )
    screen.say("")
    rows = [
        [m.name, m.kind, m.image, f"{m.cpus} cpu, {m.memory_mib} MiB", ", ".join(m.addresses), m.login if "terminal" in m.access else "-"]
        for m in found.machines
    ]
    screen.table(["machine", "kind", "image", "size", "lab addresses", "login"], rows)
    if found.networks:
        screen.say("")
        screen.table(
            ["network", "range", "gateway", "machines"], [[n.name, n.cidr, n.gateway or "-", ", ".join(n.machines)] for n in found.networks]
        )
    screen.say("")
    for number, step in enumerate(found.steps, start=1):
        screen.say(f"step {number}: {step.title} ({step.kind} on {', '.join(step.hosts)})")
    for number, check in enumerate(found.checks, start=1):
        screen.say(f"check {number}: {check}")
    for app_ in found.apps:
        screen.say(f"app {app_.name}: {app_.title} (port {app_.port} of {app_.machine}), for seat 1 {app_.url}")
    for variable in found.variables:
        screen.say(f"variable {variable.name}: {variable.made}, one for each seat{'' if variable.shown else ', not shown to learners'}")
