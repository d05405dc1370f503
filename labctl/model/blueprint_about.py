"""The blocks `about` and `images` (`blueprint.md` 5): what people read, and what the lab needs of the site's catalogue."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from labctl.model import refusals, scalars
from labctl.model.block import Block
from labctl.model.scalars import Maybe, Name, NotYet, Several, Size, Table, Text, Whole

_DIGCOMP = r"1\.[1-3]|2\.[1-6]|3\.[1-4]|4\.[1-4]|5\.[1-4]"
_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_LANGUAGE = r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*"


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
    """What one can do then."""
    esco: Maybe[Annotated[Text, AfterValidator(_esco)]] = None
    """UUID of the skill in ESCO."""
    digcomp: Maybe[Annotated[Text, AfterValidator(_digcomp)]] = None
    """Competence of DigComp 2.2, such as 4.1."""


class About(Block):
    """What people read before they choose the lab. Never changes a machine."""

    title: Annotated[Text, scalars.sized(3, 80)]
    """3 to 80 characters."""
    area: Annotated[Literal["cybersecurity", "programming", "ai", "data", "cloud", "network", "systems"], BeforeValidator(scalars.text_of)]
    """Where the lab stands in the catalogue."""
    summary: Maybe[Annotated[Text, scalars.sized(1, 400)]] = None
    """At most 400 characters."""
    level: Maybe[Annotated[Literal["beginner", "intermediate", "advanced"], BeforeValidator(scalars.text_of)]] = None
    """For whom."""
    language: Annotated[Text, AfterValidator(_language)] = "en"
    """BCP 47."""
    hours: Maybe[Annotated[Whole, Field(ge=1, le=1000)]] = None
    """Expected hours of learning."""
    skills: Table[Name, Skill] = Field(default={})
    """name -> skill."""
    prerequisites: Several[Text] = ()
    """What learners bring."""
    outcomes: Several[Text] = ()
    """What they can do afterwards."""
    licence: Maybe[Annotated[Text, AfterValidator(_licence)]] = None
    """SPDX."""
    authors: Several[Text] = ()
    """Who wrote it."""
    tags: Several[Text] = ()
    """For searching."""


class Image(Block):
    """An image that the blueprint needs; the site's catalogue has the template and the last word."""

    family: Annotated[Literal["linux"], scalars.only("linux", "windows", "other")] = "linux"
    """linux; others later."""
    kinds: Several[Annotated[Literal["vm", "container"], BeforeValidator(scalars.text_of)]] = ("vm", "container")
    """What machines can be made of it."""
    manage: Annotated[Literal["ssh"], scalars.only("ssh", "winrm", "none")] = "ssh"
    """How labctl gets in: ssh; others later."""
    min_memory: Maybe[Size] = None
    """Machines with less are refused. MiB."""
    min_disk: Maybe[Size] = None
    """Machines with less are refused. MiB."""
    desktop: Annotated[Literal[False], BeforeValidator(scalars.off)] = False
    """Not supported yet."""
    nic: NotYet = None
    """Not supported yet."""
    disk_bus: NotYet = None
    """Not supported yet."""
    firmware: NotYet = None
    """Not supported yet."""
    made_by: NotYet = None
    """A recipe in the folder; not supported yet."""
    note: Maybe[Text] = None
    """For people."""
