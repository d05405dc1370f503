"""How a type or a block of the language refuses: with exactly the text it says, at exactly the place it means.

`labctl.model.wording` turns these into complaints with line and column.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError


def wrong(text: str, *, kind: str = "labctl") -> PydanticCustomError:
    """An error with exactly this text. `kind` "key" points at the key instead of the value."""
    return PydanticCustomError("labctl_key" if kind == "key" else "labctl", "{text}", {"text": text})


def wrong_keys(complaints: Iterable[tuple[str | int, str]]) -> NoReturn:
    """Refuse several keys of one block at once, each at its own place."""
    details = [InitErrorDetails(type=wrong(text, kind="key"), loc=(key,), input=None) for key, text in complaints]
    raise ValidationError.from_exception_data("block", details)


def not_yet(what: str, *, kind: str = "labctl") -> PydanticCustomError:
    """A part of the language that this labctl does not do yet: refused, never ignored."""
    return wrong(f"'{what}' is not supported yet", kind=kind)
