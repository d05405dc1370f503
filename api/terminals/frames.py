"""What is said on a terminal's WebSocket. Values only, no I/O.

Binary frames are the terminal's bytes, both ways. Text frames are JSON objects.

From the browser, first `{"ticket": "...", "size": [columns, rows]}`, after a reconnect with the `shell` it was at; then
    `{"size": [c, r]}`      the page's own size
    `{"ack": n}`            so many bytes were taken since the last of these
    `{"stop": true}`        from the seat's learner: whoever watches or joins is out, and nobody may type along; whether somebody may is
                            asked and answered on the seat's page, once for all its machines
To the browser
    `{"opened": {"machine", "mode", "keeps"}}`   once; `keeps`: the same shell comes back after a reconnect; to its learner also `shell`, to
                            be said then, and `same`: it is that one, and nobody else came to type in it
    `{"size": [c, r]}`      to those who see a screen of somebody else's size
    `{"with": [{"who", "mode", "types"}]}`       whenever it changes who watches or joins; `types`: the learner allowed it
    `{"alone": true}`       where the machine keeps no screen that others could see
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from api.terminals import marks

ENDED = 4000
"""The shell ended by itself; a new one may be opened."""
TICKET = 4401
"""No ticket in time, or not a good one, or whoever had it is signed out; a new one may be asked for."""
CLOSED = 4410
"""The seat may be entered no more: lease over, reset, swap, close. Look at the page, do not reconnect."""
CROWDED = 4429
"""Too many terminals of this seat are open."""
STOPPED = 4403
"""The seat's learner sent those away who were there. They may come again, and are seen: the page asks before it opens again."""
UNREACHABLE = 4502
"""The guest does not answer, or went away; may be tried again."""
BAD = 1007
"""What came was not in this language."""

LEAST, MOST = 2, 500
"""Of columns and rows."""


class NotUnderstood(ValueError):
    """A frame that is not in this language."""


@dataclass(frozen=True)
class Size:
    """Of a terminal; clamped, whatever was asked for."""

    columns: int = 80
    rows: int = 24


@dataclass(frozen=True)
class First:
    """The first frame."""

    ticket: str
    size: Size
    shell: str = ""


@dataclass(frozen=True)
class Ack:
    """So many bytes were taken by the terminal."""

    taken: int


@dataclass(frozen=True)
class Stop:
    """The learner wants nobody else there."""


def first(text: str) -> First:
    """Raises NotUnderstood."""
    found = _object(text)
    ticket = found.get("ticket")
    if not isinstance(ticket, str) or len(ticket) > 100:
        raise NotUnderstood("no ticket")
    shell = found.get("shell")
    if not isinstance(shell, str) or not marks.MARK.fullmatch(shell):
        shell = ""
    return First(ticket, _size(found["size"]) if "size" in found else Size(), shell)


def later(text: str) -> Size | Ack | Stop | None:
    """None for what a newer page may say. Raises NotUnderstood."""
    found = _object(text)
    if "size" in found:
        return _size(found["size"])
    if "ack" in found:
        return Ack(max(0, _whole(found["ack"])))
    return Stop() if found.get("stop") is True else None


def told(**values: Any) -> str:
    """A text frame to the browser."""
    return json.dumps(values, separators=(",", ":"))


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise NotUnderstood("not JSON") from None
    if not isinstance(found, dict):
        raise NotUnderstood("not an object")
    return found


def _size(value: Any) -> Size:
    if not isinstance(value, list) or len(value) != 2:
        raise NotUnderstood("not a size")
    columns, rows = (min(MOST, max(LEAST, _whole(one))) for one in value)
    return Size(columns, rows)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise NotUnderstood("not a whole number")
    return value
