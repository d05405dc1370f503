"""The floor under a launch: the same guests cloned, started and reached by SSH, with nothing of labctl, Pulumi or Ansible around them.

Plain requests to the Proxmox API with the site's own token, all learners at once; containers are cloned one after the other
because a container template is locked while it is cloned (`proxmox-truth.md` 3.5). Everything is taken away again afterwards.
"""

from __future__ import annotations

import contextlib
import threading
import time
import urllib.parse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from labctl.drivers import shelf
from labctl.model.plan import Plan, PlannedMachine
from labctl.model.site import Site
from tests.bench import bare
from tests.bench.house import House

_POOL = "labs/floor"


def _guest(api: bare.Api, storage: str, machine: PlannedMachine, key: str, one_container: threading.Lock) -> None:
    kind = "qemu" if machine.kind == "vm" else "lxc"
    base = f"/nodes/{machine.node}/{kind}"
    lock = one_container if kind == "lxc" else contextlib.nullcontext()
    with lock:
        api.finish(api.call("POST", f"{base}/{machine.template}/clone", newid=machine.vmid, pool=_POOL))
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
            settings["ide2"] = f"{storage}:cloudinit"
    api.call("PUT", f"{base}/{machine.vmid}/config", **settings)
    api.finish(api.call("POST", f"{base}/{machine.vmid}/status/start"))
    bare.banner(machine.address)


def _remove(api: bare.Api, machine: PlannedMachine) -> None:
    base = f"/nodes/{machine.node}/{'qemu' if machine.kind == 'vm' else 'lxc'}/{machine.vmid}"
    with contextlib.suppress(RuntimeError):
        api.finish(api.call("POST", f"{base}/status/stop"))
    with contextlib.suppress(RuntimeError):
        api.finish(api.call("DELETE", base, purge=1))


def seconds(site: Site, plans: list[Plan], key: str, reached: Callable[[], object]) -> float:
    """Seconds from the first request to the last guest's SSH banner; the guests of `plans`, which must not exist now. `reached` is
    called then, before they are taken away.
    """
    api = bare.Api(site)
    machines = [machine for plan in plans for machine in plan.machines]
    networks = [network for plan in plans for network in plan.networks]
    try:
        begun = time.monotonic()
        api.call("POST", "/pools", poolid=_POOL)
        for network in networks:
            tag = {} if network.tag is None else {"tag": network.tag}
            api.call("POST", "/cluster/sdn/vnets", vnet=network.vnet, zone=site.zone, **tag)
        if networks:
            api.finish(api.call("PUT", "/cluster/sdn"))
        one_container = threading.Lock()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda machine: _guest(api, site.storage, machine, key, one_container), machines))
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
            api.finish(api.call("PUT", "/cluster/sdn"))
        with contextlib.suppress(RuntimeError):
            api.call("DELETE", "/pools", poolid=_POOL)


def of(house: House, blueprint: str, learners: int, reached: Callable[[], object] = lambda: None) -> float:
    """The floor for a class of that many learners, on plots that labctl does not use meanwhile; `reached`: see `seconds`."""
    site = shelf.read_site(house.home / "site.yaml")
    plans = bare.plans(house, site, blueprint, learners, "floor")
    return seconds(site, plans, (house.home / "secrets" / "deploy_key.pub").read_text().strip(), reached)
