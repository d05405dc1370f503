"""A class of seats made the way people make it today: a script that clones and starts, then `ansible-playbook` for each seat.

Nothing of labctl is at work but the planner, which says the same addresses and networks as for ours, and the blueprint's own plays. It
is kind to the other side: linked clones, networks made beforehand for all, the site's template with everything installed, polling that
wastes nothing, no proof at the end but that the last play went well.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labctl.drivers import shelf
from labctl.model.plan import Plan, PlannedMachine, PlannedStep
from tests.bench import bare
from tests.bench.house import REPOSITORY, House

_POOL = "labs/byhand"
_BUSY = 1.0
"""Seconds until a refused clone is tried again."""


class Class:
    """The seats of a class on plots that labctl does not use meanwhile."""

    def __init__(self, house: House, blueprint: str, learners: int) -> None:
        self.site = shelf.read_site(house.home / "site.yaml")
        self.api = bare.Api(self.site)
        self.key = house.home / "secrets" / "deploy_key"
        self.folder = house.home / "byhand"
        self.lab = REPOSITORY / "blueprints" / blueprint
        self.plans = bare.plans(house, self.site, blueprint, learners, "hand")

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Pool and networks for all seats; everything is taken away again at the end."""
        networks = [network for plan in self.plans for network in plan.networks]
        try:
            self.folder.mkdir()
            self.api.call("POST", "/pools", poolid=_POOL)
            for network in networks:
                tag = {} if network.tag is None else {"tag": network.tag}
                self.api.call("POST", "/cluster/sdn/vnets", vnet=network.vnet, zone=self.site.zone, **tag)
            self.api.finish(self.api.call("PUT", "/cluster/sdn"))
            yield
        finally:
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(self._remove, [machine for plan in self.plans for machine in plan.machines]))
            for network in networks:
                with contextlib.suppress(RuntimeError):
                    self.api.call("DELETE", f"/cluster/sdn/vnets/{network.vnet}")
            with contextlib.suppress(RuntimeError):
                self.api.finish(self.api.call("PUT", "/cluster/sdn"))
            with contextlib.suppress(RuntimeError):
                self.api.call("DELETE", "/pools", poolid=_POOL)
            shutil.rmtree(self.folder, ignore_errors=True)

    def clone(self, machine: PlannedMachine, plan: Plan) -> None:
        """Clone, describe and start one guest. A template that somebody clones right now refuses: it is tried again."""
        kind = "qemu" if machine.kind == "vm" else "lxc"
        base = f"/nodes/{machine.node}/{kind}"
        label = "name" if kind == "qemu" else "hostname"
        end = time.monotonic() + 300
        while True:
            try:
                asked = {"newid": machine.vmid, "pool": _POOL, label: f"{plan.seat.login}-{machine.name}"}
                self.api.finish(self.api.call("POST", f"{base}/{machine.template}/clone", **asked))
                break
            except RuntimeError:
                if time.monotonic() > end:
                    raise
                time.sleep(_BUSY)
        self.api.call("PUT", f"{base}/{machine.vmid}/config", **self._settings(machine))
        self.api.finish(self.api.call("POST", f"{base}/{machine.vmid}/status/start"))

    def _settings(self, machine: PlannedMachine) -> dict[str, object]:
        settings: dict[str, object] = {"cores": machine.cpus, "memory": machine.memory}
        for nic in machine.nics:
            if machine.kind == "container":
                ip = f",ip={nic.address}" if nic.address else ""
                settings[f"net{nic.index}"] = f"name=eth{nic.index},bridge={nic.vnet},hwaddr={nic.mac}{ip}"
            else:
                settings[f"net{nic.index}"] = f"virtio={nic.mac},bridge={nic.vnet}"
                if nic.address:
                    settings[f"ipconfig{nic.index}"] = f"ip={nic.address}"
        if machine.kind == "vm":
            public = self.key.with_suffix(".pub").read_text().strip()
            settings |= {"ciuser": "labctl", "sshkeys": urllib.parse.quote(public, safe=""), "agent": "1", "ciupgrade": 0}
            config = self.api.call("GET", f"/nodes/{machine.node}/qemu/{machine.vmid}/config")
            if not any("cloudinit" in str(value) for value in config.values()):
                settings["ide2"] = f"{self.site.storage}:cloudinit"
        return settings

    def _remove(self, machine: PlannedMachine) -> None:
        base = f"/nodes/{machine.node}/{'qemu' if machine.kind == 'vm' else 'lxc'}/{machine.vmid}"
        with contextlib.suppress(RuntimeError):
            self.api.finish(self.api.call("POST", f"{base}/status/stop"))
        with contextlib.suppress(RuntimeError):
            self.api.finish(self.api.call("DELETE", base, purge=1))

    def configure(self, plan: Plan) -> None:
        """Everything of one seat by one run of Ansible. Raises RuntimeError with Ansible's last words."""
        folder = self.folder / f"seat-{plan.seat.number}"
        folder.mkdir()
        for machine in plan.machines:
            bare.banner(machine.address)
        bare.know([machine.address for machine in plan.machines], folder / "known_hosts")
        (folder / "ansible.cfg").write_text(
            f"[defaults]\nretry_files_enabled = False\n[ssh_connection]\nssh_args = -o ControlMaster=auto -o ControlPersist=60s "
            f"-o UserKnownHostsFile={folder / 'known_hosts'}\ncontrol_path_dir = {folder / 'c'}\n"
        )
        (folder / "hosts.json").write_text(json.dumps(_inventory(plan, self.key)))
        (folder / "site.json").write_text(json.dumps(_plays(plan, self.lab)))
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "LC_ALL": "C.UTF-8"}
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(folder / "hosts.json"), str(folder / "site.json")]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900, check=False)
        if done.returncode != 0:
            raise RuntimeError(
                f"ansible-playbook for seat {plan.seat.number} ended with {done.returncode}: {done.stdout[-800:]}{done.stderr[-400:]}"
            )


def _inventory(plan: Plan, key: Path) -> dict[str, Any]:
    hosts = {
        machine.name: {
            "ansible_host": machine.address,
            "ansible_user": "labctl",
            "ansible_become": True,
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_private_key_file": str(key),
            "lab_networks": {
                network.name: {"cidr": network.cidr, "address": nic.address.partition("/")[0] if nic.address else None}
                for network in plan.networks
                for nic in machine.nics
                if nic.network == network.name
            },
        }
        for machine in plan.machines
    }
    return {"all": {"hosts": hosts}}


def _plays(plan: Plan, lab: Path) -> list[dict[str, Any]]:
    """The learner's account and the machines' names, then the blueprint's own steps."""
    names = [
        f"{nic.address.partition('/')[0]} {machine.name}"
        for machine in plan.machines
        for nic in machine.nics
        if nic.network and nic.address
    ]
    first = {
        "name": "Account and names",
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {"name": "Name the machine", "ansible.builtin.hostname": {"name": "{{ inventory_hostname }}", "use": "systemd"}},
            {"name": "Make the account", "ansible.builtin.user": {"name": "learner", "shell": "/bin/bash"}},
            {"name": "Name the others", "ansible.builtin.blockinfile": {"path": "/etc/hosts", "block": "\n".join(names)}},
        ],
    }
    return [first, *(_play(step, lab) for step in plan.steps)]


def _play(step: PlannedStep, lab: Path) -> dict[str, Any]:
    if step.kind == "playbook":
        return {"import_playbook": str(lab / step.what)}
    if step.kind != "write":
        raise RuntimeError(f"nobody wrote by hand what a step of kind {step.kind} is")
    copy = {"dest": step.what, "content": step.content, "owner": step.owner, "mode": step.mode}
    return {"name": step.title, "hosts": list(step.hosts), "gather_facts": False, "tasks": [{"ansible.builtin.copy": copy}]}
