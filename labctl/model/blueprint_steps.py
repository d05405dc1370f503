"""Steps of `configure` and checks of `ready` (`blueprint.md` 9, 11): each is exactly one thing, with the keys that go with it.

References inside them are resolved in `labctl.model.planning`; they are run by the drivers.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from labctl.model import refusals, scalars
from labctl.model.block import Block
from labctl.model.scalars import AbsolutePath, Duration, Free, Maybe, Mode, Name, Path, Regex, Several, Table, Text, Truth, Whole

STEP_KINDS = ("playbook", "role", "script", "packages", "write")
STEP_ONLY = {"tags": ("playbook",), "skip_tags": ("playbook",), "content": ("write",), "owner": ("write",), "mode": ("write",)}
CHECK_KINDS = ("run", "script", "http", "tcp", "file")
CHECK_TAKES = {
    "run": ("as", "exit", "output"),
    "script": ("as",),
    "http": ("status", "body"),
    "tcp": (),
    "file": ("absent", "contains", "mode", "owner"),
}
"""Keys that go with each kind of check, besides machine, message and timeout."""

_MOST_CONTENT = 64 * 1024


def _role(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}(\.[a-z][a-z0-9_]*){0,2}", text):
        raise refusals.wrong(f"'{text}' is not a role's name: small letters, digits and '_'")
    return text


def _package(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*(=[A-Za-z0-9.+~:-]+)?", text):
        raise refusals.wrong(f"'{text}' is not a package; write name or name=version")
    return text


def _content(text: str) -> str:
    if len(text.encode()) > _MOST_CONTENT:
        raise refusals.wrong("'content' is longer than 64K; put the file under files/ and copy it in a playbook")
    return text


def _account(text: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", text):
        raise refusals.wrong(f"'{text}' is not an account")
    return text


def _one_of(block: Block, what: str, kinds: tuple[str, ...]) -> str:
    said = [key for key in kinds if block.said(key)]
    if len(said) != 1:
        has = " and ".join(said) if said else "none"
        raise refusals.wrong(f"{what} has exactly one of {', '.join(kinds)}; this one has {has}")
    return said[0]


class Step(Block):
    """One step of the configuration."""

    playbook: Maybe[Path] = None
    """Path of a playbook."""
    role: Maybe[Annotated[Text, AfterValidator(_role)]] = None
    """Name of a role."""
    script: Maybe[Path] = None
    """Path of a script; its first line says what runs it, as root."""
    packages: Maybe[Several[Annotated[Text, AfterValidator(_package)]]] = None
    """Packages of the distribution, name or name=version."""
    write: Maybe[AbsolutePath] = None
    """Whole path of a small file."""
    hosts: Maybe[Several[Name]] = None
    """Machines, groups or all; may be left out with one machine."""
    bake: Truth = True
    """Whether everyone gets the same: then it sees nothing personal."""
    vars: Table[scalars.VarName, Free] = Field(default={})
    """Ansible's extra vars; for scripts environment LAB_NAME."""
    tags: Several[Text] = ()
    """Only these tags of the playbook."""
    skip_tags: Several[Text] = ()
    """All but these tags of the playbook."""
    title: Maybe[Text] = None
    """What the board shows."""
    timeout: Duration = 1800
    """30m. Seconds."""
    content: Maybe[Annotated[Text, AfterValidator(_content)]] = None
    """What is written, at most 64K."""
    owner: Annotated[Text, AfterValidator(_account)] = "root"
    """Of the written file; root."""
    mode: Mode = "0600"
    """Of the written file; 0600."""

    @property
    def kind(self) -> Literal["playbook", "role", "script", "packages", "write"]:
        """Which of the five it is."""
        for kind in ("playbook", "role", "script", "packages"):
            if getattr(self, kind) is not None:
                return kind
        return "write"

    @model_validator(mode="after")
    def _one_thing(self) -> Step:
        kind = _one_of(self, "a step", STEP_KINDS)
        strangers = []
        for key, kinds in STEP_ONLY.items():
            if self.said(key) and kind not in kinds:
                strangers.append((key, f"'{key}' does not go with '{kind}'; it goes with {' and '.join(kinds)}"))
        if kind in {"write", "packages"} and self.said("vars"):
            strangers.append(("vars", f"'vars' does not go with '{kind}'; it goes with playbook, role and script"))
        if self.packages is not None and not self.packages:
            strangers.append(("packages", "'packages' is empty"))
        if self.hosts is not None and not self.hosts:
            strangers.append(("hosts", "'hosts' is empty; name machines, groups or all"))
        if strangers:
            refusals.wrong_keys(strangers)
        if kind == "write" and self.content is None:
            raise refusals.wrong("'write' needs 'content'")
        return self


def _http(text: str) -> str:
    if not re.match(r"https?://[^/\s]+", text) or re.search(r"\s", text):
        raise refusals.wrong(f"'{text}' is not a whole address; write it like http://10.10.10.20/")
    return text


def _tcp(text: str) -> str:
    if "${lab." in text:
        return text
    match = re.fullmatch(r"([A-Za-z0-9._-]+):([0-9]{1,5})", text)
    if not match or not 1 <= int(match[2]) <= 65535:
        raise refusals.wrong(f"'{text}' is not HOST:PORT; write it like 10.10.10.20:80")
    return text


def _at_most_ten_minutes(seconds: int) -> int:
    if seconds > 600:
        raise refusals.wrong("a check's timeout is at most 10m")
    return seconds


class Check(Block):
    """One thing that must hold."""

    run: Maybe[Text] = None
    """A command."""
    script: Maybe[Path] = None
    """Path of a script."""
    http: Maybe[Annotated[Text, AfterValidator(_http)]] = None
    """A whole address, opened from the machine."""
    tcp: Maybe[Annotated[Text, AfterValidator(_tcp)]] = None
    """HOST:PORT, opened from the machine."""
    file: Maybe[AbsolutePath] = None
    """Whole path of a file."""
    machine: Maybe[Name] = None
    """Where it happens; may be left out with one machine."""
    as_: Annotated[Literal["root", "learner"], BeforeValidator(scalars.text_of)] = Field(default="root", alias="as")
    """root or learner (login shell)."""
    exit: Annotated[Whole, Field(ge=0, le=255)] = 0
    """The command's exit code; 0."""
    output: Maybe[Regex] = None
    """Regular expression searched in what the command prints."""
    status: Maybe[Annotated[Whole, Field(ge=100, le=599)]] = None
    """HTTP status; any below 400."""
    body: Maybe[Regex] = None
    """Regular expression searched in the answer."""
    contains: Maybe[Regex] = None
    """Regular expression searched in the file."""
    absent: Truth = False
    """The file must not be there."""
    mode: Maybe[Mode] = None
    """The file's mode, in octal."""
    owner: Maybe[Annotated[Text, AfterValidator(_account)]] = None
    """The file's owner."""
    message: Maybe[Text] = None
    """What people read when it fails."""
    timeout: Annotated[Duration, AfterValidator(_at_most_ten_minutes)] = 10
    """10s, at most 10m. Seconds."""

    @property
    def kind(self) -> Literal["run", "script", "http", "tcp", "file"]:
        """Which of the five it is."""
        for kind in ("run", "script", "http", "tcp"):
            if getattr(self, kind) is not None:
                return kind
        return "file"

    @property
    def what(self) -> str:
        """The command, path or address."""
        return str(getattr(self, self.kind))

    @model_validator(mode="after")
    def _one_thing(self) -> Check:
        kind = _one_of(self, "a check", CHECK_KINDS)
        takes = CHECK_TAKES[kind]
        rest = f"; {kind} takes {', '.join(takes)}" if takes else f"; {kind} takes machine, message, timeout"
        strangers = [
            (key, f"'{key}' does not go with '{kind}'{rest}")
            for key in ("as", "exit", "output", "status", "body", "contains", "absent", "mode", "owner")
            if self.said("as_" if key == "as" else key) and key not in takes
        ]
        if self.absent:
            strangers += [(key, f"'{key}' does not go with 'absent: true'") for key in ("contains", "mode", "owner") if self.said(key)]
        if strangers:
            refusals.wrong_keys(strangers)
        return self
