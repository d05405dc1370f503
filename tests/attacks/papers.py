"""At the SSH door with papers that are not good: expired, foreign, another's, and those of a seat whose time is over."""

from __future__ import annotations

import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from labctl.drivers import ssh_ca
from tests.attacks import Tried, rows
from tests.attacks.door import relay
from tests.attacks.world import World


def _forged(world: World, name: str, authority: ssh_ca.Authority, principal: str, until: datetime) -> Path:
    """Mallory's files with a certificate that says something else."""
    folder = world.folder / name
    shutil.copytree(world.bundle("mallory"), folder, dirs_exist_ok=True)
    public = " ".join(
        subprocess.run(["ssh-keygen", "-y", "-f", folder / "id"], capture_output=True, text=True, check=True).stdout.split()[:2]
    )
    (folder / "id-cert.pub").write_text(authority.certify(public, "mallory", principal, until) + "\n")
    config = (folder / "config").read_text().replace(str(world.bundle("mallory")), str(folder))
    (folder / "config").write_text(config)
    return folder / "config"


def _enters(config: Path, to: str = "box") -> bool:
    done = subprocess.run(
        ["ssh", "-F", config, to, "id"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=40, check=False
    )
    return "uid=" in done.stdout


def identity(world: World) -> list[Tried]:
    """Row: expired, foreign CA, another's certificate, after the lease."""
    row, now = rows.DOOR_IDENTITY, datetime.now(UTC)
    mine, theirs = world.seat("mallory"), world.seat("grace")
    good = _enters(_forged(world, "good", world.authority, mine.principal, now + timedelta(hours=1)))
    world.must(good, "a certificate by labctl's authority does not open the door")
    stranger = ssh_ca.Authority(world.folder / "stranger")
    expired = _forged(world, "expired", world.authority, mine.principal, now - timedelta(seconds=1))
    foreign = _forged(world, "foreign", stranger, mine.principal, now + timedelta(hours=1))
    other = _forged(world, "other", world.authority, mine.principal, now + timedelta(hours=1))
    other.write_text(other.read_text().replace(mine.principal, theirs.principal))
    invented = _forged(world, "invented", world.authority, "seat-attacked-1-aaaaaaaaaa", now + timedelta(hours=1))
    invented.write_text(invented.read_text().replace(mine.principal, "seat-attacked-1-aaaaaaaaaa"))
    plain = _forged(world, "plain", world.authority, mine.principal, now + timedelta(hours=1))
    plain.with_name("id-cert.pub").unlink()
    host = _forged(world, "host", world.authority, mine.principal, now + timedelta(hours=1))
    key = " ".join(
        subprocess.run(["ssh-keygen", "-y", "-f", host.with_name("id")], capture_output=True, text=True, check=True).stdout.split()
    )
    host.with_name("id-cert.pub").write_text(world.authority.certify_host(key, [mine.principal]) + "\n")
    tried = {
        "an expired certificate": expired,
        "a certificate by a foreign authority": foreign,
        "mallory's certificate under grace's name": other,
        "a certificate for a seat's earlier machines": invented,
        "the key without its certificate": plain,
        "a host's certificate as a user's": host,
    }
    done = [Tried(row, what, not _enters(config)) for what, config in tried.items()]
    # Straight to grace's guest the wall is her principal: her guest itself refuses what the door would not even carry.
    straight = f"Host straight\n HostName {theirs.address}\n User learner\n ProxyJump none\n"
    straight += " StrictHostKeyChecking no\n UserKnownHostsFile /dev/null\n"
    jumped = _forged(world, "jumped", world.authority, mine.principal, now + timedelta(hours=1))
    jumped.write_text(straight + jumped.read_text())
    hers = _forged(world, "hers", world.authority, theirs.principal, now + timedelta(hours=1))
    hers.write_text(straight + hers.read_text())
    done.append(Tried(row, "mallory's certificate at grace's guest itself", not _enters(jumped, "straight"), _enters(hers, "straight")))
    return done


def after_the_lease(world: World) -> list[Tried]:
    """The same row, last of all: the class of one is closed while its learner works."""
    row = rows.DOOR_IDENTITY
    code = world.code("bert")
    words = ["ssh", "-F", str(world.bundle("bert") / "config"), "box", "echo in; exec cat"]
    client = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert client.stdout is not None
    world.must(client.stdout.readline() == "in\n", "bert cannot work before the end of his class")
    with world.tab("bert", "bert") as tab:
        ticket = world.ticket("bert", "bert")
        begun = time.monotonic()
        world.house.post("/classrooms/brief/close")
        try:
            ended = client.wait(20) != 0
        except subprocess.TimeoutExpired:
            ended = False
            client.kill()
        door_took = time.monotonic() - begun
        closed = tab.closed(20)
        page_took = time.monotonic() - begun
    again = world.ssh("bert", "box", "id").stdout
    coded = relay(world, "bert", code, "id").stdout
    with world.showing(ticket) as late:
        shown = late.closed(10)
    answer = world.ask_ticket("bert", "bert")
    return [
        Tried(row, "a live session after the lease", ended, note=f"closed after {door_took:.2f} s"),
        Tried(row, "a new login after the lease", "uid=" not in again),
        Tried(row, "a code from before the end of the lease", "uid=" not in coded),
        Tried(rows.TERMINAL_TICKETS, "a live terminal after the lease", closed is not None, note=f"{closed} after {page_took:.2f} s"),
        Tried(rows.TERMINAL_TICKETS, "a ticket from before the end of the lease", shown in (4401, 4410), note=str(shown)),
        Tried(rows.TERMINAL_TICKETS, "asking for a ticket after the lease", answer.status_code >= 400, note=str(answer.status_code)),
    ]
