"""The one composition root: builds every driver, each when it is first asked for, and hands them to those who use them.

Doors (API, worker, command line) and tests call the same `Wiring`; tests hand over what stands for the outside world. Nothing
else constructs its own collaborators.
"""

from __future__ import annotations

import os
import pwd
import threading
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl import elsewhere, errors, goldens, ports, runner, settings, sweep, task_ports
from labctl.drivers import broker as broker_
from labctl.drivers import clock as clock_
from labctl.drivers import database as database_
from labctl.drivers import hands as hands_
from labctl.drivers import liveness
from labctl.drivers import traces as traces_
from labctl.model import site as site_
from labctl.steps import kit as kit_

if TYPE_CHECKING:
    from labctl import desk as desk_
    from labctl import entering as entering_
    from labctl import examining as examining_
    from labctl import fitting as fitting_
    from labctl import helping as helping_
    from labctl import inviting as inviting_
    from labctl import knowing as knowing_
    from labctl import own_account as own_account_
    from labctl import people_ports
    from labctl import seating as seating_
    from labctl import signing_in as signing_in_
    from labctl import tasking as tasking_
    from labctl import terminals as terminals_
    from labctl import visiting as visiting_
    from labctl.drivers import bell as bell_
    from labctl.drivers import shelf as shelf_
    from labctl.drivers import ssh_ca, ssh_kept
    from labctl.drivers.proxmox import console

# Drivers that import much (pulumi, ansible, paramiko, celery) are imported where they are built: `labctl status` needs none.


DOOR_ACCOUNT = "labctl-door"
"""The account that the SSH door runs as."""

APPS_ACCOUNT = "labctl-apps"
"""The account that the proxy of web apps runs as."""

FEWEST, EACH_NODE = 16, 4
"""Environments at work at once: at least so many, and so many for each node. A seat takes a cluster some 50 s, most of them boots."""


class Wiring:
    """Every collaborator by name. `given` replaces any of them: `Wiring(settings, clock=..., provisioner=...)`."""

    def __init__(self, chosen: settings.Settings, **given: Any) -> None:
        unknown = [name for name in given if not isinstance(getattr(type(self), name, None), cached_property)]
        if unknown:
            msg = f"the wiring has no {', '.join(unknown)}"
            raise TypeError(msg)
        self.settings = chosen
        self.__dict__.update(given)

    @classmethod
    def from_settings(cls, chosen: settings.Settings, **given: Any) -> Wiring:
        """The same as the constructor."""
        return cls(chosen, **given)

    @cached_property
    def clock(self) -> ports.Clock:
        """What time it is."""
        return clock_.SystemClock()

    @cached_property
    def database(self) -> database_.Database:
        """The store."""
        url = self.settings.database or f"sqlite:///{self.settings.home / 'labctl.sqlite3'}"
        return database_.Database(url, self.settings.home / "secrets" / "database.key", self.clock)

    @cached_property
    def classrooms(self) -> ports.Classrooms:
        """The desk's side of the store."""
        return self.database

    @cached_property
    def environments(self) -> ports.Environments:
        """The runner's side of the store."""
        return self.database

    @cached_property
    def backlog(self) -> ports.Backlog:
        """What is due."""
        return self.database

    @cached_property
    def golden_rows(self) -> ports.Goldens:
        """Sets of golden machines in the store."""
        return self.database

    @cached_property
    def goldens(self) -> goldens.Goldens:
        """Golden machines as people and the sweep wish them."""
        return goldens.Goldens(
            store=self.golden_rows,
            classrooms=self.classrooms,
            environments=self.environments,
            journal=self.journal,
            bell=self.bell,
            clock=self.clock,
            library=self.shelf,
            site=lambda: self.site,
            provisioner=lambda: self.provisioner,
        )

    @cached_property
    def journal(self) -> ports.Journal:
        """The audit trail."""
        return self.database

    @cached_property
    def timings(self) -> ports.Timings:
        """How long steps took."""
        return self.database

    @cached_property
    def tokens(self) -> ports.Tokens:
        """Bearer tokens."""
        return self.database

    @cached_property
    def codes(self) -> ports.Codes:
        """One-time codes."""
        return self.database

    @cached_property
    def changes(self) -> ports.Changes:
        """Says whether anything was written."""
        return self.database

    @cached_property
    def tickets(self) -> ports.Tickets:
        """Tickets for terminals."""
        return self.database

    @cached_property
    def joinings(self) -> ports.Joinings:
        """Leave to type along."""
        return self.database

    @cached_property
    def helps(self) -> ports.Helps:
        """Raised hands, messages and notes."""
        return self.database

    @cached_property
    def progresses(self) -> ports.Progresses:
        """How far learners are in the guide."""
        return self.database

    @cached_property
    def passes(self) -> ports.Passes:
        """Passes for web apps."""
        return self.database

    @cached_property
    def broker(self) -> broker_.Broker:
        """Which broker there is."""
        return broker_.Broker(self.settings.home / "run", self.settings.broker)

    @cached_property
    def bell(self) -> ports.Bell:
        """Wakes a worker."""
        from labctl.drivers import bell

        return bell.CeleryBell(self.broker.url, sweep_seconds=self.settings.sweep_seconds)

    @cached_property
    def site(self) -> site_.Site:
        """The site's facts. Raises NotFound before `labctl up` or IT wrote them."""
        from labctl.drivers import shelf

        return shelf.read_site(self.settings.site_file).model_copy(update={"apps": self.settings.apps_site})

    @cached_property
    def paper(self) -> bool:
        """Whether guests of this site have no substance. Without a site there are none at all."""
        try:
            return self.site.guests == "paper"
        except errors.NotFound:
            return False

    @cached_property
    def shelf(self) -> shelf_.Shelf:
        """Blueprints."""
        from labctl.drivers import shelf

        roots = tuple(self.settings.blueprints) or (Path(__file__).resolve().parents[1] / "blueprints",)
        return shelf.Shelf(roots, self.settings.home / "shelf")

    @cached_property
    def authority(self) -> ssh_ca.Authority:
        """Labctl's SSH certificate authorities."""
        from labctl.drivers import ssh_ca

        return ssh_ca.Authority(self.settings.home / "secrets", self.door_address)

    @cached_property
    def door_address(self) -> ssh_ca.DoorAddress:
        """Where learners find the SSH door."""
        from labctl.drivers import ssh_ca

        host, _, port = self.settings.door_address.partition(":")
        dialled = host or ("127.0.0.1" if self.settings.door_host == "0.0.0.0" else self.settings.door_host)
        return ssh_ca.DoorAddress(dialled, int(port) if port else self.settings.door_port, f"door.{self.settings.installation}.lab")

    @cached_property
    def keys(self) -> ports.Keys:
        """Learners' files."""
        if self.paper:
            from labctl.drivers import paper

            return paper.Keys()
        return self.authority

    @cached_property
    def provisioner(self) -> ports.Provisioner:
        """Existence of guests, networks and pools."""
        from infra import provisioner

        state, passphrase = self.settings.home / "state", self.settings.home / "secrets" / "pulumi-passphrase"
        return provisioner.Provisioner(self.site, state, self.settings.engine, passphrase, self.authority.deploy_public())

    @cached_property
    def wire(self) -> ports.Wire:
        """Labctl's side of the management network."""
        if self.paper:
            from labctl.drivers import paper

            return paper.Wire()
        from labctl.drivers import wire

        return wire.Wire(self.site, _accounts())

    @cached_property
    def prober(self) -> ports.Prober:
        """First contact and proof."""
        if self.paper:
            from labctl.drivers import paper

            return paper.Prober(self.site, self.site.paper_speed)
        from labctl.drivers import ssh, ssh_isolation

        walls = ssh_isolation.Walls(self.site, (self.settings.door_port, self.settings.api_port))
        return ssh.Prober(self.site, self.authority, kept=self.kept, walls=walls)

    @cached_property
    def kept(self) -> ssh_kept.Kept:
        """Connections to guests that stay open from one step to the next."""
        from labctl.drivers import ssh_kept

        return ssh_kept.Kept()

    @cached_property
    def configurator(self) -> ports.Configurator:
        """Ansible."""
        if self.paper:
            from labctl.drivers import paper

            return paper.Configurator(self.site.paper_speed)
        from labctl.drivers import ansible, gates

        work, turns = self.settings.home / "ansible", gates.Gates(self.settings.home / "state" / "gates")
        hosts = tuple(self.settings.packages_hosts)
        return ansible.Configurator(self.site, self.authority, work, self.settings.forks, hosts, kept=self.kept, gates=turns)

    @cached_property
    def traces(self) -> kit_.Traces:
        """Labctl's own files of an environment."""
        return traces_.Traces(bundles=self.settings.home / "bundles", ansible=self.settings.home / "ansible")

    @cached_property
    def elsewhere(self) -> elsewhere.Elsewhere:
        """Other nodes for what one failed."""
        return elsewhere.Elsewhere(
            classrooms=self.classrooms,
            journal=self.journal,
            bell=self.bell,
            clock=self.clock,
            library=self.shelf,
            goldens=self.goldens,
            site=lambda: self.site,
            provisioner=lambda: self.provisioner,
        )

    @cached_property
    def kit(self) -> kit_.Kit:
        """What steps may use."""
        return kit_.Kit(
            environments=self.environments,
            provisioner=self.provisioner,
            wire=self.wire,
            configurator=self.configurator,
            prober=self.prober,
            shelf=self.shelf,
            traces=self.traces,
            places=self.elsewhere,
        )

    @cached_property
    def stopping(self) -> threading.Event:
        """Set when this process is told to end."""
        return threading.Event()

    @cached_property
    def runner(self) -> runner.Runner:
        """Does steps."""
        return runner.Runner(
            kit=self.kit,
            journal=self.journal,
            bell=self.bell,
            clock=self.clock,
            holder=liveness.myself(),
            hold=timedelta(seconds=self.settings.claim_seconds),
            goldens=self.golden_rows,
            timings=self.timings,
            backlog=self.backlog,
            undo_for=timedelta(minutes=self.settings.undo_minutes),
            places=self.places,
            stopping=self.stopping.is_set,
        )

    @cached_property
    def desk(self) -> desk_.Desk:
        """Takes people's wishes."""
        from labctl import desk as desk_

        return desk_.Desk(
            classrooms=self.classrooms,
            environments=self.environments,
            journal=self.journal,
            bell=self.bell,
            clock=self.clock,
            library=self.shelf,
            cluster=lambda: desk_.Cluster(self.site, self.provisioner),
            keys=self.keys,
            goldens=self.goldens,
        )

    @cached_property
    def seating(self) -> seating_.Seating:
        """Takes people's wishes for single seats."""
        from labctl import seating

        return seating.Seating(self.desk)

    @cached_property
    def entering(self) -> entering_.Entering:
        """Says who may go in where."""
        from labctl import entering

        return entering.Entering(self.desk, self.codes, self.keys)

    @cached_property
    def signing_in(self) -> signing_in_.SigningIn:
        """Signs people in."""
        from labctl import signing_in
        from labctl.drivers import passkeys, passwords

        return signing_in.SigningIn(
            accounts=self.database,
            credentials=self.database,
            sessions=self.database,
            ceremonies=self.database,
            passwords=passwords.Passwords(),
            authenticator=passkeys.Passkeys(),
            provider=lambda: self.provider,
            journal=self.journal,
            clock=self.clock,
            rules=signing_in.Rules(
                longest=timedelta(hours=self.settings.session_hours),
                idle=timedelta(hours=self.settings.idle_hours),
                roles=self.settings.oidc_roles,
                trust_email=self.settings.oidc_trust_email,
            ),
        )

    @cached_property
    def knowing(self) -> knowing_.Knowing:
        """Says who somebody is."""
        from labctl import knowing

        return knowing.Knowing(self.database, self.tokens, timedelta(hours=self.settings.idle_hours))

    @cached_property
    def inviting(self) -> inviting_.Inviting:
        """Lets people come for the first time."""
        from labctl import inviting

        return inviting.Inviting(self.signing_in, invitations=self.database, memberships=self.database, desk=self.desk)

    @cached_property
    def own_account(self) -> own_account_.OwnAccount:
        """Lets people change their own account."""
        from labctl import own_account

        return own_account.OwnAccount(self.signing_in)

    @cached_property
    def provider(self) -> people_ports.IdentityProvider | None:
        """Where people sign in who have no account of labctl's own. Raises NotFound, Forbidden (the secret's file)."""
        from labctl.drivers import oidc

        chosen = self.settings
        return oidc.Provider.of(
            chosen.oidc_issuer,
            chosen.oidc_client_id,
            chosen.oidc_client_secret_file,
            oidc.Asked(chosen.oidc_scopes, chosen.oidc_groups_claim),
            self.clock,
        )

    @cached_property
    def origin(self) -> str:
        """Where browsers find labctl: scheme, host and port, nothing behind."""
        return self.settings.url or f"http://{self.settings.api_host.replace('127.0.0.1', 'localhost')}:{self.settings.api_port}"

    @cached_property
    def terminals(self) -> terminals_.Terminals:
        """Says who may be at which terminal."""
        from labctl import terminals

        return terminals.Terminals(self.entering, self.tickets, self.knowing.still, self.joinings)

    @cached_property
    def visiting(self) -> visiting_.Visiting:
        """Says who may look at which web app."""
        from labctl import visiting

        return visiting.Visiting(self.entering, self.passes, self.knowing.still, "" if self.paper else self.settings.apps_site)

    @cached_property
    def consoles(self) -> console.Consoles:
        """Guests' own screens. Raises NotFound before there is a site."""
        from labctl.drivers.proxmox import client, console

        return console.Consoles(self.site.cluster, client.Client(self.site.cluster, timeout=20, patience=5))

    @cached_property
    def guest_port(self) -> int:
        """Where guests' sshd listens; tests have theirs elsewhere."""
        return 22

    @cached_property
    def helping(self) -> helping_.Helping:
        """Carries word between learners and trainers."""
        from labctl import helping

        return helping.Helping(self.desk, self.helps, self.progresses)

    @cached_property
    def examiner(self) -> task_ports.Examiner:
        """Looks into machines for tasks."""
        if self.paper:
            from labctl.drivers import paper

            return paper.Examiner()
        from labctl.drivers import ssh_examiner

        return ssh_examiner.Examiner(self.authority)

    @cached_property
    def hands(self) -> task_ports.Hands:
        """Do what learners press for, a few at a time."""
        return hands_.Hands(self.settings.looks)

    @cached_property
    def examining(self) -> examining_.Examining:
        """Looks into learners' machines."""
        from labctl import examining

        return examining.Examining(
            self.desk, self.database, self.database, lambda: self.examiner, self.shelf, self.hands, liveness.myself()
        )

    @cached_property
    def tasking(self) -> tasking_.Tasking:
        """Takes what learners say of their tasks."""
        from labctl import tasking

        return tasking.Tasking(self.examining)

    @cached_property
    def fitting(self) -> fitting_.Fitting:
        """Says whether a class fits."""
        from labctl import fitting

        return fitting.Fitting(self.desk, self.timings, self.workers)

    @cached_property
    def workers(self) -> int:
        """Environments at work at once, in all of the worker's processes together."""
        if self.settings.workers:
            return self.settings.workers
        try:
            return max(FEWEST, EACH_NODE * len(self.site.nodes))
        except errors.NotFound:
            return FEWEST

    @cached_property
    def places(self) -> int:
        """Environments that one of the worker's processes may have at work at once."""
        return max(1, -(-self.workers // self.settings.processes))

    def sweep(self) -> tuple[str, ...]:
        """One tick of the sweep."""
        rung = sweep.sweep(self.backlog, self.classrooms, self.bell, self.clock)
        self.goldens.expire()
        return rung

    def celery(self) -> bell_.Application:
        """Celery on this installation's broker, without tasks."""
        from labctl.drivers import bell

        return bell.application(self.broker.url, sweep_seconds=self.settings.sweep_seconds)


def _accounts() -> tuple[int, ...]:
    """Who may open connections to guests: labctl itself, its door and its proxy of web apps."""
    others = [one.pw_uid for one in pwd.getpwall() if one.pw_name in {DOOR_ACCOUNT, APPS_ACCOUNT}]
    return (os.getuid(), *others)


def load() -> None:
    """Import what steps need, and build nothing: two seconds of CPU that no class should wait for."""
    import infra.provisioner
    from labctl.drivers import ansible, bell, paper, shelf, ssh, wire

    bell.load()
    del ansible, infra, paper, shelf, ssh, wire


def build(chosen: settings.Settings | None = None) -> Wiring:
    """The wiring of this process, by its settings."""
    return Wiring(chosen or settings.Settings())
