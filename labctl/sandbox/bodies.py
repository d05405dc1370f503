"""From bytes to parameters, the way Proxmox's own server reads them (`proxmox-truth.md` 3.1 and section 0).

Forms are cut at the first unescaped `=` inside a value, `;` separates like `&`, the content type is case-sensitive, DELETE and
GET take no body, 512 KiB is the most.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from typing import Any

from labctl.sandbox import answers

LIMIT = 512 * 1024
"""Largest body in bytes (pve-http-server 5.2.1)."""

Params = dict[str, Any]


def query(text: str) -> Params:
    """Parameters of a query string or a form; a repeated name becomes a list."""
    out: Params = {}
    for part in re.split("[&;]", text.rstrip("&;")) if text.strip("&;") else []:
        pieces = part.split("=")
        name, value = _plain(pieces[0]), _plain(pieces[1]) if len(pieces) > 1 else ""
        if name in out:
            out[name] = [*(out[name] if isinstance(out[name], list) else [out[name]]), value]
        else:
            out[name] = value
    return out


def _plain(text: str) -> str:
    return urllib.parse.unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "surrogateescape")


def body(verb: str, content_type: str | None, data: bytes) -> Params:
    """Parameters of a request's body."""
    is_json = (content_type or "").startswith("application/json")
    if not data and not (is_json and verb in {"POST", "PUT"}):
        return {}
    if verb in {"GET", "DELETE"}:
        raise answers.Refused(501, f"Unexpected content for method '{verb}'")
    if len(data) > LIMIT:
        raise answers.Refused(501, "for data too large")
    kind = (content_type or "application/x-www-form-urlencoded").partition(";")[0].strip()
    if kind == "application/x-www-form-urlencoded":
        return query(data.decode("latin-1"))
    if kind == "application/json":
        return _json(data)
    raise answers.Refused(506, f"upload 'Content-Type '{content_type}' not implemented")


def _json(data: bytes) -> Params:
    try:
        known = json.loads(data, parse_float=_perl_number)
    except ValueError:
        text = 'malformed JSON string, neither tag, array, object, number, string or atom, at character offset 0 (before "(end of string)")'
        raise answers.Refused(500, f"{text} at /usr/share/perl5/PVE/Sandbox.pm line 1.") from None
    if not isinstance(known, dict):
        raise answers.Refused(500, "Not a HASH reference at /usr/share/perl5/PVE/Sandbox.pm line 1.")
    return {name: _unboxed(value) for name, value in known.items()}


def _perl_number(text: str) -> int | float:
    """Perl knows one kind of number: 2.0 and 1e0 are integers."""
    value = float(text)
    return int(value) if value.is_integer() else value


def _unboxed(value: Any) -> Any:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return [_unboxed(one) for one in value]
    return value
