"""Does an answer agree with the recorded one? Masks stand for any value of their kind (VECTORS in the recording's notes).

Lists of objects and comma lists in `content` are compared as sets, lines inside one value too, because Perl's order varies.
"""

from __future__ import annotations

import re
from typing import Any

_KINDS = {
    "sha1": "[0-9a-f]{40}",
    "uuid": "[0-9a-fA-F-]{36}",
    "mac": "[0-9A-Fa-f:]{17}",
    "time": r"(?:[0-9A-F]{8}|[0-9.]+)",
    "pid": "[0-9A-F]+",
    "pstart": "[0-9A-F]+",
    "varies": "[\\s\\S]*",
    "perl source": r"\S+",
    "n": r"\d+",
    "resolver text": "[^\n]*",
    "signature": r"\S+",
    "csrf token": r"\S+",
    "qemu version": r"[0-9.]+",
    "date": "[^\n]*",
}
_MASK = re.compile("<(" + "|".join(_KINDS) + ")>")


def text(expected: str, got: str) -> bool:
    """Texts, mask by mask; the order of lines does not count."""
    if expected == got:
        return True
    if _MASK.search(expected):
        pattern = "".join(_KINDS[part] if index % 2 else re.escape(part) for index, part in enumerate(_MASK.split(expected)))
        return bool(re.fullmatch(pattern, got))
    return "\n" in expected and sorted(expected.split("\n")) == sorted(got.split("\n"))


def value(expected: Any, got: Any, key: str = "") -> bool:
    """Any JSON value."""
    if isinstance(expected, str):
        if _MASK.fullmatch(expected) and not isinstance(got, (dict, list)):
            return expected == "<varies>" or text(expected, str(got))
        if key == "content" and isinstance(got, str):
            return set(expected.split(",")) == set(got.split(","))
        return isinstance(got, str) and text(expected, got)
    if isinstance(expected, dict) and set(expected) == {"<shape>"}:
        return shape(expected["<shape>"], got)
    if isinstance(expected, dict):
        return isinstance(got, dict) and set(expected) == set(got) and all(value(one, got[name], name) for name, one in expected.items())
    if isinstance(expected, list):
        return isinstance(got, list) and len(expected) == len(got) and _same_members(expected, got)
    if isinstance(expected, float) or isinstance(got, float):
        return isinstance(got, (int, float)) and isinstance(expected, (int, float)) and float(expected) == float(got)
    return bool(expected == got) and isinstance(expected, bool) == isinstance(got, bool)


def _same_members(expected: list[Any], got: list[Any]) -> bool:
    left = list(got)
    for one in expected:
        hit = next((index for index, other in enumerate(left) if value(one, other)), None)
        if hit is None:
            return False
        del left[hit]
    return True


def shape(expected: dict[str, Any], got: Any) -> bool:
    """For large answers: type, and for lists the keys that occur."""
    kind = {"array": list, "object": dict}.get(expected.get("type", ""))
    if kind is None or not isinstance(got, kind):
        return kind is None
    return "keys" not in expected or set(expected["keys"]) == set(got)
