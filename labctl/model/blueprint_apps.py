"""The block `apps` (`blueprint.md` 10): web pages of a seat's machines, each with an address of its own for its learner."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from labctl.model import refusals, scalars
from labctl.model.block import Block
from labctl.model.scalars import Maybe, Name, Text, Whole

MOST = 16
"""In one blueprint: each is a tab."""


def _path(text: str) -> str:
    # No '#': browsers keep that to themselves. What a header line or an attribute would take apart is written with %.
    if not re.fullmatch(r"/[A-Za-z0-9._~!$&()*+,;=:@%/?-]*", text) or text.startswith("//"):
        raise refusals.wrong(f"'{text}' is not a path of a web page; write it like /lab or /search?q=lamp")
    return text


class App(Block):
    """A web page that a machine offers. It need not listen on any network: it is reached through the machine's own 127.0.0.1."""

    machine: Name
    """Where it listens; need not be enterable."""
    port: Annotated[Whole, Field(ge=1, le=65535)]
    """On 127.0.0.1 there."""
    scheme: Annotated[Literal["http", "https"], BeforeValidator(scalars.text_of)] = "http"
    """http, or https (its certificate is not looked at)."""
    path: Annotated[Text, AfterValidator(_path)] = "/"
    """Where its tab begins."""
    title: Maybe[Annotated[Text, scalars.sized(1, 60)]] = None
    """What its tab is called; its name when left out."""
