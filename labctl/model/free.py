"""The free type of `vars` (`blueprint.md` 3): values for somebody else's playbook, so YAML's own types count.

YAML 1.2's core types, but nothing that ordinary loaders would read in two ways, and no number that JSON (RFC 8785) would write
differently: what an author sees is what a playbook gets.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from labctl.model import marked, refusals

MOST_EXACT = 2**53 - 1
"""The largest whole number that JSON (RFC 8785) keeps exactly."""

_CORE_NUMBER = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+"


def free_of(value: Any) -> Any:
    """`vars`: the YAML 1.2 core types, but nothing that ordinary loaders would read in two ways. Every refusal at its own place."""
    found: list[InitErrorDetails] = []
    free = _free(value, (), found)
    if found:
        raise ValidationError.from_exception_data("vars", found)
    return free


def _free(value: Any, loc: marked.Loc, found: list[InitErrorDetails]) -> Any:
    if isinstance(value, dict):
        return {key: _free(item, (*loc, key), found) for key, item in value.items()}
    if isinstance(value, list):
        return [_free(item, (*loc, place), found) for place, item in enumerate(value)]
    if not isinstance(value, marked.Scalar) or not value.plain:
        return str(value) if isinstance(value, str) else value
    try:
        return _core(str(value))
    except PydanticCustomError as error:
        found.append(InitErrorDetails(type=error, loc=loc, input=value))
        return None


def _core(text: str) -> Any:
    if text in {"true", "false"}:
        return text == "true"
    if text.lower() in {"true", "false", "yes", "no", "on", "off", "y", "n"}:
        raise refusals.wrong(f"'{text}' could be a word or a truth value; write true or false, or put it in quotes")
    if text.lower() == "null":
        raise refusals.wrong(f"'{text}' could be a word or no value; write null, or put it in quotes")
    if re.fullmatch(r"[-+]?\.inf|\.nan", text.lower()):
        raise refusals.wrong(f"'{text}' is not a number that can be kept; put it in quotes")
    if not re.fullmatch(_CORE_NUMBER, text):
        return text
    if len(text) > 20:
        raise refusals.wrong(f"'{text[:20]}...' is too long for a number; put it in quotes")
    number = _number(text)
    if isinstance(number, int) and abs(number) > MOST_EXACT:
        raise refusals.wrong(f"'{text}' is too large for a number; put it in quotes")
    if json.dumps(number) != text:
        raise refusals.wrong(f"'{text}' would become {json.dumps(number)}; put it in quotes")
    return number


def _number(text: str) -> int | float:
    if re.fullmatch(r"[-+]?[0-9]+", text):
        return int(text)
    if text.startswith(("0o", "0x")):
        return int(text, 0)
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < MOST_EXACT else number
