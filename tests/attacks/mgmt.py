"""The management network as a hostile root in a guest tries it (`access.md` 1.2): labctl, its machine's other addresses, what lies behind
it, other guests, and on layer 2 other guests' addresses. Real packets; nothing here needs more in the guest than Python.

    run = lambda program: ...      # runs a Python program as the guest's root and returns what it printed
    attempts = reach(run, Targets(...)) + claim(run, victim, labctl, right)
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.attacks import Tried, rows

CARD = "eth0"
"""The management card inside a guest."""

Run = Callable[[str], str]
"""Runs a Python program as root in the guest that attacks, and returns what it printed."""


@dataclass(frozen=True)
class Targets:
    """Whom to try. `ports`: where labctl's machine really listens. `outer`: other addresses of labctl's machine; `neighbours`: other
    guests; `beyond`: what only a machine that forwards could reach (its gateway, the metadata address, an address of the internet).
    """

    labctl: str
    ports: Sequence[int]
    outer: Sequence[str] = ()
    neighbours: Sequence[str] = ()
    beyond: Sequence[tuple[str, int]] = (("169.254.169.254", 80), ("192.0.2.1", 443))


_DIAL = """
import json, os, socket, struct, subprocess, time
from concurrent.futures import ThreadPoolExecutor
CARD, WAIT = {card!r}, 0.8
asked = json.loads({asked!r})

def dial(address, port):
    s = socket.socket(); s.settimeout(WAIT)
    try:
        s.connect((address, port)); return True
    except ConnectionRefusedError:
        return True  # whoever refuses was reached
    except OSError:
        return False
    finally:
        s.close()

def total(data):
    words = struct.unpack(f'!{{len(data) // 2}}H', data)
    value = sum(words); value = (value >> 16) + (value & 0xffff)
    return ~(value + (value >> 16)) & 0xffff

def ping(address, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP); s.settimeout(WAIT)
    own = int.from_bytes(os.urandom(2), 'big')  # another "connection" each time: an old one may have been let in before
    head = struct.pack('!BBHHH', 8, 0, 0, own, 1)
    packet = struct.pack('!BBHHH', 8, 0, total(head + b'labctl--'), own, 1) + b'labctl--'
    until = time.monotonic() + WAIT
    try:
        s.sendto(packet, (address, 0))
        while True:  # an answer that is there counts, however late one looks
            answer, (whom, _) = s.recvfrom(2048)
            if whom == address and answer[20] == 0 and answer[24:26] == packet[4:6]:
                return True
            if time.monotonic() > until:
                return False
    except OSError:
        pass
    finally:
        s.close()
    return False

def six(address, port):
    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6); s.settimeout(WAIT)
    own = [line.split()[0] for line in open('/proc/net/if_inet6') if line.split()[5] == CARD]
    until = time.monotonic() + WAIT
    try:
        s.sendto(struct.pack('!BBHHH', 128, 0, 0, 7, 7) + b'labctl--', (address + '%' + CARD, 0))
        while True:
            answer, whom = s.recvfrom(2048)
            if answer[0] == 129 and socket.inet_pton(socket.AF_INET6, whom[0].partition('%')[0]).hex() not in own:
                return True
            if time.monotonic() > until:
                return False
    except OSError:
        pass
    finally:
        s.close()
    return False

def routed(address, port, router):
    subprocess.run(['ip', 'route', 'replace', address, 'via', router, 'dev', CARD], capture_output=True)
    try:
        return dial(address, port) or ping(address, port)
    finally:
        subprocess.run(['ip', 'route', 'del', address, 'via', router, 'dev', CARD], capture_output=True)

def udp(address, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(WAIT)
    try:
        s.connect((address, port)); s.send(b'labctl'); s.recv(9); return True
    except ConnectionRefusedError:
        return True
    except OSError:
        return False

# What sets routes comes after what goes straight: both are about the same addresses.
answers = {{}}
with ThreadPoolExecutor(32) as pool:
    for late in (False, True):
        jobs = {{i: pool.submit(globals()[how], *rest) for i, (how, *rest) in enumerate(asked) if (how == 'routed') == late}}
        answers |= {{i: job.result() for i, job in jobs.items()}}
print(json.dumps([answers[i] for i in range(len(asked))]))
"""


def reach(run: Run, targets: Targets) -> list[Tried]:
    """Everything that a guest could dial, ping or route to."""
    services: dict[str, list[object]] = {f"labctl's own port {port} by TCP": ["dial", targets.labctl, port] for port in targets.ports}
    services["labctl's own port 9 by UDP"] = ["udp", targets.labctl, 9]
    services["labctl by ping"] = ["ping", targets.labctl, 0]
    services["everybody by IPv6 (ff02::1)"] = ["six", "ff02::1", 0]
    for address in targets.outer:
        services[f"labctl's machine by its other address {address}"] = ["routed", address, targets.ports[0], targets.labctl]
    for address, port in targets.beyond:
        services[f"{address} through labctl"] = ["routed", address, port, targets.labctl]
    neighbours: dict[str, list[object]] = {}
    for address in targets.neighbours:
        neighbours[f"another guest ({address}) by TCP"] = ["dial", address, 22]
        neighbours[f"another guest ({address}) by ping"] = ["ping", address, 0]
        neighbours[f"another guest ({address}) through labctl"] = ["routed", address, 22, targets.labctl]
    asked = [(rows.MGMT_SERVICES, *one) for one in services.items()] + [(rows.MGMT_NEIGHBOURS, *one) for one in neighbours.items()]
    answers = json.loads(run(_DIAL.format(card=CARD, asked=json.dumps([how for _, _, how in asked]))))
    return [Tried(row, attack, not reached) for (row, attack, _), reached in zip(asked, answers, strict=True)]


@dataclass(frozen=True)
class Victim:
    """A guest whose place the attacker wants to take."""

    address: str
    mac: str


_FRAMES = """
import socket, struct, time
card, victim, router = {card!r}, {victim!r}, {router!r}
own = bytes.fromhex(open(f'/sys/class/net/{{card}}/address').read().strip().replace(':', ''))
stolen = bytes.fromhex({mac!r}.replace(':', ''))
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind((card, 0))

def arp(source, kind, mac, address, target):
    body = struct.pack('!HHBBH', 1, 0x0800, 6, 4, kind) + mac + socket.inet_aton(address) + bytes(6) + socket.inet_aton(target)
    return b'\\xff' * 6 + source + struct.pack('!H', 0x0806) + body

def syn(source, address):
    tcp = struct.pack('!HHIIBBHHH', 22, 40000, 1, 1, 0x50, 0x12, 1024, 0, 0)
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 40, 1, 0, 64, 6, 0, socket.inet_aton(address), socket.inet_aton(router))
    return b'\\xff' * 6 + source + struct.pack('!H', 0x0800) + ip + tcp

frames = {frames}
until = time.monotonic() + {seconds}
while time.monotonic() < until:
    for frame in frames:
        s.send(frame)
    time.sleep(0.002)
print('sent')
"""
_CLAIMS = "[arp(own, 1, own, victim, victim), arp(own, 2, own, victim, victim), arp(own, 2, own, victim, router)]"
_THEFTS = "[arp(stolen, 1, stolen, victim, victim), arp(stolen, 2, stolen, victim, router), syn(stolen, victim)]"


def claim(run: Run, victim: Victim, labctl: str, right: Callable[[], bool]) -> list[Tried]:
    """ "That address is mine": ARP requests and answers in the victim's name. `right`: labctl still reaches the victim itself."""
    run(_FRAMES.format(card=CARD, victim=victim.address, router=labctl, mac=victim.mac, frames=_CLAIMS, seconds=0.5))
    return [Tried(rows.MGMT_FORGED, "another guest's address claimed by ARP", right())]


def steal(run: Run, victim: Victim, labctl: str, right: Callable[[], bool]) -> list[Tried]:
    """The victim's address and hardware address both, in forged frames that give the bridge no rest; `right` (as in `claim`) is asked
    again and again meanwhile.
    """
    program = _FRAMES.format(card=CARD, victim=victim.address, router=labctl, mac=victim.mac, frames=_THEFTS, seconds=6)
    thief = threading.Thread(target=run, args=(program,))
    thief.start()
    seen = [right()]
    while thief.is_alive():
        seen.append(right())
    thief.join()
    return [Tried(rows.MGMT_FORGED, "another guest's address and hardware address stolen", all(seen))]


def as_other_account(address: str, port: int, uid: int = 65534) -> list[Tried]:
    """A process of labctl's machine that is not labctl dials a guest."""
    probe = f"import socket; socket.create_connection(({address!r}, {port}), timeout=2)"
    command = ["setpriv", "--reuid", str(uid), "--clear-groups", "/usr/bin/python3", "-c", probe]
    done = subprocess.run(command, capture_output=True, check=False)
    return [Tried(rows.MGMT_UID, "a guest dialled by another account of labctl's machine", done.returncode != 0)]
