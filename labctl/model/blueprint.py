"""The blueprint language, version 1: what a lab is, as strict frozen values (`blueprint.md` 5 to 7, 12).

Every key of the language is here. A key whose type is `NotYet` is known but not built: it is refused by name, never ignored. Values are
already read by type: sizes are MiB, durations seconds. What spans several blocks is checked in `labctl.model.crosschecks`; nothing is
planned here.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from labctl.model import blueprint_steps, blueprint_variables, refusals, scalars
from labctl.model.block import Block
from labctl.model.scalars import Duration, ImageName, Maybe, Name, NotYet, PlaceName, Scope, Several, Size, Table, Text, Truth, Whole

_DIGCOMP = r"1\.[1-3]|2\.[1-6]|3\.[1-4]|4\.[1-4]|5\.[1-4]"
_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_LANGUAGE = r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*"
_HOSTNAME = r"[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = rf"{_HOSTNAME}(\.[A-Za-z0-9]([A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?)*"
_LOGIN = r"[a-z_][a-z0-9_-]{0,30}"
_TAKEN_LOGINS = frozenset({"root", "labctl", "daemon", "nobody", "sshd", "systemd-network"})


def _digcomp(text: str) -> str:
    if not re.fullmatch(_DIGCOMP, text):
        raise refusals.wrong(f"'{text}' is not a competence of DigComp (1.1-1.3 2.1-2.6 3.1-3.4 4.1-4.4 5.1-5.4)")
    return text


def _esco(text: str) -> str:
    if not re.fullmatch(_UUID, text):
        raise refusals.wrong(f"'{text}' is not the UUID of an ESCO skill")
    return text.lower()


def _language(text: str) -> str:
    if not re.fullmatch(_LANGUAGE, text):
        raise refusals.wrong(f"'{text}' is not a language (BCP 47); write en, fr or pt-BR")
    return text


def _licence(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*", text):
        raise refusals.wrong(f"'{text}' is not an SPDX licence; write it like CC-BY-4.0")
    return text


class Skill(Block):
    """A skill that the lab teaches."""

    name: Text
    esco: Maybe[Annotated[Text, AfterValidator(_esco)]] = None
    digcomp: Maybe[Annotated[Text, AfterValidator(_digcomp)]] = None


class About(Block):
    """What people read before they choose the lab. Never changes a machine."""

    title: Annotated[Text, scalars.sized(3, 80)]
    area: Annotated[Literal["cybersecurity", "programming", "ai", "data", "cloud", "network", "systems"], BeforeValidator(scalars.text_of)]
    summary: Maybe[Annotated[Text, scalars.sized(1, 400)]] = None
    level: Maybe[Annotated[Literal["beginner", "intermediate", "advanced"], BeforeValidator(scalars.text_of)]] = None
    language: Annotated[Text, AfterValidator(_language)] = "en"
    hours: Maybe[Annotated[Whole, Field(ge=1, le=1000)]] = None
    skills: Table[Name, Skill] = Field(default={})
    prerequisites: Several[Text] = ()
    outcomes: Several[Text] = ()
    licence: Maybe[Annotated[Text, AfterValidator(_licence)]] = None
    authors: Several[Text] = ()
    tags: Several[Text] = ()


class Image(Block):
    """An image that the blueprint needs; the site's catalogue has the template and the last word."""

    family: Annotated[Literal["linux"], scalars.only("linux", "windows", "other")] = "linux"
    kinds: Several[Annotated[Literal["vm", "container"], BeforeValidator(scalars.text_of)]] = ("vm", "container")
    manage: Annotated[Literal["ssh"], scalars.only("ssh", "winrm", "none")] = "ssh"
    min_memory: Maybe[Size] = None
    min_disk: Maybe[Size] = None
    desktop: Annotated[Literal[False], BeforeValidator(scalars.off)] = False
    nic: NotYet = None
    disk_bus: NotYet = None
    firmware: NotYet = None
    made_by: NotYet = None
    note: Maybe[Text] = None


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
    if text == "desktop":
        raise refusals.not_yet("access: desktop")
    if text != "terminal":
        raise refusals.wrong(f"'{text}' is not possible; one of terminal, desktop")
    return text


class Defaults(Block):
    """Keys that all machines share unless they say otherwise. One level, nothing else."""

    image: Maybe[ImageName] = None
    kind: Maybe[Annotated[Literal["vm", "container"], BeforeValidator(scalars.text_of)]] = None
    cpus: Maybe[Annotated[Whole, Field(ge=1, le=128)]] = None
    memory: Maybe[Size] = None
    disk: Maybe[Size] = None
    login: Maybe[Annotated[Text, AfterValidator(_login)]] = None
    sudo: Maybe[Truth] = None
    password: Maybe[Annotated[Text, AfterValidator(_password)]] = None
    access: Maybe[Several[Annotated[Literal["terminal"], BeforeValidator(_access)]]] = None
    load: Maybe[Annotated[Literal["low", "medium", "high"], BeforeValidator(scalars.text_of)]] = None


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
    if not re.fullmatch(_HOSTNAME, text):
        raise refusals.wrong(f"'{text}' is not a hostname: letters, digits and '-', at most 63, no dots")
    return text


def _alias(text: str) -> str:
    if text.startswith("*."):
        raise refusals.not_yet(text)
    if not re.fullmatch(_DOMAIN, text):
        raise refusals.wrong(f"'{text}' is not a DNS name")
    return text


def _destination(text: str) -> str:
    return str(scalars.network_of(text))


class Machine(Defaults):
    """One machine of the lab, or `count` equal ones."""

    scope: Scope = "learner"
    count: Annotated[Whole, Field(ge=1, le=32)] = 1
    memory_min: Maybe[Size] = None
    volumes: NotYet = None
    nics: Maybe[Table[Name, Annotated[Text, AfterValidator(_nic)]]] = None
    routes: Table[Annotated[Text, AfterValidator(_destination)], Text] = Field(default={})
    forwards: Truth = False
    hostname: Maybe[Annotated[Text, AfterValidator(_hostname)]] = None
    aliases: Several[Annotated[Text, AfterValidator(_alias)]] = ()
    hidden: Truth = False
    after: Several[Name] = ()
    groups: Several[PlaceName] = ()
    nesting: Truth = False


def _cidr(text: str) -> str:
    network = scalars.network_of(text)
    if not 16 <= network.prefixlen <= 30:
        raise refusals.wrong(f"'{text}' is not between /16 and /30")
    return str(network)


def _egress(value: Any, info: ValidationInfo) -> str:
    if isinstance(value, list):
        raise refusals.not_yet("egress: a list")
    text = scalars.text_of(value, info)
    if text in {"site", "internet"}:
        raise refusals.not_yet(f"egress: {text}")
    if text != "none":
        raise refusals.wrong(f"'{text}' is not possible; one of none, site, internet, or a list")
    return text


def _gateway(text: str) -> str:
    if text in {"auto", "none"} or re.fullmatch(scalars.NAME, text):
        return text
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise refusals.wrong(f"'{text}' is not possible; write auto, none, an IPv4 address or a machine") from None


def _dns(value: Any, info: ValidationInfo) -> str:
    if isinstance(value, list) or scalars.text_of(value, info) != "auto":
        raise refusals.not_yet("dns", kind="key")
    return "auto"


def _domain(text: str) -> str:
    if not re.fullmatch(_DOMAIN, text):
        raise refusals.wrong(f"'{text}' is not a domain; write it like corp.lab")
    return text.lower()


class Network(Block):
    """One of the lab's own networks. Every learner's has the same addresses."""

    cidr: Maybe[Annotated[Text, AfterValidator(_cidr)]] = None
    scope: Scope = "learner"
    egress: Annotated[Literal["none"], BeforeValidator(_egress)] = "none"
    gateway: Annotated[Text, AfterValidator(_gateway)] = "auto"
    dns: Annotated[Literal["auto"], BeforeValidator(_dns)] = "auto"
    domain: Maybe[Annotated[Text, AfterValidator(_domain)]] = None
    dhcp: Annotated[Literal[False], BeforeValidator(scalars.off)] = False
    isolate: Annotated[Literal[False], BeforeValidator(scalars.off)] = False


class Times(Block):
    """How long things live."""

    idle: NotYet = None
    lease: Maybe[Duration] = None
    extend: NotYet = None
    fresh: NotYet = None


class Blueprint(Block):
    """A whole blueprint."""

    labctl: Annotated[Literal[1], BeforeValidator(scalars.whole_of)]
    about: About
    images: Table[ImageName, Image] = Field(default={})
    defaults: Defaults = Defaults()
    machines: Table[PlaceName, Machine]
    networks: Table[PlaceName, Network] = Field(default={})
    firewall: NotYet = None
    variables: Table[scalars.VariableName, blueprint_variables.Variable] = Field(default={})
    configure: Several[blueprint_steps.Step] = ()
    apps: NotYet = None
    ready: Several[blueprint_steps.Check] = ()
    tasks: NotYet = None
    collect: NotYet = None
    times: Times = Times()
    teams: NotYet = None

    @model_validator(mode="after")
    def _limits(self) -> Blueprint:
        limits = (("networks", 16), ("variables", 64), ("configure", 60))
        complaints = [
            (key, f"{len(getattr(self, key))} {word} are more than the {most} a blueprint may have")
            for (key, most), word in zip(limits, ("networks", "variables", "steps"), strict=True)
            if len(getattr(self, key)) > most
        ]
        if not self.machines:
            complaints.append(("machines", "'machines' has no machine"))
        if not self.networks and "networks" in self.model_fields_set:
            complaints.append(("networks", "'networks' has no network; leave it out for one network 'lan', 10.10.10.0/24"))
        if complaints:
            refusals.wrong_keys(complaints)
        return self
