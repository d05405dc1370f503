"""Who holds a template that others wait for does not queue behind those who hold nothing."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from labctl.drivers import gates
from labctl.drivers.proxmox import client, cluster
from labctl.model import site


def here(tmp_path: Path, **facts) -> cluster.Cluster:
    for name in ("secret", "ca"):
        (tmp_path / name).write_text("x")
    there = site.Cluster(secret_file=str(tmp_path / "secret"), ca_file=str(tmp_path / "ca"))
    return cluster.Cluster(client.Client(there), gates.Gates(tmp_path / "gates"), **facts)


def test_more_urgent_work_of_an_environment_goes_ahead_of_its_class_but_not_of_everybody(tmp_path):
    """Three wait at a gate for one: a class at noon, the same class's container, and a class an hour and a minute earlier."""
    noon = 1_000_000.0
    waiting = {
        "machine": (here(tmp_path, urgency=noon), 0.0),
        "container": (here(tmp_path, urgency=noon), 3600.0),
        "earlier class": (here(tmp_path, urgency=noon - 3660), 0.0),
    }
    order: list[str] = []

    def go(name: str) -> None:
        to, ahead = waiting[name]
        with to.gate("clone", most=1, start=1, ahead=ahead):
            order.append(name)

    with here(tmp_path).gate("clone", most=1, start=1):
        threads = [threading.Thread(target=go, args=(name,)) for name in waiting]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 60
        while True:
            state = gates.Gates(tmp_path / "gates").look("clone")
            if state is not None and len(state.waiting) == len(waiting):
                break
            assert time.monotonic() < deadline
            time.sleep(0.02)
    for thread in threads:
        thread.join(60)
    assert order == ["earlier class", "container", "machine"]
