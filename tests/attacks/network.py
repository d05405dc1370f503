"""The management network of the house that is attacked: what `mgmt` can do, tried from mallory's guest, and its walls taken away for the
controls. Connection tracking stays on meanwhile, so that whoever is connected stays so.
"""

from __future__ import annotations

import contextlib
import ipaddress
import subprocess
from collections.abc import Iterator

from tests.attacks import Tried, mgmt
from tests.attacks.world import World

OUTER = "192.0.2.77"
"""An address of labctl's machine that is not on the management network; a documentation address (RFC 5737)."""


def _must(world: World, *command: str, stdin: str | None = None) -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=20)
    world.must(done.returncode == 0, f"{' '.join(command[:6])}: {done.stderr.strip()[-200:]}")
    return done.stdout


class Scene:
    """Mallory attacks, grace's machine is attacked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.site = world.wired.site
        self.table = f"labctl_{self.site.installation.replace('-', '_')}"
        self.cable = self.site.management_interface
        self.inside = ("nsenter", f"--net=/run/netns/{self.site.installation}-node")
        self.attacker, self.target = world.seat("mallory").store, world.seat("grace").address
        self.labctl = str(self.site.own_address)
        entry = next(
            one for one in _must(world, "ip", "neigh", "show", "dev", self.cable).splitlines() if one.startswith(f"{self.target} ")
        )
        self.victim = mgmt.Victim(self.target, entry.split()[entry.split().index("lladdr") + 1])
        self.key = self._key()
        world.must(bool(self.key), "grace's machine shows no host key")

    def run(self, program: str) -> str:
        """As root in mallory's guest."""
        return self.world.root(self.attacker, f"python3 - <<'ATTACK'\n{program}\nATTACK\n")

    def _key(self) -> str:
        words = ["ssh-keyscan", "-T", "3", "-t", "ed25519", self.target]
        said = subprocess.run(words, capture_output=True, text=True, check=False).stdout.split()
        return said[-1] if said else ""

    def right(self) -> bool:
        """Labctl's machine gets at grace's own machine."""
        return self._key() == self.key

    def ports(self, address: str) -> tuple[str, str]:
        """Those of the VNet's bridge and of the card's own that lead to a guest: its VMID is its address's slot (`access.md` 1.2)."""
        vmid = self.site.vmid_base + int(ipaddress.ip_address(address)) - int(self.site.management.network_address)
        return f"fwpr{vmid}p0", f"veth{vmid}i0"

    def targets(self) -> mgmt.Targets:
        """Labctl's own ports; what does not listen on that address refuses, and who is refused has reached it."""
        ports = (self.world.door_port, int(self.world.house.environment["LABCTL_API_PORT"]), 22)
        neighbours = (self.target, self.world.seat("mallory").address)
        return mgmt.Targets(self.labctl, ports, outer=(OUTER,), neighbours=neighbours)

    @contextlib.contextmanager
    def forwarding(self) -> Iterator[None]:
        """A machine that has another address, and would forward what comes by the cable."""
        setting = f"net.ipv4.conf.{self.cable}.forwarding"
        before = _must(self.world, "sysctl", "-n", setting).strip()
        _must(self.world, "sysctl", "-qw", f"{setting}=1")
        _must(self.world, "ip", "addr", "replace", f"{OUTER}/32", "dev", "lo")
        try:
            yield
        finally:
            _must(self.world, "ip", "addr", "del", f"{OUTER}/32", "dev", "lo")
            _must(self.world, "sysctl", "-qw", f"{setting}={before}")

    @contextlib.contextmanager
    def bare(self) -> Iterator[None]:
        """Without labctl's rules, without guests' firewall, without isolated ports, learning, and with neighbours that are not fixed."""
        world, inside = self.world, self.inside
        saved = "".join(f"delete table {kind} pvefw\n" for kind in ("inet", "bridge"))
        saved += "".join(_must(world, *inside, "nft", "-s", "list", "table", kind, "pvefw") for kind in ("inet", "bridge"))
        away = "flush chain inet pvefw forward\nadd rule inet pvefw forward ct state established accept\nflush chain bridge pvefw frames\n"
        chains = "".join(f"flush chain inet {self.table} {chain}\n" for chain in ("from_guests", "to_guests", "through"))
        guests = (self.attacker, self.target, world.seat("mallory").address)
        ports = [port for address in guests for port in self.ports(address)]
        _must(world, *inside, "nft", "-f", "-", stdin=away)
        _must(world, "nft", "-f", "-", stdin=f"{chains}add rule inet {self.table} through ct state established accept\n")
        for port in ports:
            _must(world, *inside, "bridge", "link", "set", "dev", port, "isolated", "off", "learning", "on", "flood", "on")
        for port in self.ports(self.target):
            _must(world, *inside, "bridge", "fdb", "del", self.victim.mac, "dev", port, "master", "static")
        _must(world, "ip", "neigh", "replace", self.target, "lladdr", self.victim.mac, "dev", self.cable, "nud", "stale")
        try:
            yield
        finally:
            for port in ports:
                _must(world, *inside, "bridge", "link", "set", "dev", port, "isolated", "on", "learning", "off", "flood", "off")
            for port in self.ports(self.target):  # a frame with a stolen address may have moved what was static
                _must(world, *inside, "bridge", "fdb", "replace", self.victim.mac, "dev", port, "master", "static")
            _must(world, "ip", "neigh", "replace", self.target, "lladdr", self.victim.mac, "dev", self.cable, "nud", "permanent")
            _must(world, *inside, "nft", "-f", "-", stdin=saved)
            world.wired.wire.lay()  # type: ignore[attr-defined]

    def tried(self) -> list[Tried]:
        """Everything once."""
        with self.forwarding():
            found = mgmt.reach(self.run, self.targets())
        return [*found, *mgmt.as_other_account(self.target, 22), *self.forged()]  # frames last: they leave the bridges poisoned

    def forged(self) -> list[Tried]:
        """What frames can do."""
        claimed = mgmt.claim(self.run, self.victim, self.labctl, self.right)
        self.world.wait("grace's machine answers again", self.settled)
        return [*claimed, *mgmt.steal(self.run, self.victim, self.labctl, self.right)]

    def settled(self) -> bool:
        """Whether what was poisoned is forgotten; else it is told the truth."""
        kind = "permanent" if "PERMANENT" in _must(self.world, "ip", "neigh", "show", self.target, "dev", self.cable) else "stale"
        _must(self.world, "ip", "neigh", "replace", self.target, "lladdr", self.victim.mac, "dev", self.cable, "nud", kind)
        return self.right()


_NOBODY = ("169.254.169.254 through labctl", "192.0.2.1 through labctl", "everybody by IPv6 (ff02::1)")
"""Nobody is there, wall or none: no control can say anything."""


def management(world: World) -> list[Tried]:
    """Rows: the four of the management network, each with its walls and without."""
    scene = Scene(world)
    world.must(scene.right(), "grace's machine does not answer")
    tried = scene.tried()
    with scene.bare():
        without = {one.attack: not one.refused for one in scene.tried()}
    world.wait("the walls are back", scene.right)
    return [Tried(one.row, one.attack, one.refused, None if one.attack in _NOBODY else without[one.attack]) for one in tried]
