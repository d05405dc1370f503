"""The board's rows as HTML, rendered once for all who watch a class in one language (`access.md` 6.4)."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from api import boards, shapes
from api.pages import render

ALARMS = ("failed", "stuck")
"""Status words that are read out when they come."""

ROW, TILE = "board_row.html", "wall_tile.html"

MOST = 20_000
"""Rows kept; more than any site has seats, in two languages."""


class Rows:
    """Rendered rows by class, seat and language. A row is made again only when its seat changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, int, str, str], tuple[shapes.SeatShape, str]] = {}
        self.rendered = 0

    def of(self, seat: shapes.SeatShape, spoken: str, zone: ZoneInfo, look: str = ROW) -> str:
        """The row of that seat, or with another look its tile."""
        key = (seat.classroom, seat.number, spoken, look)
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and (kept[0] is seat or kept[0] == seat):
            return kept[1]
        text = render.fragment(look, spoken, zone, seat=seat)
        with self._lock:
            self.rendered += 1
            if len(self._kept) >= MOST:
                self._kept.clear()
            self._kept[key] = (seat, text)
        return text


class Stream:
    """What one viewer is sent: everything at first, then the rows that changed, the counts, the queue and what is worth saying."""

    def __init__(self, rows: Rows, spoken: str, zone: ZoneInfo, *, wall: bool = False) -> None:
        self._rows, self._spoken, self._zone, self._wall = rows, spoken, zone, wall
        self._alarmed: dict[int, str] = {}

    def text(self, change: boards.Change) -> str:
        """Parts for htmx, each naming what it replaces."""
        seats = change.board.seats if change.whole else change.seats
        look = TILE if self._wall else ROW
        parts = [_part(f"#seat-{seat.number}", self._rows.of(seat, self._spoken, self._zone, look)) for seat in seats]
        parts.append(_part("#head", self._fragment("wall_head.html" if self._wall else "board_head.html", change.board)))
        parts.append(_part("#queue", self._fragment("board_queue.html", change.board)))
        news = self._news(change.board.seats)
        if news and not change.whole:
            said = render.fragment("board_news.html", self._spoken, self._zone, news=news)
            parts.append(_part("#news", said))
        return "\n".join(parts)

    def _fragment(self, name: str, board: shapes.Board) -> str:
        return render.fragment(name, self._spoken, self._zone, room=board.classroom, queue=queue(board.seats), now=board.now)

    def _news(self, seats: Iterable[shapes.SeatShape]) -> list[tuple[shapes.SeatShape, str]]:
        """Seats that began to fail or to wait for help since the last change."""
        now = {seat.number: word for seat in seats if (word := _alarm(seat))}
        fresh = [(seat, now[seat.number]) for seat in seats if now.get(seat.number, "") not in {"", self._alarmed.get(seat.number, "")}]
        self._alarmed = now
        return fresh


def queue(seats: Sequence[shapes.SeatShape]) -> list[shapes.SeatShape]:
    """Who waits for help, longest first."""

    def since(seat: shapes.SeatShape) -> datetime:
        assert seat.hand_since is not None
        return seat.hand_since

    return sorted((seat for seat in seats if seat.hand_since is not None), key=since)


def _alarm(seat: shapes.SeatShape) -> str:
    if seat.hand_since is not None:
        return "help"
    return seat.status if seat.status in ALARMS else ""


def _part(target: str, text: str) -> str:
    return f'<hx-partial hx-target="{target}" hx-swap="outerMorph">{text}</hx-partial>'
