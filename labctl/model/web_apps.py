"""Web apps of a seat as values: the address of each, and who may look at it just now. Who may is decided in `labctl.visiting`.

An app has a host name of its own for each seat, never a path or a port of labctl's own: pages of one host share cookies and scripts
(`access.md` 5). The name is made one way only, from what the app is; which app a name means is looked up, never read out of it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from labctl.model import passage

TICKET_LIFE = timedelta(seconds=60)
"""From the button to the app's own address: one redirect."""

CHECK = "check"
"""The first part of a host name that is no app's (those have "--"): browsers try there whether they get to apps at all."""

CHECK_PATH = "/.labctl/check"

_DIGITS = 12
"""Of base32: 60 bits. Machine and app have at most 24 signs each, so the label has at most the 63 that DNS allows."""


def label(principal: str, machine: str, app: str) -> str:
    """The first part of an app's host name: readable, and unlike that of any other app of any seat. It stays the same through reset,
    rebuild and swap, as the principal does.
    """
    # No two '-' in a row but ours: browsers take "xn--" and its like for encoded names.
    shown = re.sub(r"-+", "-", f"{machine}-{app}")
    digest = hashlib.sha256(f"{principal}\n{machine}\n{app}".encode()).digest()
    return f"{shown}--{base64.b32encode(digest).decode().lower()[:_DIGITS]}"


def address(site: str, label: str) -> str:
    """Scheme, host and port. `site` is where all apps are: "https://apps.example.org" or "http://localhost:8441"."""
    scheme, _, domain = site.partition("://")
    return f"{scheme}://{label}.{domain}"


@dataclass(frozen=True)
class Pass:
    """`who` may look at one app of the seat with this principal, while the seat has this environment. `host` is the
    first part of the host name it is good for, `proof` by what they were known when they asked (`labctl.knowing`).
    """

    host: str
    principal: str
    environment: str
    app: str
    who: str
    until: datetime
    proof: str = ""


@dataclass(frozen=True)
class Visit:
    """A pass in use, with where it leads: `target` is entered by SSH, then `port` of its own 127.0.0.1 is dialled."""

    id: str
    host: str
    principal: str
    environment: str
    until: datetime
    target: passage.Target
    port: int
    scheme: str
    path: str
