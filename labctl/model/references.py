"""References `${lab.PATH}`: where they may stand, what they may name, and putting values in their place (`blueprint.md` 8).

References are values, not text generation: they are legal in listed places only, and each is checked before anything is built.
`$${lab.` writes `${lab.` literally; any other `$` is plain text.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from labctl.model import blueprint as language
from labctl.model import blueprint_variables, inventory, marked

_START = re.compile(r"(\$?)\$\{lab\.")
_PATH = re.compile(r"[A-Za-z0-9_.-]*")
_LEGAL = (
    re.compile(r"machines/[^/]+/password"),
    re.compile(r"defaults/password"),
    re.compile(r"configure/\d+/(vars/.*|content)"),
    re.compile(r"(ready/\d+|tasks/\d+/checks/\d+)/(run|http|tcp|file|output|body|contains)"),
    re.compile(r"tasks/\d+/(answer(/is(/\d+)?|/matches)?|hints/\d+/text|explain|(setup|solve)/\d+/run)"),
)
_UNBUILT = ("collect", "firewall", "teams")
"""Blocks that are refused as a whole, at their key: nothing is said about what is in them."""

_SAFE_TEXT = re.compile(r"[A-Za-z0-9_.,:/@%+={}-]+")
_IN_CLASS = r"([a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9]|\\[dw.+-]|[A-Za-z0-9_.:/@%=+])+-?"
_SAFE_PATTERN = re.compile(rf"(\[{_IN_CLASS}\]|\\[dw.+-]|\{{[0-9]+(,[0-9]*)?\}}|[A-Za-z0-9_:/@%=()?*+|-])+")
"""Patterns of which it is plain to see that they match nothing but what `_SAFE_TEXT` matches."""
_FIELDS = {"seat": ("number", "name", "login"), "classroom": ("name",)}
_LATER = ("seats", "team")
_MACHINE_FIELDS = ("address", "hostname")
_NETWORK_FIELDS = ("cidr", "gateway")


class Unclosed(ValueError):
    """A reference without its closing brace; the text says which."""


def parts(text: str) -> Iterator[str | tuple[str, ...]]:
    """The text in pieces: plain text as str, references as their path without `lab`. Raises Unclosed."""
    at = 0
    while match := _START.search(text, at):
        if match[1]:
            yield text[at : match.start()] + match[0][1:]
            at = match.end()
            continue
        if match.start() > at:
            yield text[at : match.start()]
        path = _PATH.match(text, match.end())
        end = path.end() if path else match.end()
        if text[end : end + 1] != "}":
            raise Unclosed(f"'{text[match.start() : end]}' is not closed with }}")
        yield tuple(text[match.end() : end].split("."))
        at = end + 1
    if at < len(text):
        yield text[at:]


def paths(text: str) -> tuple[tuple[str, ...], ...]:
    """The references in a text that is known to be well formed."""
    return tuple(part for part in parts(text) if isinstance(part, tuple))


def scattered(value: Any, loc: marked.Loc = ()) -> Iterator[tuple[marked.Loc, str]]:
    """Every text in a nested value, with its place."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from scattered(item, (*loc, key))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from scattered(item, (*loc, number))
    elif isinstance(value, str):
        yield loc, value


def misplaced(root: Any) -> Iterator[tuple[marked.Loc, str]]:
    """References where none is possible, and broken ones anywhere; of a tree as it was read."""
    for loc, text in scattered(root):
        if "${lab." not in text:
            continue
        if loc and loc[0] in _UNBUILT:
            continue
        place = "/".join(str(part) for part in loc)
        try:
            some = paths(text)
        except Unclosed as error:
            yield loc, str(error)
            continue
        if some and not any(legal.fullmatch(place) for legal in _LEGAL):
            yield loc, "a reference is not possible here"


def absent(what: str, name: str, known: Iterable[str]) -> str:
    """`there is no network 'lam'; did you mean 'lan'?`"""
    known = tuple(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"there is no {what} '{name}'; did you mean '{close[0]}'?"
    return f"there is no {what} '{name}'" + (f"; there are: {', '.join(known)}" if known else "")


def no_machine(blueprint: language.Blueprint, name: str) -> str:
    """Why this is not the name of one machine; empty when it is."""
    members = inventory.machines(blueprint)
    if any(member.name == name for member in members):
        return ""
    counted = [member.name for member in members if member.base == name]
    many = f"'{name}' is {len(counted)} machines; name one: {counted[0]}" if counted else ""
    return many or absent("machine", name, [member.name for member in members])


def refusal(blueprint: language.Blueprint, path: tuple[str, ...]) -> str:
    """Why this reference names nothing; empty when it names something."""
    first, rest = path[0], path[1:]
    if first in _LATER:
        return f"'lab.{first}' is not supported yet"
    if first in _FIELDS:
        fields = _FIELDS[first]
        return "" if len(rest) == 1 and rest[0] in fields else f"there is no 'lab.{'.'.join(path)}'; {first} has {', '.join(fields)}"
    if blocks := {"machines": _machine_refusal, "networks": _network_refusal, "apps": _app_refusal}.get(first):
        return blocks(blueprint, rest)
    if rest:
        return f"'lab.{'.'.join(path)}' is not a reference; a variable is lab.NAME"
    return "" if first in blueprint.variables else absent("variable", first, blueprint.variables)


def _machine_refusal(blueprint: language.Blueprint, rest: tuple[str, ...]) -> str:
    members = {machine.name: machine for machine in inventory.machines(blueprint)}
    if len(rest) != 2:
        return "say which machine and what of it: lab.machines.NAME.address, .hostname or a network's name"
    name, field = rest
    machine = members.get(name)
    if machine is None:
        return no_machine(blueprint, name)
    if field == "hostname":
        return ""
    addressed = [network for network, address in machine.nics.items() if address != "none"]
    if field == "address":
        return "" if addressed else f"'{name}' has no address"
    if field in machine.nics:
        return "" if field in addressed else f"'{name}' has no address on '{field}'"
    return f"'{name}' has no '{field}'; it has {', '.join((*_MACHINE_FIELDS, *addressed))}"


def _network_refusal(blueprint: language.Blueprint, rest: tuple[str, ...]) -> str:
    networks = {network.name: network for network in inventory.networks(blueprint)}
    if len(rest) != 2:
        return "say which network and what of it: lab.networks.NAME.cidr or .gateway"
    name, field = rest
    if name not in networks:
        return absent("network", name, networks)
    if field not in _NETWORK_FIELDS:
        return f"'{name}' has no '{field}'; it has {', '.join(_NETWORK_FIELDS)}"
    gateway = networks[name].block.gateway
    if field == "gateway" and gateway == "none":
        return f"network '{name}' has no gateway"
    if field == "gateway" and gateway not in blueprint.machines:
        return "a reference to labctl's own gateway is not supported yet"
    return ""


def given_away(blueprint: language.Blueprint, path: tuple[str, ...]) -> str:
    """Why this reference may not stand where learners read; empty when it may."""
    variable = blueprint.variables.get(path[0])
    if variable is None or variable.shown:
        return ""
    return f"'{path[0]}' is secret and would be given away here; say shown: true at the variable, or leave it out"


def _app_refusal(blueprint: language.Blueprint, rest: tuple[str, ...]) -> str:
    if len(rest) != 2:
        return "say which app and what of it: lab.apps.NAME.url"
    if rest[0] not in blueprint.apps:
        return absent("app", rest[0], blueprint.apps)
    return "" if rest[1] == "url" else f"'{rest[0]}' has no '{rest[1]}'; it has url"


def later(blueprint: language.Blueprint, path: tuple[str, ...]) -> bool:
    """Whether the value is known only when a class is planned, so that no baked step can see it."""
    variable = blueprint.variables.get(path[0])
    return path[0] in {"seat", "classroom", "apps"} or (variable is not None and variable.personal)


def safe_in_command(blueprint: language.Blueprint, path: tuple[str, ...]) -> bool:
    """Whether the value cannot hold blanks, quotes or anything else that a shell would take apart."""
    if path == ("seat", "name"):
        return False
    if path[0] == "apps":
        return bool(_SAFE_TEXT.fullmatch(blueprint.apps[path[1]].path))
    variable = blueprint.variables.get(path[0])
    return variable is None or _safe_variable(variable)


def _safe_variable(variable: blueprint_variables.Variable) -> bool:
    if variable.choices is not None:
        return all(_SAFE_TEXT.fullmatch(str(choice)) for choice in variable.choices)
    if variable.random:
        return variable.random != "words"
    if variable.ask == "number":
        return True
    if variable.ask:
        return variable.pattern is not None and bool(_SAFE_PATTERN.fullmatch(variable.pattern))
    return bool(_SAFE_TEXT.fullmatch(written(variable.value)))


def written(value: Any) -> str:
    """A value as it stands inside a longer text: true and false as the language writes them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def resolve(value: Any, lookup: Callable[[tuple[str, ...]], Any], quote: Callable[[str], str] = str) -> Any:
    """The value with every reference replaced. A text that is one reference becomes the value itself, with its type, unless
    `quote` (for regular expressions: re.escape) makes text of it.
    """
    if isinstance(value, dict):
        return {key: resolve(item, lookup, quote) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(item, lookup, quote) for item in value]
    if not isinstance(value, str):
        return value
    pieces = tuple(parts(value))
    if len(pieces) == 1 and isinstance(pieces[0], tuple) and quote is str:
        return lookup(pieces[0])
    return "".join(piece if isinstance(piece, str) else quote(written(lookup(piece))) for piece in pieces)
