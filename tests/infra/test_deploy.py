"""What IT is told to type gives exactly what the client asks for."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from labctl.drivers.proxmox import access
from labctl.model.site import Cluster, Site

SCRIPT = Path(__file__).parents[2] / "infra" / "deploy" / "proxmox-setup.sh"
PATHS = {"/pool/$POOL": "/pool/labs", "/storage/$STORE": "/storage/lab", "/sdn/zones/$ZONE": "/sdn/zones/labs"}


def granted(agent: str) -> dict[str, set[str]]:
    """ACL path -> privileges, as the script sets them."""
    text = SCRIPT.read_text().replace("$AGENT", agent)
    roles = {name: set(privileges.split()) for name, privileges in re.findall(r'role add (\w+) --privs "([^"]+)"', text)}
    lines = re.findall(r'^acl "?([^"\s]+)"? (\w+)', text, re.MULTILINE)
    return {PATHS.get(path, path): roles[role] for path, role in lines}


@pytest.mark.parametrize(("version", "agent"), [((8, 4), "VM.Monitor"), ((9, 2), "VM.GuestAgent.Audit")])
def test_the_script_for_it_grants_what_labctl_needs_and_nothing_beyond_on_those_paths(version, agent):
    needed = access.needed(Site(cluster=Cluster(secret_file="s", ca_file="c")), version)
    given = granted(agent)
    assert {path: given[path] for path in needed} == {path: set(privileges) for path, privileges in needed.items()}
    assert given["/pool/$TEMPLATES"] == {"VM.Clone", "VM.Audit"}
    assert not {"Sys.Modify", "Permissions.Modify", "User.Modify"} & set().union(*given.values())


def test_the_script_is_a_shell_script_that_parses():
    subprocess.run(["sh", "-n", str(SCRIPT)], check=True)
