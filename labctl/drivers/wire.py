"""labctl's side of the management network (`access.md` 1.2): its address, fixed neighbours, and one table of rules. Fills `ports.Wire`.

    prerouting   guests may answer labctl, and nothing else: no service of this machine, no way through it
    output       only the accounts labctl runs as may open connections to guests
    forward      nothing passes through this machine, in or out of the management network

The interface itself belongs to whoever made it (the sandbox node's cable, or IT's network card). It may vanish and come back
when a node restarts; `lay` and `open` then put everything back. Each verb may be repeated.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Any

from labctl import errors
from labctl.model import marks
from labctl.model.environment import Machine
from labctl.model.site import SLOTS_PER_PLOT, Site

COMMAND_SECONDS = 20
"""ip and nft take milliseconds; a kernel that is busy taking namespaces down may hold them for a moment."""

LAID_SECONDS = 5.0
"""For so long after a look it is believed that address and rules are there, while the interface is the same. Nothing but a person takes
them away from an interface that stays, and the next look puts them back."""


class Wire:
    """See the module. `accounts`: the uids that may open connections to guests; by default the one labctl runs as."""

    def __init__(self, site: Site, accounts: Sequence[int] | None = None) -> None:
        self._site = site
        self._interface = site.management_interface
        self._accounts = tuple(accounts) if accounts is not None else (os.getuid(),)
        self._laid_at: tuple[str | None, float] = (None, 0.0)
        self.table = f"labctl_{site.installation.replace('-', '_')}"

    @property
    def _address(self) -> str:
        return f"{self._site.own_address}/{self._site.management.prefixlen}"

    def lay(self) -> None:
        """Address and rules. Raises Unreachable when the interface is not there."""
        self._require_interface()
        if not self._has_address():
            _run("ip", "addr", "replace", self._address, "dev", self._interface)
        _run("ip", "link", "set", self._interface, "up")
        # One transaction: there is no moment without rules. `add` before `delete` makes the first time like every other.
        _run("nft", "-f", "-", stdin=f"add table inet {self.table}\ndelete table inet {self.table}\n{self._rules()}")

    def open(self, machines: Sequence[Machine]) -> None:
        """Permanent neighbours, so that no guest can claim another's address (`access.md` 1.2). Lays the wire first where it
        was lost.
        """
        if not self._laid_lately() and not self._laid():
            self.lay()
        self._laid_at = (self._index(), time.monotonic())
        lines = [f"neigh replace {machine.address} lladdr {machine.mac} dev {self._interface} nud permanent\n" for machine in machines]
        if lines:
            _run("ip", "-batch", "-", stdin="".join(lines))

    def close(self, plot: int) -> None:
        """Forget a plot's neighbours; nothing to do when the interface is gone."""
        if not self._exists():
            return
        mine = {marks.management_address(self._site, plot, index) for index in range(SLOTS_PER_PLOT)}
        lines = [f"neigh del {entry['dst']} dev {self._interface}\n" for entry in self._neighbours() if entry.get("dst") in mine]
        if lines:
            _run("ip", "-force", "-batch", "-", stdin="".join(lines), may_fail=True)

    def remove(self) -> None:
        """Take rules, address and neighbours away; the interface stays with its owner."""
        _run("nft", "-f", "-", stdin=f"add table inet {self.table}\ndelete table inet {self.table}\n")
        if self._exists():
            _run("ip", "neigh", "flush", "nud", "permanent", "dev", self._interface, may_fail=True)
            if self._has_address():
                _run("ip", "addr", "del", self._address, "dev", self._interface)

    def findings(self) -> tuple[str, ...]:
        """What is not as it should be, one sentence each; empty when all is well. Changes nothing."""
        found = [*self._overlaps()]
        if not self._exists():
            return (*found, f"the management interface {self._interface} does not exist: {_HINT}")
        if not self._has_address():
            found.append(f"{self._interface} lacks the address {self._address}: `labctl up` sets it")
        if self._shown_rules() is None:
            found.append(f"the nft table inet {self.table} is missing, so guests could reach this machine: `labctl up` lays it")
        found += [
            f"the neighbour {entry['dst']} on {self._interface} is not fixed: any guest could claim that address"
            for entry in self._neighbours()
            if entry.get("lladdr") and "PERMANENT" not in entry.get("state", [])
        ]
        return tuple(found)

    def _rules(self) -> str:
        """`ct state established` stands before `skuid`: packets without a socket (RST, orphaned FIN) have no uid."""
        network, own, name = self._site.management, self._site.own_address, self._interface
        accounts = ", ".join(str(uid) for uid in self._accounts)
        return f"""table inet {self.table} {{
  chain from_guests {{
    type filter hook prerouting priority -140; policy accept;
    iifname != "{name}" accept
    ct state established ip saddr {network} ip daddr {own} accept
    ct state related icmp type {{ destination-unreachable, time-exceeded }} accept
    counter drop
  }}
  chain to_guests {{
    type filter hook output priority 0; policy accept;
    oifname != "{name}" accept
    ct state established,related accept
    ct state new meta skuid {{ {accounts} }} accept
    counter reject
  }}
  chain through {{
    type filter hook forward priority 0; policy accept;
    iifname "{name}" counter drop
    oifname "{name}" counter drop
  }}
}}
"""

    def _require_interface(self) -> None:
        if not self._exists():
            raise errors.Unreachable(f"the management interface {self._interface} does not exist", hint=_HINT)

    def _exists(self) -> bool:
        return _try("ip", "link", "show", "dev", self._interface) is not None

    def _laid_lately(self) -> bool:
        """A class lays its wire hundreds of times in a minute. An interface that vanished and came back has another index."""
        index, at = self._laid_at
        return index is not None and index == self._index() and time.monotonic() - at < LAID_SECONDS

    def _index(self) -> str | None:
        try:
            return Path(f"/sys/class/net/{self._interface}/ifindex").read_text()
        except OSError:
            return None

    def _laid(self) -> bool:
        return self._exists() and self._has_address() and self._shown_rules() is not None

    def _has_address(self) -> bool:
        links = json.loads(_try("ip", "-j", "-4", "addr", "show", "dev", self._interface) or "[]")
        addresses = [entry for link in links for entry in link.get("addr_info", [])]
        return any(f"{entry.get('local')}/{entry.get('prefixlen')}" == self._address for entry in addresses)

    def _neighbours(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(_try("ip", "-j", "-4", "neigh", "show", "dev", self._interface) or "[]")
        return found

    def _shown_rules(self) -> str | None:
        return _try("nft", "list", "table", "inet", self.table)

    def _overlaps(self) -> list[str]:
        """Routes of this machine that lie in the management range, or the other way round, except our own and the default."""
        found = []
        for route in json.loads(_try("ip", "-j", "-4", "route", "show") or "[]"):
            there = str(route.get("dst", "default"))
            if there == "default" or route.get("dev") == self._interface:
                continue
            if _network(there).overlaps(self._site.management):
                found.append(
                    f"this machine's route {there} on {route.get('dev')} overlaps the management network {self._site.management}: "
                    "choose another range in site.yaml"
                )
        return found


_HINT = "start the sandbox node (`labctl up`), or name the right card as management_interface in site.yaml"


def _network(text: str) -> IPv4Network:
    network = ip_network(text, strict=False)
    assert isinstance(network, IPv4Network)
    return network


def _try(*command: str) -> str | None:
    """What it printed, or None when it failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS)
    return done.stdout if done.returncode == 0 else None


def _run(*command: str, stdin: str | None = None, may_fail: bool = False) -> None:
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS)
    except FileNotFoundError as error:
        raise errors.PermanentError(
            f"the program {command[0]} is missing", hint="Install Debian's packages iproute2 and nftables."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise errors.Unreachable(f"{command[0]} did not finish within {COMMAND_SECONDS} s") from error
    if done.returncode == 0 or may_fail:
        return
    said = done.stderr.strip().splitlines()
    reason = said[-1] if said else f"exit {done.returncode}"
    if "Cannot find device" in done.stderr:
        raise errors.Unreachable("the management interface vanished", hint=_HINT)
    hint = "labctl must run as root to lay the management network." if "permitted" in done.stderr else ""
    raise errors.PermanentError(f"{' '.join(command[:3])} failed: {reason}", hint=hint)
