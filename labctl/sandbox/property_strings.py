"""Property strings (`virtio=BC:..,bridge=vmbr0`): read, check, print.

The rules are those of Proxmox's JSONSchema.pm as described in `proxmox-truth.md` 3.2: default key, aliases, key aliases,
relaxed booleans inside a property string only.
"""

from __future__ import annotations

import re
from typing import Any

from labctl.sandbox import checking

Fields = dict[str, Any]

_TRUE = re.compile(r"(1|on|yes|true)\Z", re.IGNORECASE)
_FALSE = re.compile(r"(0|off|no|false)\Z", re.IGNORECASE)


def boolean(text: str) -> int | None:
    """1, 0, or None for what is no boolean."""
    return 1 if _TRUE.match(text) else 0 if _FALSE.match(text) else None


def parse(layout: Fields, text: str, where: str, *, checked: bool = True) -> Fields:
    """The fields of a property string; FormatError when it cannot be read or a field is wrong."""
    out: Fields = {}
    for part in text.split(","):
        if not part.strip():
            continue
        if re.match(r"[^=]+=.+\Z", part, re.DOTALL):
            _keyed(layout, out, *part.split("=", 1))
        elif "=" not in part:
            _bare(layout, out, part)
        else:
            raise checking.FormatError("missing key in comma-separated list property\n")
    if checked:
        errors: dict[str, str] = {}
        checking.check_object(where, layout, False, out, errors)
        if errors:
            raise checking.FormatError("format error\n" + "".join(f"{key}: {value}\n" for key, value in errors.items()))
    return out


def _keyed(layout: Fields, out: Fields, key: str, value: str) -> None:
    if key in out:
        raise checking.FormatError(f"duplicate key in comma-separated list property: {key}\n")
    facts = layout.get(key) or {}
    if "alias" in facts:
        if "keyAlias" in facts:
            if facts["keyAlias"] in out:
                raise checking.FormatError(f"key alias '{facts['keyAlias']}' is already defined\n")
            out[facts["keyAlias"]] = key
        key = facts["alias"]
        facts = layout.get(key) or {}
    if facts.get("type") == "boolean":
        known = boolean(value)
        out[key] = value if known is None else known
    else:
        out[key] = value


def _bare(layout: Fields, out: Fields, part: str) -> None:
    for key, facts in layout.items():
        if facts.get("default_key"):
            if out.get(key):
                raise checking.FormatError(f"duplicate key in comma-separated list property: {key}\n")
            if facts.get("type") == "boolean" and boolean(part) is not None:
                out[key] = boolean(part)
            else:
                out[key] = part
            return
    raise checking.FormatError("value without key, but schema does not define a default key\n")


def emit(layout: Fields, fields: Fields, *, skip: tuple[str, ...] = ()) -> str:
    """The canonical text: a key alias (`virtio=MAC`) or the default key first, then the rest by name."""
    parts: list[str] = []
    done = set(skip)
    alias = next((facts for facts in layout.values() if "keyAlias" in facts), None)
    if alias and alias["keyAlias"] in fields:
        model, value = alias["keyAlias"], fields.get(alias["alias"])
        parts.append(f"{fields[model]}={value}" if value is not None else str(fields[model]))
        done |= {model, alias["alias"]}
    default = next((key for key, facts in layout.items() if facts.get("default_key")), None)
    if default and default in fields and default not in done:
        parts.append(str(fields[default]))
        done.add(default)
    required = sorted(key for key in fields if key not in done and not (layout.get(key) or {}).get("optional"))
    optional = sorted(key for key in fields if key not in done and key not in required)
    parts += [f"{key}={fields[key]}" for key in [*required, *optional] if fields[key] is not None]
    return ",".join(parts)
