"""labctl's SSH certificate authorities, and everything they sign (`access.md` 2.1).

Three ed25519 keys live in the secrets folder: `user_ca` signs learners, `host_ca` signs guests, `deploy_key` is labctl's
own way into guests. Nothing here opens a connection; who may ask for a certificate is decided above.

A learner's certificate names the seat's principal and nothing else, ends with the lease, and carries two extensions:
`permit-pty` and `permit-port-forwarding` (no agent, no X11).
"""

from __future__ import annotations

import base64
import os
import secrets as secrets_
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from labctl import errors, ports
from labctl.model import passage
from labctl.model.environment import Machine
from labctl.model.plan import Plan

FOLDER = "@FOLDER@"
"""Stands in a bundle's `config` for the folder it will be written to: OpenSSH knows no path relative to the file.
`write_bundle` replaces it."""

DOOR = "labctl-door"
"""What the door is called in a learner's `config`."""

CLOCK_SKEW = timedelta(minutes=10)
"""Certificates begin this much earlier, for guests whose clock is a little behind."""

HOST_CERTIFICATE_LIFE = timedelta(days=400)
"""Longer than any lease; a guest is signed anew whenever it is enrolled, and its key dies with its disk."""


@dataclass(frozen=True)
class Login:
    """A private key with the certificate for it, both in OpenSSH's text form. `certificate` is empty for a plain key."""

    private: str = field(repr=False)
    certificate: str = ""


@dataclass(frozen=True)
class DoorAddress:
    """Where learners find the door: host and port to dial, and the name its host certificate is made for."""

    host: str
    port: int
    name: str


def host_name(plan: Plan, machine: str) -> str:
    """The name a guest's host certificate is made for."""
    return passage.host_name(plan.principal, machine)


class Authority:
    """The keys in one secrets folder; made at first need, then kept for good. With `door`, learners' files lead through it."""

    def __init__(self, secrets: Path, door: DoorAddress | None = None) -> None:
        self._secrets = secrets
        self._door = door

    @property
    def deploy_key_file(self) -> Path:
        """The private key with which labctl enters guests; made if it is not there."""
        self._key("deploy_key")
        return self._secrets / "deploy_key"

    def deploy_public(self) -> str:
        """The line for `authorized_keys` of the user `labctl` in every guest."""
        return f"{_public_text(self._key('deploy_key').public_key())} labctl-deploy"

    def deploy_login(self) -> Login:
        """Labctl's own way into guests."""
        return Login(_private_text(self._key("deploy_key")))

    def user_authority(self) -> str:
        """What guests trust to sign learners."""
        return _public_text(self._key("user_ca").public_key())

    def host_authority(self) -> str:
        """What learners, Ansible and labctl trust to sign guests."""
        return _public_text(self._key("host_ca").public_key())

    def known_hosts(self) -> str:
        """The one line of `known_hosts` that all of labctl's guests need."""
        return f"@cert-authority *.lab {self.host_authority()}\n"

    def certify_host(self, host_key: str, principals: Sequence[str], now: datetime | None = None) -> str:
        """A host certificate for "ssh-ed25519 AAAA..."; raises PermanentError when that is not an ed25519 key."""
        moment = now or datetime.now(UTC)
        builder = _builder(_ed25519(host_key), serialization.SSHCertificateType.HOST, principals[0], principals)
        builder = builder.valid_after(_seconds(moment - CLOCK_SKEW)).valid_before(_seconds(moment + HOST_CERTIFICATE_LIFE))
        return builder.sign(self._key("host_ca")).public_bytes().decode()

    def learner(self, plan: Plan, until: datetime, now: datetime | None = None) -> Login:
        """A fresh key and a certificate for the plan's seat that ends at `until`."""
        key = ed25519.Ed25519PrivateKey.generate()
        return Login(_private_text(key), self._certificate(key.public_key(), plan.seat.login, plan.principal, until, now))

    def certify(self, public_key: str, login: str, principal: str, until: datetime, *, shell: bool = True) -> str:
        """See `ports.Keys`: for the door, which goes in for a learner who has no key, and for the proxy of web apps."""
        try:
            key = _ed25519(public_key)
        except errors.PermanentError as error:
            raise errors.BadInput("that is not an ed25519 public key") from error
        return self._certificate(key, login, principal, until, shell=shell)

    def _certificate(
        self,
        key: ed25519.Ed25519PublicKey,
        login: str,
        principal: str,
        until: datetime,
        now: datetime | None = None,
        *,
        shell: bool = True,
    ) -> str:
        begins = min(now or datetime.now(UTC), until) - CLOCK_SKEW
        builder = _builder(key, serialization.SSHCertificateType.USER, f"{login} {principal}", [principal])
        builder = builder.valid_after(_seconds(begins)).valid_before(_seconds(until))
        builder = builder.add_extension(b"permit-port-forwarding", b"")
        builder = builder.add_extension(b"permit-pty", b"") if shell else builder.add_critical_option(b"force-command", b"/bin/false")
        return builder.sign(self._key("user_ca")).public_bytes().decode()

    def bundle(self, plan: Plan, machines: Sequence[Machine], until: datetime) -> ports.Bundle:
        """A learner's files for `ssh -F FOLDER/config MACHINE`: by the door, which knows machines by name only, or (without one)
        straight over the management network. `config` names its folder as `@FOLDER@`: whoever writes the bundle down calls
        `write_bundle`, which puts the real folder there.
        """
        login, door = self.learner(plan, until), self._door
        hosts = [machine for machine in machines if "terminal" in plan.machine(machine.name).access]
        blocks = [
            _block(one.name, one.name if door else one.address, plan.machine(one.name).login, host_name(plan, one.name), jump=bool(door))
            for one in hosts
        ]
        if door is not None:
            blocks.append(_block(DOOR, door.host, plan.principal, door.name, port=door.port))
        return ports.Bundle(
            files={
                "id": login.private,
                "id-cert.pub": login.certificate + "\n",
                "known_hosts": self.known_hosts(),
                "config": "\n".join([*blocks, _COMMON]),
            },
            hosts=tuple(made.name for made in hosts),
        )

    def furnish_door(self, folder: Path, name: str) -> None:
        """What the door may know, written into its folder: a host key of its own with a certificate for `name`, and both authorities'
        public keys. Never a private key of an authority.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / "host_key"
        if not path.exists():
            _write_once(path, _private_text(ed25519.Ed25519PrivateKey.generate()))
        key = serialization.load_ssh_private_key(path.read_bytes(), password=None)
        _replace(folder / "host_key-cert.pub", self.certify_host(_public_text(key.public_key()), [name]) + "\n")
        _replace(folder / "user_ca.pub", self.user_authority() + "\n")
        _replace(folder / "host_ca.pub", self.host_authority() + "\n")

    def check_host(self, certificate: bytes, name: str, now: datetime | None = None) -> str:
        """The plain host key inside a host certificate (raw key blob as on the wire) that this authority signed for `name`.

        Raises PermanentError that says why the certificate is not good.
        """
        moment = _seconds(now or datetime.now(UTC))
        cert = _read_certificate(certificate, name)
        if _public_text(cert.signature_key()) != self.host_authority():
            reason = "was signed by another authority"
        elif cert.type is not serialization.SSHCertificateType.HOST:
            reason = "is a user's certificate"
        elif name.encode() not in cert.valid_principals:
            reason = "was made for another machine"
        elif not cert.valid_after <= moment < cert.valid_before:
            reason = "is not valid now"
        elif cert.critical_options:
            reason = "carries options labctl does not know"
        else:
            return _public_text(cert.public_key())
        raise errors.PermanentError(
            f"{name}: the host certificate {reason}", hint="Somebody else may be answering at this address; reset the seat."
        )

    def _key(self, name: str) -> ed25519.Ed25519PrivateKey:
        path = self._secrets / name
        if not path.exists():
            self._secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_once(path, _private_text(ed25519.Ed25519PrivateKey.generate()))
        try:
            key = serialization.load_ssh_private_key(path.read_bytes(), password=None)
        except (ValueError, OSError) as error:
            raise errors.PermanentError(
                f"the key {path} cannot be read ({type(error).__name__})",
                hint="Restore it from your backup; guests trust only that one.",
            ) from error
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise errors.PermanentError(f"the key {path} is not an ed25519 key", hint="Restore it from your backup.")
        return key


def _read_certificate(blob: bytes, name: str) -> serialization.SSHCertificate:
    """The certificate, its signature checked against the key it names (whose that is, the caller asks)."""
    try:
        cert = serialization.load_ssh_public_identity(b"ssh-ed25519-cert-v01@openssh.com " + base64.b64encode(blob))
        if isinstance(cert, serialization.SSHCertificate):
            cert.verify_cert_signature()
            return cert
    except (ValueError, TypeError, InvalidSignature) as error:
        raise errors.PermanentError(f"{name}: the host certificate cannot be read ({error or 'bad signature'})") from error
    raise errors.PermanentError(f"{name}: the guest showed a plain key where a host certificate was due")


def write_bundle(bundle: ports.Bundle, folder: Path) -> Path:
    """Write a bundle's files into `folder` (0700, files 0600, each replaced in one go) and return the path of `config`."""
    place = str(folder.resolve())
    if any(sign in place for sign in '"\n\r\\'):
        raise errors.BadInput(f"OpenSSH cannot name the folder {place!r}", hint="Choose one without quotes and backslashes.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    for name, content in bundle.files.items():
        text = content.replace(FOLDER, place.replace("%", "%%")) if name == "config" else content
        _replace(folder / name, text)
    return folder / "config"


_COMMON = f"""Host *
    IdentityFile "{FOLDER}/id"
    CertificateFile "{FOLDER}/id-cert.pub"
    IdentitiesOnly yes
    IdentityAgent none
    ForwardAgent no
    PreferredAuthentications publickey
    UserKnownHostsFile "{FOLDER}/known_hosts"
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    UpdateHostKeys no
    HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com
    ServerAliveInterval 15
"""


def _block(machine: str, address: str, login: str, alias: str, *, port: int = 0, jump: bool = False) -> str:
    """HostKeyAlias knows no %h, hence one block for each machine (`access.md` 2.1)."""
    more = (f"    Port {port}\n" if port else "") + (f"    ProxyJump {DOOR}\n" if jump else "")
    return f"Host {machine}\n    HostName {address}\n    User {login}\n    HostKeyAlias {alias}\n{more}"


def _builder(
    key: ed25519.Ed25519PublicKey, kind: serialization.SSHCertificateType, key_id: str, principals: Sequence[str]
) -> serialization.SSHCertificateBuilder:
    builder = serialization.SSHCertificateBuilder().public_key(key).serial(secrets_.randbits(63)).type(kind)
    return builder.key_id(key_id.encode()).valid_principals([name.encode() for name in principals])


def _ed25519(text: str) -> ed25519.Ed25519PublicKey:
    try:
        key = serialization.load_ssh_public_key(text.encode())
    except ValueError as error:
        raise errors.PermanentError("the guest's host key cannot be read") from error
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise errors.PermanentError("the guest's host key is not an ed25519 key", hint="The template's sshd needs an ed25519 host key.")
    return key


def _public_text(key: object) -> str:
    if not isinstance(key, ed25519.Ed25519PublicKey):
        return "another kind of key"
    return key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def _private_text(key: ed25519.Ed25519PrivateKey) -> str:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()).decode()


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _temporary(path: Path, text: str) -> Path:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def _write_once(path: Path, text: str) -> None:
    """Two processes may start at once: the first link wins and both read the same key afterwards."""
    temporary = _temporary(path, text)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def _replace(path: Path, text: str) -> None:
    _temporary(path, text).replace(path)
