"""At the SSH door with a certificate: what a learner tries to open beside their own machines, and with which papers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Awaitable, Callable

import asyncssh

from tests.attacks import Tried, rows
from tests.attacks.world import World


def connected(world: World, login: str, user: str = "") -> Awaitable[asyncssh.SSHClientConnection]:
    """An SSH client of the attacker's own making, with the learner's files."""
    folder = world.bundle(login)
    return asyncssh.connect(
        "127.0.0.1",
        world.door_port,
        username=user or world.seat(login).principal,
        client_keys=[(str(folder / "id"), str(folder / "id-cert.pub"))],
        known_hosts=None,
        config=None,
        agent_path=None,
    )


def _addresses(world: World) -> list[tuple[str, str, int]]:
    """(what it is, host, port) of every place that no learner may come to through the door."""
    mine, theirs = world.seat("mallory"), world.seat("grace")
    octets = [int(part) for part in theirs.address.split(".")]
    number = int.from_bytes(bytes(octets))
    api = int(world.house.environment["LABCTL_API_PORT"])
    tried = [("another seat's machine by address", theirs.address, 22), ("own machine by address", mine.address, 22)]
    tried += [
        (f"another seat's host name {name}", name, 22) for name in (f"box.{theirs.principal}.lab", f"box@{theirs.principal}", "grace")
    ]
    tried += [("a machine without access", "store", 22), ("its address", mine.store, 22)]
    tried += [(f"port {port} of the own machine", "box", port) for port in (23, 2222, 0, 65535)]
    loopback = (
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "0",
        "::1",
        "::",
        "::ffff:127.0.0.1",
    )
    tried += [(f"the API at {host}", host, api) for host in (*loopback, "LOCALHOST", "localhost.", "ip6-localhost", "localhost\0")]
    tried += [(f"the door itself at {host}", host, world.door_port) for host in ("127.0.0.1", "::1")]
    tried += [
        (f"metadata at {host}", host, 80) for host in ("169.254.169.254", "[::ffff:a9fe:a9fe]", "2852039166", "metadata.google.internal")
    ]
    odd = [str(number), hex(number), ".".join(f"{part:03o}" for part in octets), f"{octets[0]}.{octets[1]}.{octets[3]}"]
    odd += [f"::ffff:{theirs.address}", f"{theirs.address}.", f" {theirs.address}", f"{theirs.address}\0box", f"box\0{theirs.address}"]
    tried += [(f"another seat's address written as {host!r}", host, 22) for host in odd]
    names = (
        "BOX",
        "box.",
        "box ",
        " box",
        "./box",
        "../box",
        "box/../box",
        "box\n",
        "b\N{CYRILLIC SMALL LETTER O}x",
        "b*x",
        "",
        "*",
        "box,store",
        "x" * 5000,
    )
    tried += [(f"own machine's name written as {host[:12]!r}", host, 22) for host in names]
    return [*tried, ("labctl's own address on the management network", str(world.wired.site.own_address), 22)]


async def _reached(conn: asyncssh.SSHClientConnection, host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(10):
            reader, writer = await conn.open_connection(host, port)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await reader.read(20)
            writer.close()
    except (asyncssh.Error, TimeoutError, ValueError):
        return False
    return True


async def _socket(open_: Callable[[], Awaitable[object]]) -> bool:
    try:
        async with asyncio.timeout(5):
            return await open_() is not None
    except (asyncssh.Error, asyncssh.ChannelListenError, asyncssh.SFTPError, TimeoutError, ValueError, OSError):
        return False


async def _channels(world: World) -> list[Tried]:
    row, done = rows.DOOR_ELSEWHERE, []
    async with await connected(world, "mallory") as conn:
        world.must(await _reached(conn, "box", 22), "the door does not lead to the own machine by its name")
        for what, host, port in _addresses(world):
            done.append(Tried(row, f"channel to {what}", not await _reached(conn, host, port)))
        sockets = {
            "channel to a unix socket": lambda: conn.open_unix_connection("/run/systemd/private"),
            "channel to an abstract unix socket": lambda: conn.open_unix_connection("\0x"),
            "-R of a port": lambda: conn.forward_remote_port("127.0.0.1", 0, "127.0.0.1", 22),
            "-R on all addresses": lambda: conn.forward_remote_port("", 0, "127.0.0.1", 22),
            "-R of a unix socket": lambda: conn.forward_remote_path("/tmp/labctl-attack", "/tmp/nothing"),
            "a shell at the door": conn.create_process,
            "a command at the door": lambda: conn.create_process("id"),
            "files of the door (sftp)": conn.start_sftp_client,
            "X11 at the door": lambda: conn.create_process("id", x11_forwarding=True),
            "a tunnel (-w)": conn.open_tun,
            "a layer 2 tunnel (-w)": conn.open_tap,
        }
        for what, open_ in sockets.items():
            done.append(Tried(row, what, not await _socket(open_)))
        world.must(await _reached(conn, "box", 22), "after all that the own machine is not to be reached")
    return done


def _openssh(world: World) -> list[Tried]:
    """The same by plain OpenSSH where its words differ from asyncssh's."""
    row = rows.DOOR_ELSEWHERE
    world.must("uid=" in world.ssh("mallory", "box", "id").stdout, "plain ssh to the own machine does not work")
    tried = {
        "ssh -W to another seat": ["-W", f"{world.seat('grace').address}:22", "labctl-door"],
        "ssh to the door": ["labctl-door"],
        "ssh with a command to the door": ["labctl-door", "id"],
        "ssh -s sftp to the door": ["-s", "labctl-door", "sftp"],
        "ssh -tt to the door": ["-tt", "labctl-door"],
        "ssh -R": ["-N", "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:22", "labctl-door"],
    }
    done = []
    for what, words in tried.items():
        answer = world.ssh("mallory", *words)
        done.append(Tried(row, what, answer.returncode != 0 and not answer.stdout))
    return done


_LOOKS = 'test -n "$SSH_AUTH_SOCK" && ssh-add -l'


def _agent(world: World) -> list[Tried]:
    """A live agent of the visitor's: root in the guest must not be able to use it."""
    folder = world.folder / "agent"
    folder.mkdir(exist_ok=True)
    path = folder / "socket"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        world.wait("ssh-agent", path.exists)
        environment = os.environ | {"SSH_AUTH_SOCK": str(path)}
        if not (folder / "key").exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")], check=True)
        subprocess.run(["ssh-add", "-q", str(folder / "key")], env=environment, check=True)
        options = ["-A", "-o", "ForwardAgent=yes", "-o", f"IdentityAgent={path}"]
        jumped = world.ssh("ada", *options, "box", _LOOKS, env=environment)
        # The wall is the certificate, which carries no permit-agent-forwarding; labctl's own key has no such wall.
        key = [
            "-F",
            "none",
            "-i",
            str(world.authority.deploy_key_file),
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
        ]
        words = ["ssh", *key, "-o", "LogLevel=ERROR", *options, f"labctl@{world.seat('ada').address}", _LOOKS]
        bare = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=30, check=False)
        relayed = relay(world, "ada", *options, world.code("ada"), _LOOKS, env=environment)
    finally:
        agent.terminate()
        agent.wait(10)
    row = rows.DOOR_ELSEWHERE
    control = bare.returncode == 0 and "ED25519" in bare.stdout
    return [
        Tried(row, "a live agent, used from the guest, by jump", "ED25519" not in jumped.stdout, control),
        Tried(row, "a live agent, used from the guest, by relay", "ED25519" not in relayed.stdout, control),
    ]


def relay(
    world: World, login: str, *words: str, user: str = "", program: str = "ssh", env: dict[str, str] | None = None, timeout: float = 40
) -> subprocess.CompletedProcess[str]:
    """Plain OpenSSH that types a code: `words` are options, then the code, then a command."""
    *options, code, command = words
    folder = world.folder / "askpass"
    folder.mkdir(exist_ok=True)
    ask = folder / "ask"
    ask.write_text('#!/bin/sh\nprintf "%s\\n" "$LABCTL_TYPED"\n')
    ask.chmod(0o700)
    environment = {
        **os.environ,
        **(env or {}),
        "SSH_ASKPASS": str(ask),
        "SSH_ASKPASS_REQUIRE": "force",
        "DISPLAY": "x",
        "LABCTL_TYPED": code,
    }
    fixed = ["-F", "none", "-p", str(world.door_port), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    fixed += [
        "-o",
        "LogLevel=ERROR",
        "-o",
        f"User={user or f'{login}+box'}",
        "-o",
        "PubkeyAuthentication=no",
        "-o",
        "NumberOfPasswordPrompts=1",
    ]
    return subprocess.run(
        [program, *fixed, *options, "127.0.0.1", command],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=timeout, check=False,
    )  # fmt: skip


def elsewhere(world: World) -> list[Tried]:
    """Row: other seat, address, port, localhost, metadata, -R, unix sockets, shell, agent."""
    return [*asyncio.run(_channels(world)), *_openssh(world), *_agent(world)]
