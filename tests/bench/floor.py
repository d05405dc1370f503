"""The floor under a launch: the same guests cloned, started and reached by SSH, with nothing of labctl, Pulumi or Ansible around them.

Plain requests to the Proxmox API with the site's own token, all learners at once; containers are cloned one after the other
because a container template is locked while it is cloned (`proxmox-truth.md` 3.5). Everything is taken away again afterwards.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests

from labctl.drivers import shelf
from labctl.model import planning
from labctl.model.plan import Plan, PlannedMachine, SeatRef
from labctl.model.site import Site
from tests.bench.house import REPOSITORY, House

_POOL = "labs/floor"


@dataclass
class _Api:
    site: Site
    local: threading.local

    def call(self, method: str, path: str, **parameters: object) -> object:
        session = getattr(self.local, "session", None)
        if session is None:
            session = self.local.session = requests.Session()
            session.trust_env = False  # else REQUESTS_CA_BUNDLE would win over the node's own CA
            session.verify = self.site.cluster.ca_file
            secret = Path(self.site.cluster.secret_file).read_text().strip()
            session.headers["Authorization"] = f"PVEAPIToken={self.site.cluster.user}!{self.site.cluster.token}={secret}"
        url = f"{self.site.cluster.url}/api2/json{path}"
        form = {"data": parameters} if method in ("POST", "PUT") else {"params": parameters}
        answer = session.request(method, url, timeout=60, **form)  # type: ignore[arg-type]
        if answer.status_code != 200:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()["data"]

    def wait(self, node: str, upid: object) -> None:
        while True:
            status = self.call("GET", f"/nodes/{node}/tasks/{urllib.parse.quote(str(upid), safe=':')}/status")
            assert isinstance(status, dict)
            if status["status"] == "stopped":
                if status["exitstatus"] != "OK":
                    raise RuntimeError(f"{upid}: {status['exitstatus']}")
                return
            time.sleep(0.05)


def _guest(api: _Api, machine: PlannedMachine, key: str, one_container: threading.Lock) -> None:
    kind = "qemu" if machine.kind == "vm" else "lxc"
    base = f"/nodes/{machine.node}/{kind}"
    lock = one_container if kind == "lxc" else contextlib.nullcontext()
    with lock:
        api.wait(machine.node, api.call("POST", f"{base}/{machine.template}/clone", newid=machine.vmid, pool=_POOL))
    settings: dict[str, object] = {"cores": machine.cpus, "memory": machine.memory}
    for nic in machine.nics:
        if kind == "lxc":
            ip = f",ip={nic.address}" if nic.address else ""
            settings[f"net{nic.index}"] = f"name=eth{nic.index},bridge={nic.vnet},hwaddr={nic.mac}{ip}"
        else:
            settings[f"net{nic.index}"] = f"virtio={nic.mac},bridge={nic.vnet}"
            if nic.address:
                settings[f"ipconfig{nic.index}"] = f"ip={nic.address}"
    if kind == "qemu":
        settings |= {"ciuser": "labctl", "sshkeys": urllib.parse.quote(key, safe=""), "agent": "1", "ciupgrade": 0}
        config = api.call("GET", f"{base}/{machine.vmid}/config")
        assert isinstance(config, dict)
        if not any("cloudinit" in str(value) for value in config.values()):
            settings["ide2"] = f"{api.site.storage}:cloudinit"
    api.call("PUT", f"{base}/{machine.vmid}/config", **settings)
    api.wait(machine.node, api.call("POST", f"{base}/{machine.vmid}/status/start"))
    _banner(machine.address)


def _banner(address: str, deadline: float = 120.0) -> None:
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        # A short time-out: a dial before the card is up would otherwise cost a whole retransmission second (`access.md` 1.1).
        with contextlib.suppress(OSError), socket.create_connection((address, 22), timeout=0.2) as dialled:
            dialled.settimeout(5)
            if dialled.recv(4) == b"SSH-":
                return
        time.sleep(0.02)
    raise RuntimeError(f"no SSH banner from {address}")


def _remove(api: _Api, machine: PlannedMachine) -> None:
    base = f"/nodes/{machine.node}/{'qemu' if machine.kind == 'vm' else 'lxc'}/{machine.vmid}"
    with contextlib.suppress(RuntimeError):
        api.wait(machine.node, api.call("POST", f"{base}/status/stop"))
    with contextlib.suppress(RuntimeError):
        api.wait(machine.node, api.call("DELETE", base, purge=1))


def seconds(site: Site, plans: list[Plan], key: str, reached: Callable[[], object]) -> float:
    """Seconds from the first request to the last guest's SSH banner; the guests of `plans`, which must not exist now. `reached` is
    called then, before they are taken away.
    """
    api = _Api(site, threading.local())
    machines = [machine for plan in plans for machine in plan.machines]
    networks = [network for plan in plans for network in plan.networks]
    node = machines[0].node
    try:
        begun = time.monotonic()
        api.call("POST", "/pools", poolid=_POOL)
        for network in networks:
            tag = {} if network.tag is None else {"tag": network.tag}
            api.call("POST", "/cluster/sdn/vnets", vnet=network.vnet, zone=site.zone, **tag)
        if networks:
            api.wait(node, api.call("PUT", "/cluster/sdn"))
        one_container = threading.Lock()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda machine: _guest(api, machine, key, one_container), machines))
        took = time.monotonic() - begun
        reached()
        return took
    finally:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda machine: _remove(api, machine), machines))
        for network in networks:
            with contextlib.suppress(RuntimeError):
                api.call("DELETE", f"/cluster/sdn/vnets/{network.vnet}")
        with contextlib.suppress(RuntimeError):
            api.wait(node, api.call("PUT", "/cluster/sdn"))
        with contextlib.suppress(RuntimeError):
            api.call("DELETE", "/pools", poolid=_POOL)


def of(house: House, blueprint: str, learners: int, reached: Callable[[], object] = lambda: None) -> float:
    """The floor for a class of that many learners, on plots that labctl does not use meanwhile; `reached`: see `seconds`."""
    site = shelf.read_site(house.home / "site.yaml")
    lab, _ = shelf.Shelf((REPOSITORY / "blueprints",), house.home / "shelf").read(blueprint)
    plots = site.plots[-learners:]
    plans = [
        planning.plan(
            lab,
            site,
            environment=f"floor{plot:05d}",
            plot=plot,
            classroom="floor",
            seat=SeatRef(number=number, name=f"Learner {number}", login=f"learner{number}"),
            source=f"{blueprint}@floor",
            values=planning.draw(lab, {}, random.SystemRandom()),
        )
        for number, plot in enumerate(plots, 1)
    ]
    return seconds(site, plans, (house.home / "secrets" / "deploy_key.pub").read_text().strip(), reached)
