"""The configurator: a plan's steps, in order, on real machines. Fills `ports.Configurator`.

Playbooks, roles and packages are Ansible's, by ansible-runner in a process of its own (`ansible_process`); `write` and
`script` steps go over labctl's own SSH connection, so that a plan with nothing else starts no Ansible at all. What Ansible
reads is composed in `ansible_layout`. Everything written for a run lies in `<work>/<environment>/` (0700) and is removed
afterwards, also when the run failed.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import os
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl import errors, ports
from labctl.drivers import ansible_child, ansible_layout, ssh, ssh_ca, ssh_checks, ssh_connection, ssh_kept, ssh_openssh, ssh_parallel
from labctl.drivers import gates as gates_
from labctl.model.environment import Machine
from labctl.model.plan import Plan, PlannedStep
from labctl.model.site import Site

WRITE_SECONDS = 60.0
"""A small file takes milliseconds; an overloaded node may need more."""


@dataclass(frozen=True)
class _Job:
    """One environment being configured."""

    plan: Plan
    machines: Sequence[Machine]
    folder: Path
    work: Path
    kept: ssh_kept.Kept
    enter: ssh_kept.Enter
    progress: ports.Progress

    def on(self, names: Sequence[str], script: str, what: str, seconds: float) -> None:
        """The same script as root on several machines at once."""
        self.each(names, lambda machine: self.root(machine, script, seconds), what)

    def root(self, machine: Machine, script: str, seconds: float) -> ssh_connection.Outcome:
        """One script on one machine."""
        return self.kept.root(self.plan.environment, machine, self.enter, script, timeout=seconds + 10)

    def each(self, names: Sequence[str], work: Callable[[Machine], ssh_connection.Outcome], what: str) -> None:
        """Raises PlayFailed with the machine and its last words when one of them ends with another status than 0."""

        def one(machine: Machine, _tell: ports.Progress) -> None:
            outcome = work(machine)
            if outcome.exit != 0:
                said = ssh_checks.mask(ssh_checks.tail(outcome), self.plan) or "it printed nothing"
                raise errors.PlayFailed(f"{machine.name}: {what} failed (exit {outcome.exit}): {said}")

        ssh_parallel.each([machine for machine in self.machines if machine.name in names], one, self.progress)


class Configurator:
    """See the module. `forks`: Ansible's; `packages_hosts`: HOST:PORT each, what plays may reach while they run. With `kept`,
    connections that the prober left open are used, and left open (`ports.Prober.leave`). With `gates`, how many Ansibles run at once is
    learned there for all processes.
    """

    def __init__(
        self,
        site: Site,
        authority: ssh_ca.Authority,
        work: Path,
        forks: int = 10,
        packages_hosts: Sequence[str] = (),
        *,
        kept: ssh_kept.Kept | None = None,
        gates: gates_.Gates | None = None,
        user: str = ssh.DEPLOY_USER,
        port: int = 22,
    ) -> None:
        self._site = site
        self._kept = kept
        self._gates = gates
        self._authority = authority
        self._work = work
        self._forks = forks
        self._packages_hosts = tuple(packages_hosts)
        self._user = user
        self._port = port

    def configure(self, plan: Plan, machines: Sequence[Machine], folder: Path, progress: ports.Progress) -> None:
        """See `ports.Configurator`."""
        work = self._work.resolve() / plan.environment
        forget(work)
        kept = self._kept or ssh_kept.Kept()
        try:
            enter = functools.partial(ssh.enter, self._authority, plan, user=self._user, port=self._port)
            job = _Job(plan, machines, folder, work, kept, enter, progress)
            for piece in ansible_layout.runs(plan, folder):
                if isinstance(piece, ansible_layout.Run):
                    self._ansible(job, piece)
                else:
                    for number, step in piece.steps:
                        self._own(job, number, step)
        finally:
            if kept is not self._kept:
                kept.leave(plan.environment)
            forget(work)

    def _own(self, job: _Job, number: int, step: PlannedStep) -> None:
        """A `write` or a `script`, on all its machines at once."""
        what = f"writing {step.what}" if step.kind == "write" else f"script {step.what}"
        if step.kind == "write":
            job.on(step.hosts, write_script(step), what, WRITE_SECONDS)
        else:
            environment = ssh_checks.environment(job.plan, step.vars)
            content = (job.folder / step.what).read_bytes()
            script = ssh_checks.program(content, environment, seconds=step.timeout, login=None, by_shell=False)
            job.each(step.hosts, lambda machine: self._script(job, machine, script, step.timeout), what)
        for name in step.hosts:
            job.progress(f"{name}: {step.title or what} (step {number})")

    def _script(self, job: _Job, machine: Machine, script: str, seconds: float) -> ssh_connection.Outcome:
        if not self._packages_hosts:
            return job.root(machine, script, seconds)
        job.work.mkdir(mode=0o700, parents=True, exist_ok=True)
        known_hosts = job.work / f"known_hosts-{machine.name}"
        _write(known_hosts, self._authority.known_hosts())
        arguments = [
            *ssh_openssh.options(known_hosts, self._packages_hosts),
            *("-i", str(self._authority.deploy_key_file), "-p", str(self._port)),
            *("-o", f"HostKeyAlias={ssh_ca.host_name(job.plan, machine.name)}"),
        ]
        return ssh_openssh.root(machine.name, f"{self._user}@{machine.address}", arguments, script, timeout=seconds + 10)

    def _ansible(self, job: _Job, run: ansible_layout.Run) -> None:
        try:
            self._play(job, run)
        finally:
            # A play may start a guest anew, and then nobody answers on a connection of before.
            job.kept.leave(job.plan.environment)

    def _play(self, job: _Job, run: ansible_layout.Run) -> None:
        names = sorted(run.machines)
        forget(job.work)
        self._lay_out(job.plan, job.machines, job.folder, run, job.work)
        if not self._packages_hosts:
            with self._turn(job.plan):
                ansible_child.play(job.work, job.plan, run, job.progress)
            return
        job.on(names, ssh_openssh.open_packages(), "preparing packages", WRITE_SECONDS)
        try:
            with self._turn(job.plan):
                ansible_child.play(job.work, job.plan, run, job.progress)
        except errors.LabctlError:
            with contextlib.suppress(errors.LabctlError):
                job.on(names, ssh_openssh.close_packages(), "tidying up after packages", WRITE_SECONDS)
            raise
        job.on(names, ssh_openssh.close_packages(), "tidying up after packages", WRITE_SECONDS)

    def _turn(self, plan: Plan) -> contextlib.AbstractContextManager[None]:
        """Each Ansible computes for itself and its forks, so of these fewer go at once than of steps that wait."""
        if self._gates is None:
            return contextlib.nullcontext()
        cores = os.cpu_count() or 1
        return self._gates.gate("ansible", start=2 * cores, most=8 * cores, group=plan.classroom)

    def _lay_out(self, plan: Plan, machines: Sequence[Machine], folder: Path, run: ansible_layout.Run, work: Path) -> None:
        project = work / "project"
        for made in (work, work / "env", work / "inventory", work / "c", work / "home"):
            made.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copytree(folder, project, dirs_exist_ok=True)
        hosts = ansible_layout.inventory(plan, machines, self._authority.deploy_key_file, self._user, self._port)
        job = {
            "playbook": "labctl-generated.json",
            "limit": ",".join(sorted(run.machines)) if run.limited else None,
            "tags": ",".join(run.alone.tags) or None,
            "skip_tags": ",".join(run.alone.skip_tags) or None,
            "forks": min(self._forks, len(run.machines)),
            "timeouts": {str(number): step.timeout for number, step in run.steps},
            "mark": ansible_layout.MARK,
        }
        _write(project / "labctl-generated.json", json.dumps(ansible_layout.playbook(run, project)))
        _write(work / "inventory" / "hosts.json", json.dumps(hosts))
        _write(work / "env" / "extravars", ansible_layout.variables(run))
        _write(work / "known_hosts", self._authority.known_hosts())
        _write(work / "ansible.cfg", ansible_layout.configuration(project, work, self._forks, self._packages_hosts))
        _write(work / "job.json", json.dumps(job))


def forget(work: Path) -> None:
    """Remove what was written for a run; nothing to do when there is nothing."""
    shutil.rmtree(work, ignore_errors=True)


def write_script(step: PlannedStep) -> str:
    """Root's shell script for a `write` step: the file appears in one go with its owner and mode; the content is on stdin only."""
    path, owner, mode = shlex.quote(step.what), shlex.quote(step.owner), shlex.quote(step.mode)
    content = base64.b64encode((step.content or "").encode()).decode()
    parent = shlex.quote(os.path.dirname(step.what) or "/")  # noqa: PTH120 -- a path on the guest, not here
    return (
        "{\nset -e\numask 077\n"
        f"[ -d {parent} ] || mkdir -m 755 -p {parent}\n"
        f"new=$(mktemp {path}.labctl-XXXXXX)\n"
        "trap 'rm -f \"$new\"' EXIT\n"
        f'echo {content} | base64 -d > "$new"\n'
        f'chown {owner} "$new"\nchgrp "$(id -g {owner})" "$new"\nchmod {mode} "$new"\n'
        # A repeated step leaves the file as it is, with its time.
        f'same() {{ cmp -s "$new" {path} && [ "$(stat -c "%a %U %G" "$new")" = "$(stat -c "%a %U %G" {path})" ]; }}\n'
        f'same || mv -f "$new" {path}\n'
        "exit 0\n}\n"
    )


def _write(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
