"""What Ansible is given to read: runs, inventory, playbook, configuration. Pure text and values; `ansible` writes them down.

Consecutive steps share one run of Ansible where that changes nothing: the same `vars` (a step sees only its own), no tags,
and plays that name no host outside their step. Any other step is a run of its own, with its hosts as limit.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from labctl import errors
from labctl.drivers import ssh_ca, ssh_openssh
from labctl.model.environment import Machine
from labctl.model.plan import Plan, PlannedMachine, PlannedStep

MARK = "labctl step "
"""A play without tasks before each step; its start says which step runs now."""


@dataclass(frozen=True)
class Run:
    """Steps (with their place in the plan, from 1) that go into one run of ansible-playbook."""

    steps: tuple[tuple[int, PlannedStep], ...]
    limited: bool

    @property
    def alone(self) -> PlannedStep:
        """The step whose `vars` and tags hold for the whole run."""
        return self.steps[0][1]

    @property
    def machines(self) -> frozenset[str]:
        """All machines that any of the steps touches."""
        return frozenset(name for _, step in self.steps for name in step.hosts)


@dataclass(frozen=True)
class Own:
    """Steps labctl does itself, without Ansible."""

    steps: tuple[tuple[int, PlannedStep], ...]


def runs(plan: Plan, folder: Path) -> list[Run | Own]:
    """The plan's steps in order, cut into as few pieces as possible."""
    pieces: list[Run | Own] = []
    for pair in enumerate(plan.steps, start=1):
        step = pair[1]
        last = pieces[-1] if pieces else None
        if step.kind in {"write", "script"}:
            if isinstance(last, Own):
                pieces[-1] = Own((*last.steps, pair))
            else:
                pieces.append(Own((pair,)))
            continue
        limited = step.kind == "playbook" and not _stays_within(found(folder, step.what), plan, step)
        shareable = not limited and not step.tags and not step.skip_tags
        if (
            isinstance(last, Run)
            and shareable
            and not last.limited
            and not last.alone.tags + last.alone.skip_tags
            and last.alone.vars == step.vars
        ):
            pieces[-1] = Run((*last.steps, pair), limited=False)
        else:
            pieces.append(Run((pair,), limited=limited or bool(step.tags or step.skip_tags)))
    return pieces


def house_playbooks() -> Path:
    """The repository's `playbooks/`: roles and playbooks not found in a blueprint's folder are looked for there (`blueprint.md` 4)."""
    return Path(__file__).resolve().parents[2] / "playbooks"


def found(folder: Path, path: str) -> Path:
    """A playbook of the folder or of the house. Raises NotFound."""
    for root in (folder, house_playbooks()):
        if (root / path).is_file():
            return root / path
    raise errors.NotFound(f"the playbook {path} is neither in the blueprint's folder nor in playbooks/")


def playbook(run: Run, folder: Path) -> list[dict[str, Any]]:
    """The generated playbook of one run. `folder` is where it will lie: the copy of the blueprint's folder."""
    plays: list[dict[str, Any]] = []
    for number, step in run.steps:
        plays.append({"name": f"{MARK}{number}", "hosts": list(step.hosts), "gather_facts": False, "tags": ["always"], "tasks": []})
        if step.kind == "playbook":
            plays.append({"import_playbook": str(found(folder, step.what))})
        elif step.kind == "role":
            plays.append({"name": step.title, "hosts": list(step.hosts), "roles": [{"role": step.what}]})
        else:
            install = {"name": list(step.packages), "state": "present", "update_cache": True}
            task = {"name": f"Install {', '.join(step.packages)}", "ansible.builtin.package": install}
            plays.append({"name": step.title, "hosts": list(step.hosts), "gather_facts": False, "tasks": [task]})
    return plays


def inventory(plan: Plan, machines: Sequence[Machine], key: Path, user: str, port: int) -> dict[str, Any]:
    """Inventory with the groups every blueprint may use (`blueprint.md` 6) and what a step sees (`blueprint.md` 9)."""
    hosts: dict[str, Any] = {}
    for made in machines:
        planned = plan.machine(made.name)
        hosts[made.name] = {
            "ansible_host": made.address,
            "ansible_port": port,
            "ansible_user": user,
            "ansible_become": True,
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_private_key_file": str(key),
            "ansible_ssh_extra_args": f"-o HostKeyAlias={ssh_ca.host_name(plan, made.name)}",
            "lab_machine": made.name,
            "lab_scope": "learner",
            "lab_networks": _networks(plan, planned),
        }
    groups: dict[str, set[str]] = {}
    for name in hosts:
        for group in _groups(plan.machine(name)):
            groups.setdefault(group, set()).add(name)
    children: dict[str, Any] = {group: {"hosts": {name: {} for name in sorted(members)}} for group, members in sorted(groups.items())}
    return {"all": {"hosts": hosts, "children": children}}


def configuration(folder: Path, work: Path, forks: int, packages_hosts: Sequence[str]) -> str:
    """ansible.cfg. Host keys are verified by labctl's authority. The first connection to each guest carries the way to the
    package mirrors: a remote SOCKS that opens nothing but `packages_hosts`, and ends with the connection.
    """
    options = ["-o", "ControlMaster=auto", "-o", "ControlPersist=60s", *ssh_openssh.options(work / "known_hosts", packages_hosts)]
    roles = [path for path in (folder / "roles", house_playbooks() / "roles") if path.is_dir()]
    return "\n".join(
        [
            "[defaults]",
            f"forks = {forks}",
            "gathering = smart",
            "host_key_checking = True",
            "any_errors_fatal = True",
            "retry_files_enabled = False",
            "deprecation_warnings = False",
            "nocows = True",
            "timeout = 15",
            f"roles_path = {':'.join(str(path) for path in roles) or folder / 'roles'}",
            f"collections_path = {folder / 'collections'}",
            "",
            "[ssh_connection]",
            "pipelining = True",
            f"control_path_dir = {work / 'c'}",
            # From the project's folder, where Ansible runs: a socket's name has at most 107 characters, a home may have more.
            "control_path = ../c/%%h-%%p",
            f"ssh_args = {shlex.join(options).replace('%', '%%')}",
            "",
        ]
    )


def variables(run: Run) -> str:
    """Extra variables as a file's content: JSON is YAML."""
    return json.dumps(run.alone.vars)


def _networks(plan: Plan, machine: PlannedMachine) -> dict[str, Any]:
    """The lab's networks as this machine sees them; the same for every learner."""
    mine = {nic.network: (nic.address or "").partition("/")[0] or None for nic in machine.nics if nic.network}
    seen: dict[str, Any] = {}
    for network in plan.networks:
        addresses = {
            other.name: nic.address.partition("/")[0]
            for other in plan.machines
            if not other.hidden or other.name == machine.name
            for nic in other.nics
            if nic.network == network.name and nic.address
        }
        seen[network.name] = {
            "cidr": network.cidr,
            "gateway": network.gateway,
            "domain": network.domain,
            "address": mine.get(network.name),
            "machines": addresses,
        }
    return seen


def _groups(machine: PlannedMachine) -> set[str]:
    networks = {nic.network for nic in machine.nics if nic.network}
    return {machine.family, machine.kind, *networks, *machine.groups}


def _stays_within(path: Path, plan: Plan, step: PlannedStep) -> bool:
    """Whether every play of the file names only machines and groups that lie within the step's hosts."""
    try:
        plays = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CBaseLoader)  # noqa: S506 -- builds nothing but text
    except (yaml.YAMLError, UnicodeDecodeError):
        return False  # Ansible itself will say what is wrong, or knows tags that plain YAML does not
    allowed = set(step.hosts)
    if not isinstance(plays, list):
        return False
    for play in plays:
        hosts = play.get("hosts") if isinstance(play, dict) else None
        names = hosts.replace(",", ":").split(":") if isinstance(hosts, str) else hosts
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return False
        if not all(_members(name.strip(), plan) and _members(name.strip(), plan) <= allowed for name in names):
            return False
    return True


def _members(name: str, plan: Plan) -> set[str]:
    """The machines a plain host pattern stands for; empty for anything cleverer than a name."""
    if name == "all":
        return {machine.name for machine in plan.machines}
    return {machine.name for machine in plan.machines if machine.name == name or name in _groups(machine)}
