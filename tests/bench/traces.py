"""Everything on this machine and on its node that an environment may leave behind, as a set of lines to compare.

Asked as root of the node's own files and of the kernel (folders, mounts, interfaces, control groups), of labctl's home (records of
stacks, files of runs, bundles), of its rows, and of the process table. Nothing here trusts what labctl says about itself but the rows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from labctl.sandbox.guests import cgroups, network
from tests.bench.house import REPOSITORY, House

SERVICES = ("node", "broker", "worker", "beat", "api", "door", "apps")
FILES = ("state", "ansible", "bundles")
"""Folders of the home in which an environment has files while it lives; searched to the bottom."""
FOLDERS = ("sandbox/guests/guests", "sandbox/guests/layers", "bundles", "ansible")
"""Folders in which it has folders; whole root filesystems below, so only the first level is listed."""
STAYS = ("state/.pulumi/meta.yaml", "state/turns/", "state/gates/", "state/project/")
"""Not an environment's: the state backend's own mark, its Pulumi project, and the files by which processes take turns."""


def of(house: House) -> set[str]:
    """All of them, one line each."""
    name = house.environment["LABCTL_INSTALLATION"]
    files = (path for folder in FILES for path in (house.home / folder).rglob("*") if path.is_file())
    found = {f"file {path}" for path in files if not str(path.relative_to(house.home)).startswith(STAYS)}
    found |= {f"folder {path}" for folder in FOLDERS for path in (house.home / folder).glob("*")}
    mounts = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    found |= {f"mount {path}" for path in mounts if str(house.home) in path}
    found |= {f"control groups of {guest}" for guest in cgroups.guests_of(name)}
    if not paper(house):
        found |= {f"interface {link['ifname']}" for link in _links(network.Network(name).namespace)}
    found |= {f"row {row['id']} ({row['state']})" for row in house.api("/environments")}
    status = node(house)
    found |= {f"{kind} {one}" for kind in ("guests", "vnets", "pools") for one in status[kind]}
    services = {process.pid for part in SERVICES for process in family(house, part)}
    return found | {f"process {process.pid} {process.info['cmdline']}" for process in ours(house) if process.pid not in services}


def ours(house: House) -> list[psutil.Process]:
    """Processes of this home: by the home in their environment, or in their command line (Ansible gets a clean environment)."""
    found = []
    for process in psutil.process_iter(["cmdline", "name"]):
        try:
            known = process.environ().get("LABCTL_HOME") == str(house.home) or str(house.home) in " ".join(process.info["cmdline"] or [])
            if known and process.pid != os.getpid():
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def family(house: House, part: str) -> list[psutil.Process]:
    """A service's process and all below it; empty when it does not run."""
    try:
        process = psutil.Process(json.loads((house.home / "run" / f"{part}.pid").read_text())["pid"])
        return [process, *process.children(recursive=True)]
    except (FileNotFoundError, psutil.NoSuchProcess):
        return []


def _links(namespace: str) -> list[dict[str, Any]]:
    done = subprocess.run(["ip", "-n", namespace, "-j", "link"], capture_output=True, text=True, check=True)
    return [link for link in json.loads(done.stdout) if not link["ifname"].startswith("lo")]


def node(house: House) -> dict[str, Any]:
    """What the node's own files say: guests (by VMID), networks and pools."""
    command = [sys.executable, "-m", "labctl.sandbox", "status", "--home", str(house.home / "sandbox"), "--json"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def paper(house: House) -> bool:
    """Whether its guests have no substance."""
    return "LABCTL_PAPER_NODES" in house.environment
