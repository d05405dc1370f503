"""The blocks `defaults` and `machines` (`blueprint.md` 6). What a machine is after `defaults` and `count`: `labctl.model.inventory`."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from labctl.model import refusals, scalars
from labctl.model.block import Block
from labctl.model.scalars import ImageName, Maybe, Name, NotYet, PlaceName, Scope, Several, Size, Table, Text, Truth, Whole

_LOGIN = r"[a-z_][a-z0-9_-]{0,30}"
_TAKEN_LOGINS = frozenset({"root", "labctl", "daemon", "nobody", "sshd", "systemd-network"})


def _login(text: str) -> str:
    if text in _TAKEN_LOGINS:
        raise refusals.wrong(f"'{text}' is an account of the system; choose another login")
    if not re.fullmatch(_LOGIN, text):
        raise refusals.wrong(f"'{text}' is not a login: small letters, digits, '-' and '_', beginning with a letter, at most 31")
    return text


def _password(text: str) -> str:
    if not re.fullmatch(r"\$\{lab\." + scalars.VARIABLE + r"\}", text):
        raise refusals.wrong("password is a reference to a variable: password: ${lab.NAME} (a constant is a variable with value:)")
    return text


def _access(value: Any, info: ValidationInfo) -> str:
    text = scalars.text_of(value, info)
    if text not in {"terminal", "desktop"}:
        raise refusals.wrong(f"'{text}' is not possible; one of terminal, desktop")
    return text


class Defaults(Block):
    """Keys that all machines share unless they say otherwise. One level, nothing else."""

    image: Maybe[ImageName] = None
    """Name in the site's catalogue; here or in defaults."""
    kind: Maybe[Annotated[Literal["vm", "container"], BeforeValidator(scalars.text_of)]] = None
    """vm (default) or container: boots in under a second, but no kernel modules, no VPN, stopped instead of suspended."""
    cpus: Maybe[Annotated[Whole, Field(ge=1, le=128)]] = None
    """Cores; 1."""
    memory: Maybe[Size] = None
    """1G. MiB."""
    disk: Maybe[Size] = None
    """The root disk is grown to it; the image's size. MiB."""
    login: Maybe[Annotated[Text, AfterValidator(_login)]] = None
    """The learner's account; learner."""
    sudo: Maybe[Truth] = None
    """Whether the learner is administrator; true."""
    password: Maybe[Annotated[Text, AfterValidator(_password)]] = None
    """A reference to a variable; none: certificates only."""
    access: Maybe[Several[Annotated[Literal["terminal", "desktop"], BeforeValidator(_access)]]] = None
    """terminal: SSH and browser tab; desktop: its picture in the browser (vm). []: a target, entered only by what the lab is about."""
    load: Maybe[Annotated[Literal["low", "medium", "high"], BeforeValidator(scalars.text_of)]] = None
    """Expected use of the cores: low 0.1, medium 0.3, high 1.0."""


def _nic(text: str) -> str:
    if text == "dhcp":
        raise refusals.not_yet("dhcp")
    if text in {"auto", "none"}:
        return text
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise refusals.wrong(f"'{text}' is not an address; write an IPv4 address without '/', auto, dhcp or none") from None


def _hostname(text: str) -> str:
    if not re.fullmatch(scalars.HOSTNAME, text):
        raise refusals.wrong(f"'{text}' is not a hostname: letters, digits and '-', at most 63, no dots")
    return text


def _alias(text: str) -> str:
    if text.startswith("*."):
        raise refusals.not_yet(text)
    if not re.fullmatch(scalars.DOMAIN, text):
        raise refusals.wrong(f"'{text}' is not a DNS name")
    return text


def _destination(text: str) -> str:
    return str(scalars.network_of(text))


class Machine(Defaults):
    """One machine of the lab, or `count` equal ones."""

    scope: Scope = "learner"
    """One per learner; team and classroom later."""
    count: Annotated[Whole, Field(ge=1, le=32)] = 1
    """worker with 2 becomes worker-1 and worker-2; a fixed address counts upwards."""
    memory_min: Maybe[Size] = None
    """The least a balloon may leave (vm). MiB."""
    volumes: NotYet = None
    """Not supported yet."""
    nics: Maybe[Table[Name, Annotated[Text, AfterValidator(_nic)]]] = None
    """network -> address, auto or none, in the order of the cards; left out: auto on the only network."""
    routes: Table[Annotated[Text, AfterValidator(_destination)], Text] = Field(default={})
    """network -> machine or address on the way there."""
    forwards: Truth = False
    """Whether it passes on packets, so that it may be a gateway."""
    hostname: Maybe[Annotated[Text, AfterValidator(_hostname)]] = None
    """The machine's name when left out; the same for every learner."""
    aliases: Several[Annotated[Text, AfterValidator(_alias)]] = ()
    """Further DNS names."""
    hidden: Truth = False
    """Not in the learner's lists, nor in the neighbours' names."""
    after: Several[Name] = ()
    """Machines that must answer before this one is started."""
    groups: Several[PlaceName] = ()
    """Ansible groups; all, linux, vm, container and one per network are always there."""
    nesting: Truth = False
    """vm: host CPU type; container: nesting."""
