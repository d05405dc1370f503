"""Bring labctl up: look first, then start whatever is missing, each part waited for until it does its work.

Repeatable at any point: Ctrl-C in between leaves what is already there, and the next `up` goes on from it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from labctl import errors, ports, wiring
from labctl import settings as settings_
from labctl.drivers import paper, ssh_ca
from labctl.services import apps, cable, door, faults, node, owner, parts, processes, taken

Timed = Callable[[str], AbstractContextManager[list[str]]]
"""Announces a part of the work and says how long it took; the list takes notes to be said beside it."""

CLI_TOKEN = "cli"  # noqa: S105  (the name of the token, not the token)
"""The name under which the command line's own token stands in the database."""


def up(settings: settings_.Settings, timed: Timed, say: processes.Say) -> None:
    """Everything `labctl up` does. Raises what is in the way, in plain words."""
    _look(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    # Guests' directories lie below the home and are searched by mapped uids; what is secret has folders of its own.
    settings.home.chmod(0o755)
    with owner.alone(settings.home):
        owner.refuse_other(settings.home, parts.ORDER)
        taken.refuse(settings)
        owner.record(settings.home)
        for folder in ("secrets", "bundles"):
            (settings.home / folder).mkdir(mode=0o700, exist_ok=True)
        if node.in_use(settings):
            _node(settings, timed, say)
        wired = wiring.build(settings)
        with timed("database"):
            before = os.umask(0o077)  # it holds names, addresses and hashes of tokens
            wired.database.migrate()
            os.umask(before)
        if door.wanted(settings):
            for name in (wiring.DOOR_ACCOUNT, wiring.APPS_ACCOUNT):
                door.account(name)  # the rules of the management network name them
        with timed("management network"):
            cable.of(wired).lay()
        if parts.broker_of(settings).own:
            _start(settings, parts.broker(settings), timed, say)
        _together(settings, (parts.worker(settings), parts.beat(settings), parts.api(settings)), timed, say)
        _token(settings, wired)
        if door.wanted(settings):
            door.furnish(settings, wired)
            _start(settings, door.part(settings), timed, say)
        if apps.wanted(settings):
            apps.furnish(settings, wired)
            _start(settings, apps.part(settings, wired), timed, say)
        _first_account(wired, say)


def _first_account(wired: wiring.Wiring, say: processes.Say) -> None:
    """Until there is an account of IT, each `up` says how to get one. There is no default password."""
    if secret := wired.inviting.first():
        say("Nobody can sign in yet. This link makes the first account of IT; it is good once, for a day:")
        say(f"  {wired.origin}/invitation/{secret}")


def _look(settings: settings_.Settings) -> None:
    node.refuse_mixed(settings)
    if os.geteuid() != 0 and not node.paper(settings):
        raise errors.Forbidden(
            "`labctl up` needs root: it makes network interfaces, rules and guests on this machine.", hint="Run it with sudo, or as root."
        )
    if not node.in_use(settings):
        node.read_site(settings)
    faults.check(settings)


def _node(settings: settings_.Settings, timed: Timed, say: processes.Say) -> None:
    if node.paper(settings):
        say(f"PAPER CLUSTER: {paper.WORDS}.")
    else:
        _for_real_guests(settings, timed)
    public = settings.home / "secrets" / "deploy_key.pub"
    public.write_text(ssh_ca.Authority(settings.home / "secrets").deploy_public() + "\n")
    if not node.set_up(settings):
        with timed("sandbox node: certificates, users, networks, templates"):
            node.initialise(settings, public)
    faults.follow(settings)
    _start(settings, parts.sandbox_node(settings), timed, say)


def _for_real_guests(settings: settings_.Settings, timed: Timed) -> None:
    found = node.check(settings)
    if not found["ok"]:
        raise errors.Conflict(
            f"this machine cannot run real guests: {node.lacks(found)}", hint="`labctl doctor` says what would give each."
        )
    with timed("guest image"):
        node.make_image(settings)


def _start(settings: settings_.Settings, part: processes.Part, timed: Timed, say: processes.Say) -> None:
    with timed(part.name) as notes:
        if not processes.Processes(settings.home).ensure(part, say):
            notes.append("was already there")


def _together(settings: settings_.Settings, some: Sequence[processes.Part], timed: Timed, say: processes.Say) -> None:
    """Parts that do not need each other start side by side; each takes seconds to import what it needs."""
    running = processes.Processes(settings.home)
    begun = {part.name for part in some if running.begin(part)}
    for part in some:
        with timed(part.name) as notes:
            if not running.ensure(part, say) and part.name not in begun:
                notes.append("was already there")


def _token(settings: settings_.Settings, wired: wiring.Wiring) -> None:
    """The command line's own token. A new one only when the old one does not open the door any more."""
    path = settings.home / "secrets" / "cli-token"
    try:
        known = wired.tokens.check(path.read_text().strip())
    except FileNotFoundError:
        known = None
    if known is None:
        wired.tokens.revoke(CLI_TOKEN)
        node.private(path, wired.tokens.create(ports.Token(CLI_TOKEN, "it")) + "\n")
