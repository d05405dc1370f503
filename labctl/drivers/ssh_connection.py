"""One SSH connection to one guest: dial, judge the host key, log in, run, open ports. The only importer of paramiko.

Guests are hostile: learners are root on them. So every wait has an end, what a guest sends is cut at a limit, and the
identification line is looked at before paramiko reads it (paramiko puts no limit on its length).
What to run, and what an answer means, is decided in `ssh`, `ssh_enrol` and `ssh_checks`.
"""

from __future__ import annotations

import contextlib
import io
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import paramiko

from labctl import errors
from labctl.drivers import ssh_ca, ssh_dial, ssh_root, ssh_session

OUTPUT_LIMIT = 256 * 1024
"""Bytes kept of each of a command's outputs; the rest is read and dropped."""

HANDSHAKE_SECONDS = 15.0
"""Key exchange and login take 0.1-0.2 s; an overloaded node may need some seconds."""

Got = TypeVar("Got")
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
    """A logged-in connection; `host_key` is the guest's plain key, `certified` whether a certificate for it was asked for. Use as a
    context manager.
    """

    def __init__(self, transport: paramiko.Transport, trust: Trust, user: str, host_key: str) -> None:
        self._transport = transport
        self.machine = trust.name.partition(".")[0]
        self.certified = trust.certificate
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
            with self._session(deadline) as channel:
                with ssh_session.answered(channel, deadline):
                    if terminal:
                        channel.get_pty()
                    channel.exec_command(command)
                channel.settimeout(timeout)
                ssh_session.feed(channel, stdin)
                stdout, stderr = ssh_session.drain(channel, deadline, OUTPUT_LIMIT)
                return Outcome(ssh_session.status(channel, deadline), stdout.decode(errors="replace"), stderr.decode(errors="replace"))
        except TimeoutError as error:
            raise TookTooLong(f"{self.machine}: not finished within {timeout:g} s") from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise errors.Unreachable(f"{self.machine}: the SSH connection ended ({_reason(error)})") from error

    def root(self, script: str, *, timeout: float) -> Outcome:
        """Run a shell script as root, in a shell that stays open for the next one. It travels on stdin, so nothing of it is in a
        process list; its commands must not read stdin. Raises as `run` does.
        """
        deadline = time.monotonic() + timeout
        try:
            if self._root is None or not self._root.alive:
                channel = self._session(deadline)
                with ssh_session.answered(channel, deadline):
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

    def _session(self, deadline: float) -> paramiko.Channel:
        """A new one. Raises TimeoutError where only its time was too short."""
        try:
            return self._transport.open_session(timeout=max(0.0, deadline - time.monotonic()))
        except paramiko.SSHException as error:
            if self._transport.is_active() and time.monotonic() >= deadline:
                raise TimeoutError from error
            raise

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

    def attempt(deadline: float) -> Connection:
        with _met(address, port, trust, deadline) as (transport, host_key):
            _log_in(transport, user, login, trust)
            return Connection(transport, trust, user, host_key)

    return _until(address, trust, attempt, patience, insist)


def meet(address: str, trust: Trust, *, patience: float, port: int = 22) -> str:
    """The guest's plain key, judged as `connect` does, and nothing more: it costs the guest half of what a login costs."""

    def attempt(deadline: float) -> str:
        with _met(address, port, trust, deadline) as (transport, host_key):
            transport.close()
            return host_key

    return _until(address, trust, attempt, patience, 0.0)


def _until(address: str, trust: Trust, attempt: Callable[[float], Got], patience: float, insist: float) -> Got:
    machine = trust.name.partition(".")[0]
    deadline = time.monotonic() + patience
    last = "no answer"
    refused_since: float | None = None
    while True:
        try:
            return attempt(deadline)
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


@contextlib.contextmanager
def _met(address: str, port: int, trust: Trust, deadline: float) -> Iterator[tuple[paramiko.Transport, str]]:
    """Dialled, keys exchanged, the guest's key judged; closed where the block fails."""
    sock = ssh_dial.dial(address, port, deadline)
    try:
        ssh_dial.look_at_identification(sock, deadline, HANDSHAKE_SECONDS)
        transport = paramiko.Transport(sock, disabled_algorithms=_WEAK)
    except BaseException:
        sock.close()
        raise
    try:
        transport.get_security_options().key_types = trust.key_types
        left = min(HANDSHAKE_SECONDS, max(0.1, deadline - time.monotonic()))
        transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = left
        transport.start_client(timeout=left)
        yield transport, _judge(transport.get_remote_server_key(), trust)
    except BaseException:
        transport.close()
        raise


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


def _reason(error: BaseException) -> str:
    text = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    return "".join(sign if sign.isprintable() else "?" for sign in text)
