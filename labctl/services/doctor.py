"""What this machine or the cluster lacks, and what would give it, for `labctl doctor`."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from labctl import errors, wiring
from labctl import settings as settings_
from labctl.drivers import broker as broker_
from labctl.drivers import paper
from labctl.services import cable, cluster, engine, node, parts, taken

if TYPE_CHECKING:
    from infra import provisioner

PROGRAMS = {"ssh": "openssh-client", "ip": "iproute2", "nft": "nftables"}
"""Program -> the Debian package that brings it."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `needed`: labctl does not work without it."""

    what: str
    good: bool
    text: str
    remedy: str = ""
    needed: bool = True


Look = Callable[[settings_.Settings], Iterator[Finding]]


def findings(settings: settings_.Settings) -> list[Finding]:
    """Everything that was looked at, in the order in which things need each other."""
    found: list[Finding] = []
    looks: tuple[Look, ...] = (_programs, _guests, _engine, _broker, _route, _apps, _site)
    for look in looks:
        try:
            found += look(settings)
        except errors.LabctlError as error:
            found.append(Finding(look.__name__.strip("_"), False, error.message, error.hint))
        except OSError as error:
            found.append(Finding(look.__name__.strip("_"), False, f"{error.filename}: {error.strerror}", "Run it as root."))
    return found


def _programs(settings: settings_.Settings) -> Iterator[Finding]:
    del settings
    root = os.geteuid() == 0
    yield Finding(
        "root", root, "labctl runs as root" if root else "labctl does not run as root", "" if root else "Use sudo, or become root."
    )
    for program, package in PROGRAMS.items():
        path = shutil.which(program)
        yield Finding(program, path is not None, path or "is not installed", "" if path else f"apt-get install {package}")


def _guests(settings: settings_.Settings) -> Iterator[Finding]:
    if node.paper(settings):
        yield Finding("guests", False, f"PAPER CLUSTER: {paper.WORDS}", "For real guests take another home.", needed=False)
        return
    if not node.in_use(settings):
        return
    for one in node.check(settings).get("findings", []):
        good = bool(one.get("ok"))
        yield Finding(
            f"guests: {one.get('name', '')}",
            good,
            str(one.get("detail") or ("there" if good else "missing")),
            "" if good else str(one.get("remedy") or ""),
            needed=bool(one.get("needed", True)),
        )


def _engine(settings: settings_.Settings) -> Iterator[Finding]:
    said = engine.describe(settings)
    yield Finding(
        "engine",
        not said.startswith("none"),
        said,
        "" if not said.startswith("none") else "`labctl engine install`, or LABCTL_ENGINE=auto.",
    )


def _broker(settings: settings_.Settings) -> Iterator[Finding]:
    broker = parts.broker_of(settings)
    if not broker.own:
        yield Finding("broker", True, "configured by LABCTL_BROKER")
        return
    yield Finding("broker", True, f"{broker_.server()}{' (answers)' if broker.answers() else ' (not running)'}")


def _route(settings: settings_.Settings) -> Iterator[Finding]:
    """Before there is a site: whether the range that `up` would take is free on this machine."""
    if settings.site_file.exists() or node.paper(settings):
        return
    clash = taken.overlap(settings)
    remedy = "Choose another range with LABCTL_MANAGEMENT, e.g. 100.80.0.0/16." if clash else ""
    yield Finding("management range", clash is None, clash or f"{settings.management} is free on this machine", remedy)


def _apps(settings: settings_.Settings) -> Iterator[Finding]:
    """Where web apps of seats have their addresses, and whether names there are found."""
    if node.paper(settings):
        return
    if not settings.apps_site:
        hint = "For addresses of their own: wildcard DNS and certificate, then LABCTL_APPS_DOMAIN."
        yield Finding("web apps", False, "have no addresses here; pages show `ssh -L` instead", hint, needed=False)
        return
    name = urlsplit(settings.apps_site).hostname or ""
    if name.rpartition(".")[2] == "localhost":
        yield Finding("web apps", True, f"below {settings.apps_site}, for browsers on this machine")
        return
    try:
        socket.getaddrinfo(f"any-name.{name}", None)
    except OSError:
        yield Finding("web apps", False, f"no name below {name} is found", f"The DNS needs a wildcard *.{name}.", needed=False)
    else:
        yield Finding("web apps", True, f"below {settings.apps_site}")


def _site(settings: settings_.Settings) -> Iterator[Finding]:
    """With a site: whether the cluster answers, whether the token may, whether the network is as it should be."""
    if not settings.site_file.exists():
        yield Finding("cluster", True, "no site.yaml yet: `labctl up` makes a sandbox node", needed=False)
        return
    site = node.read_site(settings)
    wired = wiring.build(settings)
    try:
        for line in cluster.look(site).lines:
            yield Finding("cluster", True, line)
        known = _provisioner(wired)
        for text in known.access_findings():
            yield Finding("token", False, text, "Give it the roles of infra/deploy (least-privilege role).")
        walls = known.wall_findings()
        for text, remedy in walls:
            yield Finding("guests' walls", False, text, remedy)
        if not walls:
            yield Finding("guests' walls", True, "the datacenter's firewall is on, the management VNet isolates its ports")
    except errors.LabctlError as error:
        yield Finding("cluster", False, error.message, error.hint or "`labctl up` starts the sandbox node.")
    if wired.paper:
        yield Finding("management network", True, "none: guests of paper have no cards that anything could reach")
        return
    bad = cable.of(wired).findings()
    for text in bad:
        what, _, remedy = text.partition(": ")
        yield Finding("management network", False, what, remedy)
    if not bad:
        yield Finding("management network", True, f"{site.management} on {site.management_interface}, rules laid")


def _provisioner(wired: wiring.Wiring) -> provisioner.Provisioner:
    # Pulumi's SDK takes a second to import.
    from infra import provisioner

    assert isinstance(wired.provisioner, provisioner.Provisioner)
    return wired.provisioner
