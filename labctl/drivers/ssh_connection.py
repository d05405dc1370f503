"""One SSH connection to one guest: dial, judge the host key, log in, run, open ports. The only importer of paramiko.

Guests are hostile: learners are root on them. So every wait has an end, what a guest sends is cut at a limit, and the
identification line is looked at before paramiko reads it (paramiko puts no limit on its length).
What to run, and what an answer means, is decided in `ssh`, `ssh_enrol` and `ssh_checks`.
"""

from __future__ import annotations

import io
import logging
import select
import socket
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import paramiko

from labctl import errors
from labctl.drivers import ssh_ca, ssh_root

OUTPUT_LIMIT = 256 * 1024
"""Bytes kept of each of a command's outputs; the rest is read and dropped."""

IDENTIFICATION_LIMIT = 255
"""RFC 4253, 4.2: the identification line has at most 255 bytes. Lines before it are allowed there, but OpenSSH sends none."""

HANDSHAKE_SECONDS = 15.0
"""Key exchange and login take 0.1-0.2 s; an overloaded node may need some seconds."""

_CERTIFICATE = "ssh-ed25519-cert-v01@openssh.com"
_PLAIN = "ssh-ed25519"
_WEAK = {
    "ciphers": ["aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"],
    "macs": ["hmac-sha1", "hmac-md5", "hmac-sha1-96", "hmac-md5-96"],
    "kex": ["diffie-hellman-group-exchange-sha256", "diffie-hellman-group14-sha256"],
}

logging.getLogger("paramiko").addHandler(logging.NullHandler())


class LoginRefused(errors.PermanentError):
    """sshd answered and did not let this key in."""


class TookTooLong(errors.Unreachable):
    """The guest answered, but what it was asked to do did not end in time."""


class PortClosed(errors.PermanentError):
    """The guest could not open that connection (refused, no route, no such name)."""


@dataclass(frozen=True)
class Trust:
    """How the key at the other end is judged.

    `name` is the guest's name in its certificate; `pinned` its plain key ("" at the first contact). With `certificate` only a
    host certificate of our authority is accepted; without it (enrolment) a plain key too: the pinned one, or any at the first
    contact, which happens right after the build, on the isolated management network with a fixed neighbour, before
    anybody else has logged in.
    """

    authority: ssh_ca.Authority
    name: str
    pinned: str = ""
    certificate: bool = True

    @property
    def key_types(self) -> tuple[str, ...]:
        """What the guest may answer with. A pinned guest that is enrolled again may still have a certificate for another seat
        (handing over), so only its plain key is asked for.
        """
        if self.certificate:
            return (_CERTIFICATE,)
        return (_PLAIN,) if self.pinned else (_CERTIFICATE, _PLAIN)


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit status and both outputs (cut at OUTPUT_LIMIT)."""

    exit: int
    stdout: str
    stderr: str


class Connection:
    """A logged-in connection; `host_key` is the guest's plain key. Use as a context manager."""

    def __init__(self, transport: paramiko.Transport, machine: str, user: str, host_key: str) -> None:
        self._transport = transport
        self.machine = machine
        self.user = user
        self.host_key = host_key
        self._root: ssh_root.RootShell | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Repeatable."""
        self._transport.close()

    @property
    def alive(self) -> bool:
        """False once the guest has ended the connection."""
        return bool(self._transport.is_active())

    def run(self, command: str, *, stdin: bytes = b"", timeout: float, terminal: bool = False) -> Outcome:
        """Run one command line by the user's shell. Raises TookTooLong after `timeout` seconds, Unreachable when the
        connection ends.
        """
        deadline = time.monotonic() + timeout
        try:
            with self._transport.open_session(timeout=timeout) as channel:
                if terminal:
                    channel.get_pty()
                channel.settimeout(timeout)
                channel.exec_command(command)
                if stdin:
                    channel.sendall(stdin)
                channel.shutdown_write()
                stdout, stderr = _drain(channel, deadline)
                return Outcome(_status(channel, deadline), stdout.decode(errors="replace"), stderr.decode(errors="replace"))
        except TimeoutError as error:
            raise TookTooLong(f"{self.machine}: not finished within {timeout:g} s") from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise errors.Unreachable(f"{self.machine}: the SSH connection ended ({_reason(error)})") from error

    def root(self, script: str, *, timeout: float) -> Outcome:
        """Run a shell script as root, in a shell that stays open for the next one. It travels on stdin, so nothing of it is in a
        process list; its commands must not read stdin. Raises as `run` does.
        """
        try:
            if self._root is None or not self._root.alive:
                channel = self._transport.open_session(timeout=timeout)
                channel.settimeout(timeout)
                channel.exec_command("/bin/sh -s" if self.user == "root" else "sudo -n /bin/sh -s")
                self._root = ssh_root.RootShell(channel, OUTPUT_LIMIT)
            exit_, stdout, stderr = self._root.run(script, timeout)
        except TimeoutError as error:
            self._leave_root()
            raise TookTooLong(f"{self.machine}: not finished within {timeout:g} s") from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            self._leave_root()
            raise errors.Unreachable(f"{self.machine}: the SSH connection ended ({_reason(error)})") from error
        return Outcome(exit_, stdout.decode(errors="replace"), stderr.decode(errors="replace"))

    def _leave_root(self) -> None:
        if self._root is not None:
            self._root.close()
            self._root = None

    def dial(self, host: str, port: int, timeout: float) -> paramiko.Channel:
        """A TCP connection opened from the guest (direct-tcpip; `blueprint.md` 11). Raises PortClosed or TookTooLong."""
        try:
            channel = self._transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=timeout)
        except paramiko.ChannelException as error:
            raise PortClosed(f"{host}:{port} cannot be reached from {self.machine} ({error.text})") from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            if self._transport.is_active():
                raise TookTooLong(f"{host}:{port} does not answer {self.machine} within {timeout:g} s") from error
            raise errors.Unreachable(f"{self.machine}: the SSH connection ended ({_reason(error)})") from error
        channel.settimeout(timeout)
        return channel


def connect(
    address: str, user: str, login: ssh_ca.Login, trust: Trust, *, patience: float, insist: float = 0.0, port: int = 22
) -> Connection:
    """Dial until sshd answers or `patience` seconds have passed, then judge the key and log in. A refused login is tried
    again for `insist` seconds, which a booting guest needs.

    Raises Unreachable when nobody answered, LoginRefused, or PermanentError for a wrong host key.
    """
    machine = trust.name.partition(".")[0]
    deadline = time.monotonic() + patience
    last = "no answer"
    refused_since: float | None = None
    while True:
        try:
            return _attempt(address, port, user, login, trust, deadline)
        except LoginRefused:
            refused_since = refused_since or time.monotonic()
            if time.monotonic() >= min(deadline, refused_since + insist):
                raise
            time.sleep(0.25)  # sshd answers at once, so this sets the pace of the logins
        except (paramiko.SSHException, OSError, EOFError) as error:
            # A dial cut short by the end of our patience says less than what came before.
            last = _reason(error) if last == "no answer" or not isinstance(error, TimeoutError) else last
        if time.monotonic() + 0.05 >= deadline:
            raise errors.Unreachable(
                f"{machine}: SSH on {address} does not answer after {patience:g} s ({last})",
                hint="Is the machine running, and does labctl's management interface have its address? `labctl doctor` tells.",
            )
        time.sleep(0.05)  # the pause between two dials; a refused dial returns at once


def _attempt(address: str, port: int, user: str, login: ssh_ca.Login, trust: Trust, deadline: float) -> Connection:
    sock = _dial(address, port, deadline)
    try:
        _look_at_identification(sock, deadline)
        transport = paramiko.Transport(sock, disabled_algorithms=_WEAK)
    except BaseException:
        sock.close()
        raise
    try:
        transport.get_security_options().key_types = trust.key_types
        left = min(HANDSHAKE_SECONDS, max(0.1, deadline - time.monotonic()))
        transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = left
        transport.start_client(timeout=left)
        host_key = _judge(transport.get_remote_server_key(), trust)
        _log_in(transport, user, login, trust)
    except BaseException:
        transport.close()
        raise
    return Connection(transport, trust.name.partition(".")[0], user, host_key)


def _dial(address: str, port: int, deadline: float) -> socket.socket:
    """Short timeouts repeated: a SYN lost while the card comes up would cost a second (`access.md` 1.1)."""
    patience = 0.1
    while True:
        left = deadline - time.monotonic()
        try:
            dialled = socket.create_connection((address, port), timeout=max(0.05, min(patience, left)))
        except TimeoutError:
            if left <= patience:
                raise
            patience = min(patience * 1.3, 2.0)
        else:
            # SSH's packets are small and each waits for an answer; Nagle's algorithm would hold every second one for 40 ms.
            dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return dialled


def _look_at_identification(sock: socket.socket, deadline: float) -> None:
    """Wait for a whole identification line without taking it from the socket."""
    until = min(deadline, time.monotonic() + HANDSHAKE_SECONDS)
    seen = b""
    while b"\n" not in seen:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("it accepts connections but says nothing")
        sock.settimeout(left)
        now = sock.recv(IDENTIFICATION_LIMIT, socket.MSG_PEEK)
        if not now:
            raise EOFError("it closed the connection at once")
        if not now.startswith(b"SSH-2.0-"[: len(now)]) or (len(now) == IDENTIFICATION_LIMIT and b"\n" not in now):
            raise OSError("what answers there does not speak SSH")
        if now == seen:
            time.sleep(0.02)  # a peek returns at once with what is there; wait for the rest of the line
        seen = now


def _judge(key: paramiko.PKey, trust: Trust) -> str:
    """The guest's plain key, if it may be believed."""
    if key.public_blob is not None:
        plain = trust.authority.check_host(key.public_blob.key_blob, trust.name)
    else:
        plain = f"{key.get_name()} {key.get_base64()}"
    if trust.pinned and plain != trust.pinned:
        raise errors.PermanentError(
            f"{trust.name.partition('.')[0]}: the guest answers with another host key than at the first contact",
            hint="Its sshd was changed, or somebody else answers at its address. Reset the seat.",
        )
    return plain


def _log_in(transport: paramiko.Transport, user: str, login: ssh_ca.Login, trust: Trust) -> None:
    key = paramiko.Ed25519Key.from_private_key(io.StringIO(login.private))
    if login.certificate:
        key.load_certificate(login.certificate)
    try:
        more = transport.auth_publickey(user, key)
    except paramiko.AuthenticationException as error:
        if not transport.is_active() or "timeout" in str(error).lower():
            raise EOFError("it did not finish the login") from error
        raise LoginRefused(f"{trust.name.partition('.')[0]}: sshd does not let {user} in ({_reason(error)})") from error
    if more:
        raise LoginRefused(f"{trust.name.partition('.')[0]}: sshd wants more than a key from {user}")


def _drain(channel: paramiko.Channel, deadline: float) -> tuple[bytes, bytes]:
    """Read both outputs until they end, or until the command has ended and is silent (a daemon may hold them open)."""
    kept = bytearray(), bytearray()
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    while True:
        ended = channel.eof_received or channel.closed
        exited = channel.exit_status_ready()
        quiet = True
        for ready, receive, buffer in (
            (channel.recv_ready, channel.recv, kept[0]),
            (channel.recv_stderr_ready, channel.recv_stderr, kept[1]),
        ):
            if ready():
                quiet = False
                data = receive(65536)
                buffer.extend(data[: OUTPUT_LIMIT - len(buffer)])
        left = deadline - time.monotonic()
        if quiet and ended:
            return bytes(kept[0]), bytes(kept[1])
        if left <= 0:
            raise TimeoutError
        if quiet and not poll.poll(min(left, 0.25) * 1000) and exited:
            return bytes(kept[0]), bytes(kept[1])


def _status(channel: paramiko.Channel, deadline: float) -> int:
    if not channel.status_event.wait(max(0.0, deadline - time.monotonic())):
        raise TimeoutError
    if channel.exit_status < 0:
        raise EOFError("no exit status came")
    return channel.exit_status


def _reason(error: BaseException) -> str:
    text = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    return "".join(sign if sign.isprintable() else "?" for sign in text)
