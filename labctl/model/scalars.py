"""The types of the language (`blueprint.md` 3): what a scalar means is decided by the key it stands at.

Each type is an `Annotated` for pydantic: it takes what `labctl.model.marked` read (Scalar, dict, list, None) and refuses with the
language's own text. Texts here are promises that tests hold to. Checks that need more than one value live in
`labctl.model.crosschecks`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, WithJsonSchema

from labctl.model import free, refusals

RESERVED = frozenset({"gw", "labctl", "localhost", "all", "any", "none"})
"""No machine, network, app or group is called so."""

ALWAYS_GROUPS = frozenset({"linux", "windows", "vm", "container"})
"""Groups that exist without being written; so does one per network, and `all`."""

NOT_VARIABLES = frozenset({"seat", "seats", "team", "classroom", "machines", "networks", "apps"})
"""First words of other references."""

NAME = r"[a-z]([a-z0-9-]{0,22}[a-z0-9])?"
VARIABLE = r"[a-z][a-z0-9_]{0,30}"
IMAGE = r"[a-z0-9][a-z0-9.-]{0,39}"
HOSTNAME = r"[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
DOMAIN = rf"{HOSTNAME}(\.[A-Za-z0-9]([A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?)*"
_WHOLE = r"-?(0|[1-9][0-9]*)"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MIB = {"M": 1, "G": 1024, "T": 1024 * 1024}


def _refuse_key(_value: Any, info: ValidationInfo) -> NoReturn:
    raise refusals.not_yet(info.field_name or "this", kind="key")


NotYet = Annotated[Any, BeforeValidator(_refuse_key), WithJsonSchema({"not": {}, "description": "not supported yet"})]
"""A key of the language that is not built yet."""


def text_of(value: Any, info: ValidationInfo) -> str:
    """Any scalar, as written."""
    name = info.field_name or "it"
    if value is None:
        raise refusals.wrong(f"'{name}' has no value", kind="key")
    if isinstance(value, dict | list):
        raise refusals.wrong(f"'{name}' must be one value, not a {'block of keys' if isinstance(value, dict) else 'list'}")
    return str(value)


def _pattern(pattern: str, complaint: Callable[[str], str]) -> Callable[[Any, ValidationInfo], str]:
    def check(value: Any, info: ValidationInfo) -> str:
        text = text_of(value, info)
        if not re.fullmatch(pattern, text):
            raise refusals.wrong(complaint(text))
        return text

    return check


def truth_of(value: Any, info: ValidationInfo) -> bool:
    """`true` or `false`, and no other word."""
    text = text_of(value, info)
    if text not in {"true", "false"}:
        raise refusals.wrong(f"write true or false, not '{text}'")
    return text == "true"


def whole_of(value: Any, info: ValidationInfo) -> int:
    """A whole number without leading zeros."""
    text = text_of(value, info)
    if re.fullmatch(_WHOLE, text):
        if len(text) > 16 or abs(int(text)) > free.MOST_EXACT:
            raise refusals.wrong(f"'{text[:20]}...' is too large" if len(text) > 20 else f"'{text}' is too large")
        return int(text)
    if re.fullmatch(r"-?0[0-9]+", text):
        raise refusals.wrong(f"'{text}' begins with a zero; write {text.lstrip('-0') or '0'}")
    raise refusals.wrong(f"'{text}' is not a whole number")


def _size(value: Any, info: ValidationInfo) -> int:
    text = text_of(value, info)
    if match := re.fullmatch(r"([1-9][0-9]{0,6})([MGT])", text):
        return int(match[1]) * _MIB[match[2]]
    if re.fullmatch(r"[1-9][0-9]*", text):
        raise refusals.wrong(f"'{text}' has no unit; write {text}M, {text}G or {text}T")
    if match := re.fullmatch(r"([1-9][0-9]*) ?([mgtMGT])(i?[bB])?", text):
        raise refusals.wrong(f"write '{match[1]}{match[2].upper()}' instead of '{text}' (units are M, G, T, all binary)")
    raise refusals.wrong(f"'{text}' is not a size; write a whole number with M, G or T, such as 2G")


def _duration(value: Any, info: ValidationInfo) -> int:
    text = text_of(value, info)
    if match := re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", text):
        return int(match[1]) * _SECONDS[match[2]]
    instead = ""
    if match := re.fullmatch(r"([0-9]{1,2}):([0-5][0-9])", text):
        instead = f"; write {int(match[1]) * 60 + int(match[2])}m"
    elif re.fullmatch(r"[1-9][0-9]*", text):
        instead = f"; write {text}s, {text}m, {text}h or {text}d"
    raise refusals.wrong(f"'{text}' is not a duration{instead or '; write a whole number with s, m, h or d, such as 90m'}")


def _not_name(text: str) -> str:
    return f"'{text}' is not a name: small letters, digits and '-', beginning with a letter, at most 24"


def _place_name(name: str) -> str:
    if name in RESERVED:
        raise refusals.wrong(f"'{name}' is a word of the language; choose another name")
    if name in ALWAYS_GROUPS:
        raise refusals.wrong(f"'{name}' is a group that always exists; choose another name")
    return name


def _variable_name(name: str) -> str:
    if name in NOT_VARIABLES:
        raise refusals.wrong(f"'{name}' is a word of the language; choose another name for the variable")
    return name


def network_of(text: str) -> ipaddress.IPv4Network:
    """An IPv4 network written as `10.10.10.0/24`."""
    try:
        interface = ipaddress.IPv4Interface(text)
    except ValueError:
        raise refusals.wrong(f"'{text}' is not a network; write it like 10.10.10.0/24") from None
    if "/" not in text:
        raise refusals.wrong(f"'{text}' is not a network; write it like 10.10.10.0/24")
    if interface.ip != interface.network.network_address:
        raise refusals.wrong(f"'{text}' is an address within a network; the network is {interface.network}")
    return interface.network


def _address(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise refusals.wrong(f"'{text}' is not an IPv4 address") from None


def _path(text: str) -> str:
    if text.startswith("/"):
        raise refusals.wrong(f"'{text}' is absolute; paths are relative to the blueprint's folder")
    if ".." in text.split("/"):
        raise refusals.wrong(f"'{text}' leaves the blueprint's folder; '..' is not used in paths")
    if not text or "\\" in text or "\0" in text or any(part in {"", "."} for part in text.split("/")):
        raise refusals.wrong(f"'{text}' is not a path; write it like plays/web.yml")
    return text


def _absolute(text: str) -> str:
    if not re.fullmatch(r"(/[^/\0\n]+)+", text) or {"..", "."} & set(text.split("/")):
        raise refusals.wrong(f"'{text}' must be the whole path of a file, beginning with /")
    return text


def _mode(text: str) -> str:
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise refusals.wrong(f"'{text}' is not a mode; write it in octal, such as 0640")
    return text.zfill(4)


def _regex(text: str) -> str:
    try:
        re.compile(re.sub(r"\$\{lab\.[^}]*\}", "x", text))
    except re.error as error:
        raise refusals.wrong(f"'{text}' is not a regular expression: {error}") from None
    return text


def _free_scalar(value: Any, info: ValidationInfo) -> Any:
    text_of(value, info)
    return free.free_of(value)


def _listed(value: Any, info: ValidationInfo) -> tuple[Any, ...]:
    if value is None:
        raise refusals.wrong(f"'{info.field_name}' must be a list, but has no value", kind="key")
    if not isinstance(value, list):
        shown = f"; write [{value}]" if isinstance(value, str) and len(value) < 40 and "\n" not in value else ""
        raise refusals.wrong(f"'{info.field_name}' must be a list{shown}")
    return tuple(value)


def _mapped(value: Any, info: ValidationInfo) -> dict[str, Any]:
    if value is None:
        raise refusals.wrong(f"'{info.field_name}' must be a block of keys, but has no value", kind="key")
    if not isinstance(value, dict):
        raise refusals.wrong(f"'{info.field_name}' must be a block of keys, not a {'list' if isinstance(value, list) else 'single value'}")
    return value


def _string(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^({pattern})$"})


_ANY_SCALAR = {"type": ["string", "number", "boolean"]}
Text = Annotated[str, BeforeValidator(text_of), WithJsonSchema(_ANY_SCALAR)]
Truth = Annotated[bool, BeforeValidator(truth_of)]
Whole = Annotated[int, BeforeValidator(whole_of)]
Size = Annotated[int, BeforeValidator(_size), _string("[1-9][0-9]*[MGT]")]
"""MiB."""
Duration = Annotated[int, BeforeValidator(_duration), _string("[1-9][0-9]*[smhd]")]
"""Seconds."""
Name = Annotated[str, BeforeValidator(_pattern(NAME, _not_name)), _string(NAME)]
PlaceName = Annotated[str, AfterValidator(_place_name), BeforeValidator(_pattern(NAME, _not_name)), _string(NAME)]
"""A new machine, network or group."""
VariableName = Annotated[
    str,
    AfterValidator(_variable_name),
    BeforeValidator(
        _pattern(
            VARIABLE, lambda text: f"'{text}' is not a variable's name: small letters, digits and '_', beginning with a letter, at most 31"
        )
    ),
    _string(VARIABLE),
]
VarName = Annotated[
    str,
    BeforeValidator(
        _pattern(r"[A-Za-z_][A-Za-z0-9_]*", lambda text: f"'{text}' is not a variable's name of Ansible: letters, digits and '_'")
    ),
    _string("[A-Za-z_][A-Za-z0-9_]*"),
]
"""A key of `vars`."""
ImageName = Annotated[
    str,
    BeforeValidator(_pattern(IMAGE, lambda text: f"'{text}' is not an image's name: small letters, digits, '.' and '-', at most 40")),
    _string(IMAGE),
]
Address = Annotated[str, AfterValidator(_address), BeforeValidator(text_of), WithJsonSchema({"type": "string", "format": "ipv4"})]
Path = Annotated[Text, AfterValidator(_path)]
"""A path in the blueprint's folder."""
AbsolutePath = Annotated[Text, AfterValidator(_absolute)]
Mode = Annotated[Text, AfterValidator(_mode)]
Regex = Annotated[Text, AfterValidator(_regex)]
Free = Annotated[Any, BeforeValidator(free.free_of)]
FreeScalar = Annotated[Any, BeforeValidator(_free_scalar), WithJsonSchema(_ANY_SCALAR)]

_T = TypeVar("_T")
_K = TypeVar("_K")
Several = Annotated[tuple[_T, ...], BeforeValidator(_listed)]
"""A list."""
Table = Annotated[dict[_K, _T], BeforeValidator(_mapped)]
"""A block whose keys are names."""


def _given(value: Any, info: ValidationInfo) -> Any:
    if value is None:
        raise refusals.wrong(f"'{info.field_name}' has no value", kind="key")
    return value


Maybe = Annotated[_T | None, BeforeValidator(_given)]
"""A key that may be left out; a key that is written has a value."""


def sized(least: int, most: int) -> AfterValidator:
    """A text of so many characters."""

    def check(text: str) -> str:
        if len(text) < least:
            raise refusals.wrong(f"'{text}' is too short; at least {least} characters")
        if len(text) > most:
            raise refusals.wrong(f"this is {len(text)} characters long; at most {most}")
        return text

    return AfterValidator(check)


def off(value: Any, info: ValidationInfo) -> bool:
    """A truth of which only `false` is built."""
    if truth_of(value, info):
        raise refusals.not_yet(str(info.field_name), kind="key")
    return False


def only(supported: str, *later: str) -> BeforeValidator:
    """A choice of which only one value is built; the others are known and refused as not yet."""

    def check(value: Any, info: ValidationInfo) -> str:
        text = text_of(value, info)
        if text in later:
            raise refusals.not_yet(f"{info.field_name}: {text}")
        if text != supported:
            raise refusals.wrong(f"'{text}' is not possible; one of {', '.join((supported, *later))}")
        return text

    return BeforeValidator(check)


Scope = Annotated[Literal["learner"], only("learner", "team", "classroom")]
