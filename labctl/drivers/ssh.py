"""The prober: first contact with guests, and the proof that a seat is ready. Fills `ports.Prober`.

`enrol` pins a guest's host key and makes it trust labctl's authorities; `prove` logs in along the learner's own path and
runs the readiness checks. All machines of an environment are done at once. How a connection is made and judged is in
`ssh_connection`, what is written into a guest in `ssh_enrol`, what a check means in `ssh_checks`.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from labctl import errors, ports
from labctl.drivers import ssh_apps, ssh_ca, ssh_checks, ssh_connection, ssh_enrol, ssh_isolation, ssh_kept, ssh_parallel, ssh_seal
from labctl.model.environment import Machine
from labctl.model.plan import Plan, PlannedCheck, PlannedMachine
from labctl.model.site import Site

DEPLOY_USER = "labctl"
"""The account every template has, with labctl's deploy key and sudo without password."""

BOOT_SECONDS = 90.0
"""How long a started guest may take until its sshd answers."""

REFUSAL_SECONDS = 15.0
"""While a guest boots, its accounts may not be made yet, and pam_nologin sends everybody but root away."""

ENROL_SECONDS = 60.0
"""The script takes 0.1 s; an overloaded node may need more."""

SEAL_SECONDS = 300.0
"""Sealing takes a second, but a database may need minutes to stop cleanly."""

_ANSIBLES = frozenset({"playbook", "role", "packages"})

PROOF_LIFE = timedelta(minutes=10)
"""Life of the certificate with which labctl logs in as the learner."""


def enter(
    authority: ssh_ca.Authority,
    plan: Plan,
    machine: Machine,
    *,
    user: str = DEPLOY_USER,
    port: int = 22,
    patience: float = BOOT_SECONDS,
    insist: float = REFUSAL_SECONDS,
) -> ssh_connection.Connection:
    """Labctl's own connection to an enrolled guest, host certificate and pinned key both checked."""
    trust = ssh_connection.Trust(authority, ssh_ca.host_name(plan, machine.name), machine.host_key)
    return ssh_connection.connect(machine.address, user, authority.deploy_login(), trust, patience=patience, insist=insist, port=port)


class Prober:
    """See the module. With `kept`, connections of `enrol` stay open for what follows, until `leave`. `walls` knows which classes were
    looked at. `user`, `port`, `patience`
    (seconds until sshd must answer) and `insist` (seconds for which a refused login is tried again) differ only in unusual sites.
    """

    def __init__(
        self,
        site: Site,
        authority: ssh_ca.Authority,
        *,
        kept: ssh_kept.Kept | None = None,
        walls: ssh_isolation.Walls | None = None,
        user: str = DEPLOY_USER,
        port: int = 22,
        patience: float = BOOT_SECONDS,
        insist: float = REFUSAL_SECONDS,
    ) -> None:
        self._site = site
        self._kept = kept
        self._walls = walls or ssh_isolation.Walls(site)
        self._authority = authority
        self._user = user
        self._port = port
        self._patience = patience
        self._insist = insist

    def enrol(self, plan: Plan, machines: Sequence[Machine], progress: ports.Progress) -> tuple[Machine, ...]:
        """See `ports.Prober`. Raises PermanentError when a guest refuses the deploy key or shows a wrong host key."""

        def one(machine: Machine, tell: ports.Progress) -> Machine:
            planned = plan.machine(machine.name)
            return machine if planned.family != "linux" else self._enrol(plan, planned, machine, tell)

        return tuple(ssh_parallel.each(machines, one, progress))

    def prove(
        self,
        plan: Plan,
        machines: Sequence[Machine],
        folder: Path,
        progress: ports.Progress,
        *,
        neighbours: ports.Neighbours | None = None,
    ) -> None:
        """See `ports.Prober`."""
        first = next((machine for machine in machines if plan.machine(machine.name).family == "linux"), None)

        def one(machine: Machine, tell: ports.Progress) -> None:
            planned = plan.machine(machine.name)
            if planned.family == "linux":
                self._prove(plan, planned, machine, folder, tell, neighbours if machine is first else None)

        try:
            ssh_parallel.each(machines, one, progress)
        except ssh_isolation.Reached as error:
            error.machine = ""
            raise
        finally:
            self.leave(plan.environment)

    def leave(self, environment: str) -> None:
        """See `ports.Prober`."""
        if self._kept is not None:
            self._kept.leave(environment)

    def seal(self, plan: Plan, machine: Machine, progress: ports.Progress) -> None:
        """See `ports.Prober`. The key is not pinned here: a guest that was sealed before and started again has a new one, and still
        nobody but labctl has ever logged in.
        """
        planned = plan.machine(machine.name)
        if planned.family != "linux":
            return
        trust = ssh_connection.Trust(self._authority, ssh_ca.host_name(plan, machine.name), certificate=False)
        with self._first_contact(machine, trust) as connection:
            outcome = connection.root(ssh_seal.script(), timeout=SEAL_SECONDS)
        if outcome.exit != 0:
            raise errors.PermanentError(f"{machine.name}: the guest cannot be sealed (exit {outcome.exit}): {ssh_checks.tail(outcome)}")
        progress(f"{machine.name}: sealed")

    def _enrol(self, plan: Plan, planned: PlannedMachine, machine: Machine, tell: ports.Progress) -> Machine:
        begun = time.monotonic()
        name = ssh_ca.host_name(plan, machine.name)
        first = ssh_connection.Trust(self._authority, name, machine.host_key, certificate=False)
        with contextlib.ExitStack() as ending:
            connection = self._first_contact(machine, first)
            ending.callback(connection.close)
            tell(f"{machine.name}: SSH answers after {time.monotonic() - begun:.1f} s")
            certificate = self._authority.certify_host(connection.host_key, [name, machine.address])
            script = ssh_enrol.script(plan, planned, host_certificate=certificate, user_authority=self._authority.user_authority())
            outcome = connection.root(script, timeout=ENROL_SECONDS)
            if outcome.exit != 0:
                raise errors.PermanentError(
                    f"{machine.name}: the guest cannot be enrolled (exit {outcome.exit}): "
                    f"{ssh_checks.mask(ssh_checks.tail(outcome), plan)}",
                    hint="Does the template have sudo without password for 'labctl', systemd and OpenSSH?",
                )
            if any(step.kind in _ANSIBLES for step in plan.steps):
                # Ansible dials once: sshd must show its certificate by then. Labctl's own connections wait for that themselves.
                self._meet(replace(first, pinned=connection.host_key, certificate=True), machine)
            if self._kept is not None:
                self._kept.keep(plan.environment, machine.name, connection)
                ending.pop_all()
        tell(f"{machine.name}: enrolled ({time.monotonic() - begun:.1f} s)")
        return replace(machine, host_key=connection.host_key)

    def _meet(self, trust: ssh_connection.Trust, machine: Machine) -> None:
        ssh_connection.meet(machine.address, trust, patience=self._patience, port=self._port)

    def _connect(
        self, machine: Machine, trust: ssh_connection.Trust, user: str = "", login: ssh_ca.Login | None = None
    ) -> ssh_connection.Connection:
        return ssh_connection.connect(
            machine.address,
            user or self._user,
            login or self._authority.deploy_login(),
            trust,
            patience=self._patience,
            insist=self._insist,
            port=self._port,
        )

    def _first_contact(self, machine: Machine, trust: ssh_connection.Trust) -> ssh_connection.Connection:
        try:
            return self._connect(machine, trust)
        except ssh_connection.LoginRefused as error:
            raise errors.PermanentError(
                f"{machine.name}: the guest refuses labctl's deploy key",
                hint=f"The template needs the user '{self._user}' with the key that `labctl` shows for templates.",
            ) from error

    def _prove(
        self,
        plan: Plan,
        planned: PlannedMachine,
        machine: Machine,
        folder: Path,
        tell: ports.Progress,
        neighbours: ports.Neighbours | None,
    ) -> None:
        checks = [check for check in plan.checks if check.machine == machine.name]
        entered = "terminal" in planned.access
        trust = ssh_connection.Trust(self._authority, ssh_ca.host_name(plan, machine.name), machine.host_key)
        with contextlib.ExitStack() as ending:
            connection = self._entered(plan, machine, trust, ending)
            if not entered and not connection.certified:
                # Nobody else will log in here: that labctl can again, after a reset say, is to be seen now.
                self._meet(trust, machine)
            if neighbours is not None:
                self._walls.proven(plan.classroom, functools.partial(self._look, machine, neighbours, connection, tell))
            # After a start the services of the lab may come later than sshd; a degraded system is for the checks to judge.
            connection.root("timeout 60 systemctl is-system-running --wait >/dev/null 2>&1; exit 0\n", timeout=70)
            if entered:
                self._log_in_as_learner(plan, planned, machine)
                tell(f"{machine.name}: {planned.login} can log in")
            place = ssh_checks.Place(plan, planned, connection, folder)
            for check in checks:
                begun = time.monotonic()
                ssh_checks.prove(check, place)
                tell(f"{machine.name}: check '{_title(check, plan)}' passed ({time.monotonic() - begun:.1f} s)")
            for app in (app for app in plan.apps if app.machine == machine.name):
                ssh_apps.prove(app, connection)
                tell(f"{machine.name}: the web app '{app.name}' answers")
            if "desktop" in planned.access:
                # Imported for those who have one: the relay's library takes a third of a second.
                from labctl.drivers import ssh_desktops

                ssh_desktops.prove(plan, planned, machine, self._authority, port=self._port)
                tell(f"{machine.name}: its desktop shows a picture")

    def _look(self, machine: Machine, neighbours: ports.Neighbours, connection: ssh_connection.Connection, tell: ports.Progress) -> bool:
        return self._walls.look(machine, neighbours(), connection, tell)

    def _entered(
        self, plan: Plan, machine: Machine, trust: ssh_connection.Trust, ending: contextlib.ExitStack
    ) -> ssh_connection.Connection:
        if self._kept is not None:
            return self._kept.enter(plan.environment, machine, lambda _machine: self._connect(machine, trust))
        return ending.enter_context(self._connect(machine, trust))

    def _log_in_as_learner(self, plan: Plan, planned: PlannedMachine, machine: Machine) -> None:
        """With a certificate such as the learner's own, on a terminal, to the learner's shell."""
        login = self._authority.learner(plan, datetime.now(UTC) + PROOF_LIFE)
        trust = ssh_connection.Trust(self._authority, ssh_ca.host_name(plan, machine.name), machine.host_key)
        try:
            with self._connect(machine, trust, planned.login, login) as connection:
                outcome = connection.run("id -un", timeout=20, terminal=True)
        except ssh_connection.LoginRefused as error:
            raise errors.CheckFailed(f"{machine.name}: the learner cannot log in ({error.message})") from error
        if outcome.exit != 0 or outcome.stdout.split() != [planned.login]:
            raise errors.CheckFailed(
                f"{machine.name}: the learner's login does not give a working shell (exit {outcome.exit}): "
                f"{ssh_checks.mask(ssh_checks.tail(outcome), plan) or 'no output'}"
            )


def _title(check: PlannedCheck, plan: Plan) -> str:
    text = ssh_checks.mask(f"{check.kind} {check.what}", plan).splitlines()[0]
    return text if len(text) <= 80 else f"{text[:77]}..."
