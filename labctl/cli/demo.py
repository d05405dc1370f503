"""`labctl demo`: the main job on this machine, from nothing to learners who can log in. `make demo` runs it.

It may be stopped with Ctrl-C at any moment and run again: each part looks at what is there and goes on from it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
import webbrowser
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from labctl import errors
from labctl import settings as settings_
from labctl.cli import board as board_
from labctl.cli import client, learners, machine, screen, shell

NAME = "demo"
BLUEPRINT = "web-attack-basics"
TRAINER = "trainer@example.org"
"""The account of the demo's trainer; nothing is sent there."""

LOGIN_WAIT = timedelta(seconds=30)
"""The proof has logged in already; a printed login that takes longer than this is not well."""


def add_to(app: typer.Typer) -> None:
    """Put the verb on the command line."""
    app.command()(demo)


def demo(
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser, where there is a display.")] = True,
) -> None:
    """Start labctl here, open a class of three, show its board, print each learner's ssh command and links for the browser.

    Run it again at any time: it goes on from what is there. `labctl class close demo` takes the class away, `labctl down` stops
    labctl.

    For example:

      labctl demo --no-browser
    """
    begin = time.monotonic()
    settings = settings_.Settings()
    machine.up()
    api = client.Client(settings)
    slug = _open(api)
    last = _watched(api, slug)
    commands = _logins(api, settings, last)
    page, links = _links(api, slug, last)
    screen.say("")
    for line in [*commands, "", *links]:
        screen.say(line)
    screen.say("")
    screen.say(f"Each of these logins was tried just now and works. All of it took {screen.span(time.monotonic() - begin)}.")
    me = _typed()
    screen.say(f"Look:   {me} class show {slug} --watch      {me} status")
    screen.say(f"Close:  {me} class close {slug}              (removes everything of the class and shows that nothing is left)")
    screen.say(f"Stop:   {me} down")
    if browser and _display():
        # The page's address and not a link: whoever lists processes sees what a browser is called with.
        webbrowser.open_new_tab(page)


def _display() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _typed() -> str:
    """How this very labctl is called from here: by name where the PATH leads to it, else by its path."""
    own = Path(sys.executable).parent / "labctl"
    found = shutil.which("labctl")
    return "labctl" if found and Path(found).resolve() == own.resolve() else str(own)


def _open(api: client.Client) -> str:
    """The demo's class: the one that is there, or a new one."""
    found = _found(api)
    if found is not None and _on_its_way_out(found):
        screen.say(f"The class `{NAME}` of before is still being removed; waiting for that first.")
        board_.watch(api, NAME, board_.all_gone)
        found = None
    if found is not None:
        ready = found["classroom"]["counts"]["ready"]
        screen.say(f"The class `{NAME}` is already there ({ready} of {len(found['seats'])} seats ready); going on with it.")
        for seat in found["seats"]:
            if seat["status"] in {"failed", "stuck"}:
                screen.say(f"Seat {seat['number']} had failed; it starts again.")
                api.post(f"/classrooms/{NAME}/seats/{seat['number']}/reset")
        return NAME
    roster = Path(__file__).resolve().parents[2] / "examples" / "roster.csv"
    body = {"blueprint": BLUEPRINT, "name": NAME, "title": "Demonstration", "roster": learners.read(roster).roster}
    screen.say(api.post("/classrooms", body)["what"])
    return NAME


def _found(api: client.Client) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = api.get(f"/classrooms/{NAME}")
    except errors.NotFound:
        return None
    return None if found["seats"] and all(seat["status"] == "gone" for seat in found["seats"]) else found


def _on_its_way_out(found: dict[str, Any]) -> bool:
    return bool(found["classroom"]["closed"]) or any(seat["status"] in {"removing", "gone"} for seat in found["seats"])


def _watched(api: client.Client, slug: str) -> dict[str, Any]:
    last = board_.watch(api, slug, board_.all_ready)
    bad = [seat["number"] for seat in last["seats"] if seat["status"] != "ready"]
    if bad:
        raise errors.PermanentError(
            f"{len(last['seats']) - len(bad)} of {len(last['seats'])} seats are ready; "
            f"seat {', '.join(map(str, bad))} is not (see the board).",
            hint="`labctl demo` again starts those seats again; `labctl doctor` looks for the cause.",
        )
    return last


def _logins(api: client.Client, settings: settings_.Settings, last: dict[str, Any]) -> list[str]:
    """Each learner's ssh commands, each tried just now."""
    lines = []
    for seat in last["seats"]:
        config, hosts = shell.fetch(api, settings, seat["classroom"], seat["number"])
        for host in hosts:
            argv = shell.command(config, host)
            with screen.timed(f"log in as {seat['learner']} on {host}"):
                _try(argv)
            lines.append(f"  {seat['learner']:<16} {host:<10} {shlex.join(argv)}")
    return lines


def _links(api: client.Client, slug: str, last: dict[str, Any]) -> tuple[str, list[str]]:
    """The page's address, and the lines about it: a link for the trainer and one for the first learner. Each is good once, so each demo
    makes new ones.
    """
    known = next((one for one in api.get("/accounts") if one["email"] == TRAINER), None)
    body = {"name": "Demo trainer", "email": TRAINER, "roles": ["trainer"]}
    seat = next(one for one in last["seats"] if one["learner"])
    learner = api.post(f"/classrooms/{slug}/seats/{seat['number']}/link")["url"]
    page = learner.rpartition("/invitation/")[0] + "/"
    if known and known["closed"]:
        trainer = "(that account was closed; `labctl invite person` invites somebody else)"
    else:
        trainer = (api.post(f"/accounts/{known['id']}/link") if known else api.post("/accounts", body))["url"]
    return page, [
        f"  {'In a browser':<31} {page}",
        f"  {f'Trainer ({TRAINER})':<31} {trainer}",
        f"  {seat['learner']:<31} {learner}",
        "  Each link is good once: the trainer's asks for a password of your choice, the learner's for one press of a button.",
    ]


def _try(argv: list[str]) -> None:
    # The very command that is printed, with `-n` only so that it does not read our keyboard.
    quiet = [argv[0], "-n", "-o", "BatchMode=yes", *argv[1:], "true"]
    try:
        done = subprocess.run(quiet, capture_output=True, text=True, timeout=LOGIN_WAIT.total_seconds(), check=False)
    except subprocess.TimeoutExpired:
        raise errors.CheckFailed(f"`{shlex.join(argv)}` did not log in within {LOGIN_WAIT.seconds} s.") from None
    if done.returncode != 0:
        raise errors.CheckFailed(f"`{shlex.join(argv)}` does not log in: {done.stderr.strip()[-300:]}")
