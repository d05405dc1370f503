"""labctl on this machine: up, down, status, doctor."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from labctl import errors
from labctl import settings as settings_
from labctl.cli import screen


def add_to(app: typer.Typer) -> None:
    """Put the verbs on the command line."""
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command()(doctor)


def up(
    paper: Annotated[
        int | None, typer.Option("--paper", min=1, max=64, metavar="NODES", help="A paper cluster of so many nodes: no real guests.")
    ] = None,
    speed: Annotated[
        float | None, typer.Option("--speed", min=0.01, max=10_000, help="How many times faster than ours the paper cluster's clock runs.")
    ] = None,
) -> None:
    """Start labctl on this machine: node, broker, worker, clock and API.

    Starts only what is missing, so it may be repeated. Without a `site.yaml` in the home it makes a sandbox node first, which
    speaks the Proxmox API and runs real Linux guests here.

    For example:

      labctl up

      LABCTL_HOME=/srv/second LABCTL_INSTALLATION=second LABCTL_API_PORT=8441 LABCTL_DOOR_PORT=2223 LABCTL_SANDBOX_PORT=8007
      LABCTL_MANAGEMENT=100.80.0.0/16 labctl up     (a second labctl beside the first)

      LABCTL_HOME=/srv/trial labctl up --paper 16 --speed 20     (a cluster of 16 nodes whose guests are only paper)
    """
    from labctl.services import up as up_

    asked: dict[str, Any] = {"paper_nodes": paper, "paper_speed": speed}
    settings = settings_.Settings(**{name: value for name, value in asked.items() if value is not None})
    up_.up(settings, screen.timed, screen.say)
    screen.say("labctl is up. `labctl status` shows it; `labctl down` stops it.")


def down(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, though classes are open.")] = False,
    wipe: Annotated[bool, typer.Option("--wipe", help="Remove the sandbox node, its guests and labctl's records too.")] = False,
) -> None:
    """Stop labctl.

    Guests of open classes keep running, but nobody removes them when their time is over until labctl is up again; so with open
    classes it asks first. `--wipe` takes the sandbox node with all guests away, and everything that labctl wrote about them.

    For example:

      labctl down

      labctl down --wipe --yes
    """
    from labctl.services import down as down_

    settings = settings_.Settings()
    open_ = down_.open_classes(settings)
    if open_ and not yes:
        fate = "Their guests are removed." if wipe else "Their guests keep running, and nobody removes them until labctl is up again."
        screen.say(f"Open classes: {', '.join(open_)}. {fate}")
        if not (screen.out.is_terminal and typer.confirm("Go on?")):
            raise errors.Conflict(f"classes are open: {', '.join(open_)}.", hint="`labctl class close NAME` first, or `labctl down --yes`.")
    stopped = down_.down(settings, screen.timed, wipe=wipe)
    screen.say(f"labctl is down. Stopped: {', '.join(stopped) or 'nothing ran'}.")
    if open_ and not wipe:
        screen.say(f"Still there: the guests of {', '.join(open_)}.")


def status(json: screen.Json = False) -> None:
    """What runs, how much memory it takes, the engine, the node and the classes.

    Exit 0 when all of labctl runs, 3 when some of it does not.

    For example:

      labctl status

      labctl status --json
    """
    from labctl.services import state

    found = state.state(settings_.Settings())
    if json:
        screen.data(found)
    else:
        _show(found)
    if not found["running"]:
        raise typer.Exit(3)


def _show(found: dict[str, Any]) -> None:
    screen.say(f"home {found['home']} · engine {found['engine']} · API {found['api']}")
    rows = [
        [one["name"], f"pid {one['pid']}" if one["pid"] else "not running", screen.size(one["memory"]) if one["pid"] else ""]
        for one in found["processes"]
    ]
    screen.table(["process", "", "memory (PSS)"], rows)
    screen.say(f"idle services together: {screen.size(found['memory'])}")
    for line in found["node"]:
        screen.say(f"node: {line}")
    if found["guest_memory"]:
        screen.say(f"one guest: {screen.size(found['guest_memory'])} (median of {found['guests']} running)")
    for room in found["classes"]:
        screen.say(f"class {room['slug']}: {room['ready']} of {room['seats']} seats ready, until {room['ends']}")
    if not found["running"]:
        screen.say("labctl is not running whole; `labctl up` starts what is missing.")


def doctor(json: screen.Json = False) -> None:
    """What this machine or the cluster lacks, and what would give it.

    Looks at guests' needs (root, namespaces, cgroups, overlay), programs, the Pulumi engine, broker, the token's privileges,
    the management range and the network rules. Exit 0 when nothing is missing, 1 when something is.

    For example:

      labctl doctor

      labctl doctor --json
    """
    from labctl.services import doctor as doctor_

    findings = doctor_.findings(settings_.Settings())
    if json:
        screen.data([finding.__dict__ for finding in findings])
    else:
        for finding in findings:
            screen.out.print(f"  {'[green]✓[/]' if finding.good else '[red]✕[/]' if finding.needed else '[yellow]![/]'} ", end="")
            screen.say(f"{finding.what}: {finding.text}" + (f" Remedy: {finding.remedy}" if finding.remedy else ""))
    if any(not finding.good and finding.needed for finding in findings):
        raise typer.Exit(1)
