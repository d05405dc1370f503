"""The blueprint language, version 1: what a lab is, as strict frozen values (`blueprint.md` 5, 7, 12).

Every key of the language is here or in a `blueprint_*` beside this one. A key whose type is `NotYet` is known but not built: it is refused
by name, never ignored. Values are already read by type: sizes are MiB, durations seconds. What spans several blocks is checked in
`labctl.model.crosschecks`; nothing is planned here.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from labctl.model import blueprint_apps, blueprint_steps, blueprint_tasks, blueprint_variables, refusals, scalars
from labctl.model.block import Block
from labctl.model.blueprint_about import About, Image, Skill
from labctl.model.blueprint_machines import Defaults, Machine
from labctl.model.scalars import Duration, ImageName, Maybe, NotYet, PlaceName, Scope, Several, Table, Text

__all__ = ["About", "Blueprint", "Defaults", "Image", "Machine", "Network", "Skill", "Times"]


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
    if not re.fullmatch(scalars.DOMAIN, text):
        raise refusals.wrong(f"'{text}' is not a domain; write it like corp.lab")
    return text.lower()


class Network(Block):
    """One of the lab's own networks. Every learner's has the same addresses."""

    cidr: Maybe[Annotated[Text, AfterValidator(_cidr)]] = None
    """/16 to /30; 10.10.10.0/24 for a single network."""
    scope: Scope = "learner"
    """One per learner; team and classroom later."""
    egress: Annotated[Literal["none"], BeforeValidator(_egress)] = "none"
    """What learners reach beyond the lab: none; others later."""
    gateway: Annotated[Text, AfterValidator(_gateway)] = "auto"
    """auto: kept free for labctl's own, the first address; or none, an address kept free for it, or a machine that forwards."""
    dns: Annotated[Literal["auto"], BeforeValidator(_dns)] = "auto"
    """auto: the neighbours' names; others later."""
    domain: Maybe[Annotated[Text, AfterValidator(_domain)]] = None
    """Neighbours are also NAME.domain."""
    dhcp: Annotated[Literal[False], BeforeValidator(scalars.off)] = False
    """Not supported yet."""
    isolate: Annotated[Literal[False], BeforeValidator(scalars.off)] = False
    """Not supported yet."""


class Times(Block):
    """How long things live."""

    idle: NotYet = None
    """Not supported yet."""
    lease: Maybe[Duration] = None
    """How long a class lasts when its trainer does not say. Seconds."""
    extend: NotYet = None
    """Not supported yet."""
    fresh: NotYet = None
    """Not supported yet."""


class Blueprint(Block):
    """A whole blueprint."""

    labctl: Annotated[Literal[1], BeforeValidator(scalars.whole_of)]
    """The language's version."""
    about: About
    """What people read before they choose."""
    images: Table[ImageName, Image] = Field(default={})
    """Images the lab needs; the site's catalogue has the last word."""
    defaults: Defaults = Defaults()
    """Keys for all machines."""
    machines: Table[PlaceName, Machine]
    """name -> machine, at most 24 after count."""
    networks: Table[PlaceName, Network] = Field(default={})
    """name -> network, at most 16; left out: one 'lan'."""
    firewall: NotYet = None
    """Not supported yet."""
    variables: Table[scalars.VariableName, blueprint_variables.Variable] = Field(default={})
    """name -> variable, at most 64."""
    configure: Several[blueprint_steps.Step] = ()
    """Steps in order, at most 60."""
    apps: Table[PlaceName, blueprint_apps.App] = Field(default={})
    """name -> web page of a machine, at most 16."""
    ready: Several[blueprint_steps.Check] = ()
    """Checks that must hold before a seat is ready."""
    tasks: Several[blueprint_tasks.Task] = ()
    """What learners do, in order, at most 100."""
    collect: NotYet = None
    """Not supported yet."""
    times: Times = Times()
    """How long things live."""
    teams: NotYet = None
    """Not supported yet."""

    @model_validator(mode="after")
    def _limits(self) -> Blueprint:
        limits = (("networks", 16), ("variables", 64), ("configure", 60), ("apps", blueprint_apps.MOST), ("tasks", 100))
        complaints = [
            (key, f"{len(getattr(self, key))} {word} are more than the {most} a blueprint may have")
            for (key, most), word in zip(limits, ("networks", "variables", "steps", "apps", "tasks"), strict=True)
            if len(getattr(self, key)) > most
        ]
        if not self.machines:
            complaints.append(("machines", "'machines' has no machine"))
        if not self.networks and "networks" in self.model_fields_set:
            complaints.append(("networks", "'networks' has no network; leave it out for one network 'lan', 10.10.10.0/24"))
        if complaints:
            refusals.wrong_keys(complaints)
        return self
