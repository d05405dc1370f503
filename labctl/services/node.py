"""The sandbox node and `site.yaml`: the two ways to have a cluster.

An installation with a real cluster brings its own `site.yaml`; then nothing here runs. Else the sandbox node is made in
the home, and `site.yaml` is written from what it hands out. labctl talks to the node's command line only, as to any
other program (`labctl.sandbox` knows nothing of labctl).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from labctl import errors
from labctl import settings as settings_
from labctl.drivers import paper as paper_
from labctl.drivers import site_file
from labctl.model import site as site_


def home(settings: settings_.Settings) -> Path:
    """The node's own home."""
    return settings.home / "sandbox"


def in_use(settings: settings_.Settings) -> bool:
    """Whether this installation's cluster is (or will be) the sandbox node."""
    if not settings.site_file.exists():
        return True
    return Path(read_site(settings).cluster.ca_file).is_relative_to(home(settings))


def paper(settings: settings_.Settings) -> bool:
    """Whether this installation's guests are (or will be) paper. The two kinds are never mixed: what was made first decides."""
    if settings.site_file.exists():
        return read_site(settings).guests == "paper"
    return settings.paper_nodes > 0 or _made(settings).get("runtime") == "paper"


def refuse_mixed(settings: settings_.Settings) -> None:
    """Raise Conflict where another kind or size of cluster was asked for than this home has already."""
    made = _made(settings)
    if not settings.paper_nodes or not (made or settings.site_file.exists()):
        return
    hint = "Take another home (LABCTL_HOME), or `labctl down --wipe` first."
    if not paper(settings) or made.get("runtime", "paper") != "paper":
        raise errors.Conflict("this home has a cluster with real guests: a paper cluster is never mixed with it.", hint=hint)
    there = _paper_nodes(settings)
    if there and there != settings.paper_nodes:
        raise errors.Conflict(f"this home has a paper cluster of {there} nodes already, not of {settings.paper_nodes}.", hint=hint)


def _paper_nodes(settings: settings_.Settings) -> int:
    """How many nodes the paper cluster has; 0 where that is not known."""
    return len((_credentials(settings) or {}).get("nodes", []))


def _made(settings: settings_.Settings) -> dict[str, Any]:
    """What the node's own settings say of it; empty before it was begun."""
    return _read(home(settings) / "settings.json") or {}


def port(settings: settings_.Settings) -> int:
    """Where the node listens: where it was set up to, else where it would be."""
    credentials = _credentials(settings)
    found = urlsplit(str(credentials["url"])).port if credentials else None
    return found or settings.sandbox_port


def read_site(settings: settings_.Settings) -> site_.Site:
    """The site's facts, or a complaint about the file."""
    return site_file.read(settings.site_file)


def interface(settings: settings_.Settings) -> str:
    """The name of labctl's end of the management cable: at most 15 characters (IFNAMSIZ)."""
    return "labmgmt" if settings.installation == "labctl" else f"{settings.installation[:10]}-mgmt"


def command(settings: settings_.Settings, *words: str) -> list[str]:
    """The node's command line."""
    del settings
    return [sys.executable, "-m", "labctl.sandbox", *words]


def check(settings: settings_.Settings) -> dict[str, Any]:
    """What this machine lacks for real guests, as the node says it: `{"ok": bool, ...}`."""
    done = subprocess.run(command(settings, "check", "--json"), capture_output=True, text=True, timeout=240, check=False)
    try:
        found: Any = json.loads(done.stdout)
    except ValueError:
        found = {"findings": [{"name": "check", "detail": (done.stderr or done.stdout).strip()[-500:] or "it said nothing"}]}
    if not isinstance(found, dict):
        found = {"findings": found}
    return {**found, "ok": done.returncode == 0}


def make_image(settings: settings_.Settings) -> None:
    """The guest image, built from Debian's packages with the node's own progress; skipped by the node when it is there."""
    settings.cache.mkdir(parents=True, exist_ok=True)
    _run(command(settings, "image", "--cache", str(settings.cache)), "the guest image could not be built")


def initialise(settings: settings_.Settings, deploy_key: Path) -> None:
    """CA, users, roles, token, pools, zones, storages and templates of the node (repeatable), then `site.yaml`."""
    words = ["init", "--home", str(home(settings)), "--name", settings.installation, "--listen", f"127.0.0.1:{settings.sandbox_port}"]
    words += ["--uplink", interface(settings), "--management", str(settings.management), "--authorized-key", str(deploy_key)]
    words += ["--cache", str(settings.cache)]
    if paper(settings):
        words += ["--runtime", "paper", "--nodes", str(settings.paper_nodes or 1), "--speed", f"{settings.paper_speed:g}"]
    home(settings).mkdir(parents=True, exist_ok=True)
    _run(command(settings, *words), "the sandbox node could not be set up")
    write_site(settings)


def write_site(settings: settings_.Settings) -> None:
    """`site.yaml` from the node's credentials. The token's secret goes into a file of its own, readable by us only."""
    credentials = _credentials(settings)
    if credentials is None:
        raise errors.PermanentError(
            f"the sandbox node wrote no {home(settings) / 'credentials.json'}.",
            hint="Run `labctl up` again; `labctl down --wipe` first if it stays so.",
        )
    secret = settings.home / "secrets" / "proxmox-token"
    private(secret, Path(credentials["secret_file"]).read_text())
    site = site_.Site(
        installation=settings.installation,
        cluster=site_.Cluster(
            url=credentials["url"],
            user=credentials["user"],
            token=credentials["token"],
            secret_file=str(secret),
            ca_file=str(credentials["ca_file"]),
        ),
        guests="paper" if credentials.get("paper") else "real",
        paper_speed=float(credentials.get("speed", 1.0)),
        zone_type=credentials.get("zone_type", "vlan"),
        storage=credentials.get("storage", "lab"),
        management=settings.management,
        management_interface=interface(settings),
        images={name: site_.Image.model_validate(image) for name, image in credentials["images"].items()},
    )
    site_file.write(settings.site_file, site)


def private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def set_up(settings: settings_.Settings) -> bool:
    """Whether the node was initialised to the end."""
    return _credentials(settings) is not None and settings.site_file.exists()


def begun(settings: settings_.Settings) -> bool:
    """Whether this home has a node, finished or not: then what carries its name on this machine is its own."""
    return (home(settings) / "settings.json").exists()


def status(settings: settings_.Settings) -> dict[str, Any]:
    """What the node says of itself; empty when it says nothing."""
    done = subprocess.run(
        command(settings, "status", "--home", str(home(settings)), "--json"), capture_output=True, text=True, timeout=240, check=False
    )
    try:
        found = json.loads(done.stdout)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def remarks(settings: settings_.Settings) -> list[str]:
    """What people should know about this node: above all what stands in for what."""
    found = status(settings)
    if not found:
        return ["the sandbox node of this home says nothing of itself"]
    wrong = [f"FAULTS ARE IN FORCE: the node does wrong what {home(settings) / 'faults.yaml'} says"] if found.get("faults") else []
    if paper(settings):
        size, speed = _paper_nodes(settings) or 1, read_site(settings).paper_speed
        return [f"IT IS A PAPER CLUSTER of {size} nodes, its clock runs {speed:g} times as fast as ours: {paper_.WORDS}", *wrong]
    lines = [f"it is the sandbox node of this machine, which speaks the Proxmox API; guests are {found.get('runtime')}"]
    if found.get("stands_in"):
        lines.append("KVM does not run here: a container stands in for each virtual machine")
    return lines + wrong


def lacks(found: dict[str, Any]) -> str:
    """The failed findings of a check as one sentence."""
    bad = [one for one in found.get("findings", []) if one.get("needed", True) and not one.get("ok", False)]
    return "; ".join(f"{one.get('name', '')}: {one.get('detail', '')}" for one in bad) or "its check failed"


def wipe(settings: settings_.Settings) -> list[str]:
    """Take the node, its guests and its files away; what it says it removed, a line each."""
    said: list[str] = []
    if home(settings).exists():
        done = subprocess.run(
            command(settings, "wipe", "--home", str(home(settings))),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        said = done.stderr.splitlines()
        if done.returncode != 0:
            raise errors.PermanentError(
                f"the sandbox node could not be removed whole: {'; '.join(said[-3:])}", hint="Try `labctl down --wipe` again."
            )
    settings.site_file.unlink(missing_ok=True)
    (settings.home / "secrets" / "proxmox-token").unlink(missing_ok=True)
    return said


def _credentials(settings: settings_.Settings) -> dict[str, Any] | None:
    return _read(home(settings) / "credentials.json")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _run(argv: Sequence[str], failed: str) -> None:
    """Run it with its progress (standard error) on ours. An interrupt reaches it first, as it does us."""
    child = subprocess.Popen(list(argv), stdout=subprocess.DEVNULL)
    try:
        code = child.wait()
    except KeyboardInterrupt:
        child.send_signal(signal.SIGINT)
        child.wait()
        raise
    if code != 0:
        raise errors.PermanentError(f"{failed} (exit {code}); what it said stands above.", hint="`labctl doctor` looks for the cause.")
