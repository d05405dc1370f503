"""The board's rows as HTML, rendered once for all who watch a class in one language (`access.md` 6.4)."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from zoneinfo import ZoneInfo

from api import boards, shapes
from api.pages import render

ALARMS = ("failed", "stuck")
"""Status words that are read out when they come."""

ROW, TILE = "board_row.html", "wall_tile.html"

MOST = 20_000
"""Rows kept; more than any site has seats, in two languages."""


_Kept = dict[int, tuple[shapes.SeatShape, bytes]]
"""By seat: what was rendered, and what of it came."""


class Rows:
    """Rendered rows by class, look and language, made again only when their seat changed; and the parts that all viewers share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str, str], _Kept] = {}
        self._parts: dict[tuple[str, str, str], tuple[tuple[object, ...], str]] = {}
        self.rendered = 0

    def of(self, seats: Sequence[shapes.SeatShape], spoken: str, zone: ZoneInfo, look: str = ROW) -> list[bytes]:
        """The rows of these seats of one class, or with another look their tiles, as pages carry them."""
        if not seats:
            return []
        kept = self._rows((seats[0].classroom, spoken, look))
        return [self._row(kept, seat, spoken, zone, look) for seat in seats]

    def part(self, name: str, slug: str, spoken: str, of: tuple[object, ...], make: Callable[[], str]) -> str:
        """A part of the class's page; made again only when what it is made `of` is another."""
        key = (name, slug, spoken)
        kept = self._parts.get(key)
        if kept is not None and kept[0] == of:
            return kept[1]
        text = make()
        with self._lock:
            if len(self._parts) >= MOST // 100:
                self._parts.clear()
            self._parts[key] = of, text
        return text

    def _rows(self, key: tuple[str, str, str]) -> _Kept:
        with self._lock:
            kept = self._kept.pop(key, None)
            if kept is None:
                kept = {}
                while self._kept and sum(map(len, self._kept.values())) > MOST:
                    del self._kept[next(iter(self._kept))]
            # The one that was asked for longest ago is the first.
            self._kept[key] = kept
            return kept

    def _row(self, kept: _Kept, seat: shapes.SeatShape, spoken: str, zone: ZoneInfo, look: str) -> bytes:
        old = kept.get(seat.number)
        if old is not None and (old[0] is seat or old[0] == seat):
            return old[1]
        text = render.fragment(look, spoken, zone, seat=seat).encode()
        with self._lock:
            self.rendered += 1
        kept[seat.number] = seat, text
        return text


class Stream:
    """What one viewer is sent: everything at first, then the rows that changed, and what became another of the head, of the queue, and of
    what is worth saying.
    """

    def __init__(self, rows: Rows, spoken: str, zone: ZoneInfo, *, wall: bool = False) -> None:
        self._rows, self._spoken, self._zone, self._wall = rows, spoken, zone, wall
        self._alarmed: dict[int, str] = {}
        self._sent: dict[str, str] = {}

    def text(self, change: boards.Change) -> str:
        """Parts for htmx, each naming what it replaces. Empty where nothing is another for this viewer."""
        seats = change.board.seats if change.whole else change.seats
        texts = self._rows.of(seats, self._spoken, self._zone, TILE if self._wall else ROW)
        parts = [_part(f"#seat-{seat.number}", text.decode()) for seat, text in zip(seats, texts, strict=True)]
        parts.extend(self._shared(change))
        news = self._news(seats)
        if news and not change.whole:
            said = render.fragment("board_news.html", self._spoken, self._zone, news=news)
            parts.append(_part("#news", said))
        return "\n".join(parts)

    def _shared(self, change: boards.Change) -> Iterator[str]:
        room, now, waiting = change.board.classroom, change.board.now, change.seen.waiting

        def part(target: str, name: str, *of: object) -> Iterator[str]:
            made = functools.partial(render.fragment, name, self._spoken, self._zone, room=room, now=now, queue=waiting)
            text = self._rows.part(name, room.slug, self._spoken, of, made)
            if change.whole or self._sent.get(target) != text:
                self._sent[target] = text
                yield _part(target, text)

        # The time that is left counts in minutes.
        yield from part("#head", "wall_head.html" if self._wall else "board_head.html", room, render.Clock(self._zone).left(room.ends, now))
        yield from part("#queue", "board_queue.html", waiting)

    def _news(self, seats: Iterable[shapes.SeatShape]) -> list[tuple[shapes.SeatShape, str]]:
        """Those of these seats that began to fail or to wait for help since they were looked at here."""
        fresh = []
        for seat in seats:
            word, before = _alarm(seat), self._alarmed.pop(seat.number, "")
            if word:
                self._alarmed[seat.number] = word
                if word != before:
                    fresh.append((seat, word))
        return fresh


def _alarm(seat: shapes.SeatShape) -> str:
    if seat.hand_since is not None:
        return "help"
    return seat.status if seat.status in ALARMS else ""


def _part(target: str, text: str) -> str:
    return f'<hx-partial hx-target="{target}" hx-swap="outerMorph">{text}</hx-partial>'
