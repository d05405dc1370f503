"""The servers that the client's contract tests run against: the sandbox node, fakepve, and a real node when one is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from labctl.drivers.proxmox import client
from labctl.model.site import Cluster
from tests.sandbox_node import SandboxNode

REAL = ("LABCTL_TEST_PVE_URL", "LABCTL_TEST_PVE_USER", "LABCTL_TEST_PVE_TOKEN", "LABCTL_TEST_PVE_SECRET_FILE", "LABCTL_TEST_PVE_CA_FILE",
        "LABCTL_TEST_PVE_NODE", "LABCTL_TEST_PVE_TEMPLATE")  # fmt: skip
"""A real node's: its token as in IT's set-up, the node's name, the VMID of a VM template that it may clone."""


@dataclass
class Server:
    name: str
    cluster: Cluster
    node: str
    template: int
    process: subprocess.Popen[str] | None = None

    def client(self, **more) -> client.Client:
        return client.Client(self.cluster, **more)

    def fail(self, method: str, suffix: str, **fault) -> None:
        """fakepve only."""
        self.process.stdin.write(json.dumps({"method": method, "suffix": suffix, **fault}) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n"


def sandbox(request) -> Server:
    node = SandboxNode()
    node.__enter__()
    request.addfinalizer(lambda: node.__exit__(None, None, None))
    told = node.credentials
    cluster = Cluster(url=told["url"], user=told["user"], token=told["token"], secret_file=told["secret_file"], ca_file=told["ca_file"])
    return Server("sandbox", cluster, told["node"], told["images"]["debian-12"]["vm"]["vmid"])


def fakepve(request, folder: Path) -> Server:
    (folder / "secret").write_text("s")
    command = [sys.executable, str(Path(__file__).with_name("fakepve_server.py")), str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end() -> None:
        process.terminate()
        process.wait(60)
        process.stdin.close()
        process.stdout.close()

    request.addfinalizer(end)
    told = json.loads(process.stdout.readline())
    cluster = Cluster(url=told["url"], user="root@pam", token="lab", secret_file=str(folder / "secret"), ca_file=told["ca"])
    return Server("fakepve", cluster, "pve1", 9000, process)


def real() -> Server:
    missing = [name for name in REAL if not os.environ.get(name)]
    if missing:
        pytest.skip(f"no real Proxmox node is named: set {', '.join(missing)}")
    url, user, token, secret, ca, node, template = (os.environ[name] for name in REAL)
    return Server("real", Cluster(url=url, user=user, token=token, secret_file=secret, ca_file=ca), node, int(template))
