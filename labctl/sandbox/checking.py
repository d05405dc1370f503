"""Are these parameters what the schema says? Proxmox's texts, all parameters reported together.

Order inside one value: type, format, pattern, length, range, enum; the first failure wins (`proxmox-truth.md` 3.2).
Nothing here knows what a parameter means; formats with a name are in `formats`.
"""

from __future__ import annotations

import functools
import re
from typing import Any

_INTEGER = re.compile(r"[+-]?\d+\Z")
_NUMBER = re.compile(r"[+-]?(?=\d|\.\d)\d*(\.\d*)?([Ee][+-]?\d+)?\Z")
MISSING = "property is missing and it is not optional"
UNKNOWN = "property is not defined in schema and the schema does not allow additional properties"


class FormatError(Exception):
    """A value is not of its format; the text follows "invalid format - "."""


def check(properties: dict[str, Any], extra_allowed: bool, params: dict[str, Any]) -> dict[str, str]:
    """Complaints by parameter; empty when all is well. Changes `params`: lists joined or wrapped as Proxmox does."""
    _legacy_lists(properties, params)
    errors: dict[str, str] = {}
    check_object("", properties, extra_allowed, params, errors)
    return errors


def _legacy_lists(properties: dict[str, Any], params: dict[str, Any]) -> None:
    """Scalar for an array parameter is wrapped, array for a `*-list` string is joined (`proxmox-truth.md` 3.2)."""
    for name, value in params.items():
        facts = properties.get(name) or {}
        if facts.get("type") == "array" and isinstance(value, (str, int, float)) and value != "":
            params[name] = [value]
        elif isinstance(value, list) and facts.get("type") == "string" and str(facts.get("format", "")).endswith("-list"):
            params[name] = ",".join(str(one) for one in value)


def check_object(path: str, properties: dict[str, Any], extra_allowed: bool, values: dict[str, Any], errors: dict[str, str]) -> None:
    """One level: unknown keys, `requires`, then each known key. `path` is "" or "net0"."""
    for name, value in values.items():
        if value is None:
            continue
        where = f"{path}.{name}" if path else name or "_root"
        facts = properties.get(name)
        if facts is None:
            if not extra_allowed:
                add(errors, where, UNKNOWN)
            continue
        needed = facts.get("requires")
        if needed and values.get(needed) is None:
            add(errors, f"{path}.{needed}" if path else needed, f"missing property required by '{where}'")
    for name, facts in properties.items():
        if values.get(name) is None and facts.get("optional"):  # most of the hundreds that a guest's configuration knows
            continue
        if "alias" in facts and "type" not in facts:
            continue
        check_value(f"{path}.{name}" if path else name, facts, values.get(name), errors)


def add(errors: dict[str, str], where: str, text: str) -> None:
    """A second text on one key is joined with a backslash and an n, as Proxmox does."""
    errors[where] = f"{errors[where]}\\n{text}" if where in errors else text


def check_value(where: str, facts: dict[str, Any], value: Any, errors: dict[str, str]) -> None:
    """One value against its facts."""
    if value is None:
        if not facts.get("optional"):
            add(errors, where, MISSING)
        return
    kind = facts.get("type", "string")
    if not _is_type(where, kind, value, errors):
        return
    if kind == "array":
        for index, one in enumerate(value):
            check_value(f"{where}[{index}]", facts.get("items") or {}, one, errors)
        return
    if isinstance(value, (dict, list)):
        return
    text = _text_failure(facts, kind, where, _scalar(value))
    if text:
        add(errors, where, text)


def _is_type(where: str, kind: str, value: Any, errors: dict[str, str]) -> bool:
    if kind == "array":
        good = isinstance(value, list)
        if not good:
            add(errors, where, "type check ('array') failed")
        return good
    if kind == "object":
        return True
    if isinstance(value, (list, dict)):
        add(errors, where, f"type check ('{kind}') failed - got {'ARRAY' if isinstance(value, list) else 'HASH'}")
        return False
    text = _scalar(value)
    pattern = {"integer": _INTEGER, "number": _NUMBER}.get(kind)
    if (pattern and not pattern.match(text)) or (kind == "boolean" and text not in {"0", "1"}):
        add(errors, where, f"type check ('{kind}') failed - got '{text}'")
        return False
    return True


def _scalar(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _text_failure(facts: dict[str, Any], kind: str, where: str, value: str) -> str | None:
    from labctl.sandbox import formats

    if "format" in facts:
        try:
            formats.check(facts["format"], value, where)
        except FormatError as failure:
            return f"invalid format - {failure}"
    if "pattern" in facts and not perl(facts["pattern"]).match(value):
        return "value does not match the regex pattern"
    if "maxLength" in facts and len(value) > facts["maxLength"]:
        return f"value may only be {facts['maxLength']} characters long"
    if "minLength" in facts and len(value) < facts["minLength"]:
        return f"value must be at least {facts['minLength']} characters long"
    return _range_failure(facts, kind, value)


def _range_failure(facts: dict[str, Any], kind: str, value: str) -> str | None:
    if kind in {"integer", "number"}:
        try:
            number = float(value) if value.isascii() else 0.0  # Perl takes other scripts' digits for a number and their worth for 0
        except ValueError:
            return None
        if "maximum" in facts and number > float(facts["maximum"]):
            return f"value must have a maximum value of {facts['maximum']}"
        if "minimum" in facts and number < float(facts["minimum"]):
            return f"value must have a minimum value of {facts['minimum']}"
    elif facts.get("enum") and value not in facts["enum"]:
        return f"value '{value}' does not have a value in the enumeration '{', '.join(map(str, facts['enum']))}'"
    return None


@functools.cache
def perl(pattern: str) -> re.Pattern[str]:
    """A Perl pattern of the schema, anchored as Proxmox does; `(?^i:` and `{,n}` are Perl's."""
    text = re.sub(r"\(\?\^([a-z]*):", lambda found: f"(?{found[1]}:" if found[1] else "(?:", pattern)
    text = re.sub(r"\{,(\d+)\}", r"{0,\1}", text)
    if text == r"(?i:[\(\)-_.\w\d\s]{0,256})":  # Perl reads `)-_` as a range and \w as Unicode; so does Python
        return re.compile(rf"^(?:{text})$")
    return re.compile(rf"^(?:{text})$", re.ASCII)
