"""The configurator: a plan's steps, in order, on real machines. Fills `ports.Configurator`.

Playbooks, roles and packages are Ansible's, by ansible-runner in a process of its own (`ansible_process`); `write` and
`script` steps go over labctl's own SSH connection, so that a plan with nothing else starts no Ansible at all. What Ansible
reads is composed in `ansible_layout`. Everything written for a run lies in `<work>/<environment>/` (0700) and is removed
afterwards, also when the run failed.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from labctl import errors, ports
from labctl.drivers import ansible_child, ansible_layout, ssh, ssh_ca, ssh_checks, ssh_connection, ssh_parallel
from labctl.model.environment import Machine
from labctl.model.plan import Plan, PlannedStep
from labctl.model.site import Site

APT_PROXY_FILE = "/etc/apt/apt.conf.d/95labctl-run"
"""There while plays run, and only then."""

WRITE_SECONDS = 60.0
"""A small file takes milliseconds; an overloaded node may need more."""


class Configurator:
    """See the module. `forks`: Ansible's; `packages_hosts`: HOST:PORT each, what plays may reach while they run."""

    def __init__(
        self,
        site: Site,
        authority: ssh_ca.Authority,
        work: Path,
        forks: int = 10,
        packages_hosts: Sequence[str] = (),
        *,
        user: str = ssh.DEPLOY_USER,
        port: int = 22,
    ) -> None:
        self._site = site
        self._authority = authority
        self._work = work
        self._forks = forks
        self._packages_hosts = tuple(packages_hosts)
        self._user = user
        self._port = port

    def configure(self, plan: Plan, machines: Sequence[Machine], folder: Path, progress: ports.Progress) -> None:
        """See `ports.Configurator`."""
        pieces = ansible_layout.runs(plan, folder)
        for piece in pieces:
            if isinstance(piece, ansible_layout.Own):
                for number, step in piece.steps:
                    self._own(plan, machines, folder, number, step, progress)
            else:
                self._ansible(plan, machines, folder, piece, progress)

    def _enter(self, plan: Plan, machine: Machine) -> ssh_connection.Connection:
        return ssh.enter(self._authority, plan, machine, user=self._user, port=self._port)

    def _on(self, plan: Plan, machines: Sequence[Machine], script: str, what: str, seconds: float, progress: ports.Progress) -> None:
        """The same script as root on several machines at once. Raises PlayFailed with the machine and its last words."""

        def one(machine: Machine, _tell: ports.Progress) -> None:
            with self._enter(plan, machine) as connection:
                outcome = connection.root(script, timeout=seconds + 10)
            if outcome.exit != 0:
                said = ssh_checks.mask(ssh_checks.tail(outcome), plan) or "it printed nothing"
                raise errors.PlayFailed(f"{machine.name}: {what} failed (exit {outcome.exit}): {said}")

        ssh_parallel.each(machines, one, progress)

    def _own(self, plan: Plan, machines: Sequence[Machine], folder: Path, number: int, step: PlannedStep, progress: ports.Progress) -> None:
        touched = [machine for machine in machines if machine.name in step.hosts]
        if step.kind == "write":
            script, seconds, what = write_script(step), WRITE_SECONDS, f"writing {step.what}"
        else:
            seconds, what = float(step.timeout), f"script {step.what}"
            environment = ssh_checks.environment(plan, step.vars)
            script = ssh_checks.program((folder / step.what).read_bytes(), environment, seconds=seconds, login=None, by_shell=False)
        self._on(plan, touched, script, what, seconds, progress)
        for machine in touched:
            progress(f"{machine.name}: {step.title or what} (step {number})")

    def _ansible(self, plan: Plan, machines: Sequence[Machine], folder: Path, run: ansible_layout.Run, progress: ports.Progress) -> None:
        touched = [machine for machine in machines if machine.name in run.machines]
        work = self._work.resolve() / plan.environment
        forget(work)
        try:
            self._lay_out(plan, machines, folder, run, work)
            if self._packages_hosts:
                self._on(plan, touched, _proxy_script(), "preparing packages", WRITE_SECONDS, progress)
            ansible_child.play(work, plan, run, progress)
            if self._packages_hosts:
                self._on(plan, touched, f"rm -f {APT_PROXY_FILE}\n", "tidying up after packages", WRITE_SECONDS, progress)
        finally:
            forget(work)

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


def _proxy_script() -> str:
    line = f'Acquire::http::Proxy "socks5h://127.0.0.1:{ansible_layout.PROXY_PORT}";'
    return f"[ ! -d /etc/apt/apt.conf.d ] || echo {shlex.quote(line)} > {APT_PROXY_FILE}\n"


def _write(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
