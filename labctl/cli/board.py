"""The live board of a class in a terminal; plain lines where there is no terminal. It shows what the API says, decides nothing.

Rows keep their place while they change (`access.md` 6.4).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from labctl import errors
from labctl.cli import client as client_
from labctl.cli import screen

Board = dict[str, Any]
Until = Callable[[Board], bool]
"""Says whether the watcher has seen enough."""

RETRIES = 20
"""How often a lost stream is taken up again, a second apart, before the person is told."""


RESTS = frozenset({"ready", "failed", "stuck"})
"""Words after which watching longer shows nothing new for a while: a stuck seat goes on, but the others need not wait for it."""


def all_ready(board: Board) -> bool:
    """Every seat and spare is ready, or has failed so often that watching longer would show nothing new."""
    return all(seat["status"] in RESTS or seat["aside"] for seat in board["seats"])


def all_gone(board: Board) -> bool:
    """Nothing of the class is left, or a removal has failed so often that a person should look."""
    return all(seat["status"] in {"gone", "failed", "stuck"} for seat in board["seats"])


def never(board: Board) -> bool:
    """Until Ctrl-C or the end of the class."""
    del board
    return False


def watch(api: client_.Client, slug: str, until: Until, *, quiet: bool = False) -> Board:
    """Show the board (nothing when `quiet`) until `until` says so or the class is over; the last board seen."""
    show = _silent if quiet else _live if screen.out.is_terminal else _plain
    return show(_boards(api, slug), until)


def _boards(api: client_.Client, slug: str) -> Iterator[Board]:
    board: Board | None = None
    lost = 0
    while True:
        try:
            for name, told in api.events(f"/classrooms/{slug}/events"):
                lost = 0
                if name == "left":  # signed out, or not theirs to see any more: the API says which when it is asked again
                    break
                board = told if name in {"board", "closed"} or board is None else _merged(board, told)
                yield board
                if name == "closed":
                    return
        except errors.Unreachable:
            if board is None or lost >= RETRIES:
                raise
        lost += 1
        if lost > RETRIES:
            raise errors.Unreachable("the API ends the stream of the board again and again.", hint="`labctl status` shows what runs.")
        time.sleep(1)


def _merged(board: Board, told: Board) -> Board:
    changed = {seat["number"]: seat for seat in told["seats"]}
    # A new spare is a seat that was not there before.
    seats = {seat["number"]: seat for seat in board["seats"]} | changed
    return {**board, "classroom": told["classroom"], "seats": [seats[number] for number in sorted(seats)]}


def _live(boards: Iterator[Board], until: Until) -> Board:
    board: Board = {"seats": []}

    def shown() -> Group:
        return render(board)

    # rich asks `shown` again four times a second, so times go on while the stream is silent.
    with Live(console=screen.out, get_renderable=shown, refresh_per_second=4, vertical_overflow="visible") as live:
        for board in boards:
            live.refresh()
            if until(board):
                break
    return board


def _silent(boards: Iterator[Board], until: Until) -> Board:
    board: Board = {"seats": []}
    for board in boards:
        if until(board):
            break
    return board


def _plain(boards: Iterator[Board], until: Until) -> Board:
    said: dict[int, str] = {}
    board: Board = {"seats": []}
    for board in boards:
        if not said and board["classroom"]["guests"] == "paper":
            screen.say("PAPER: nobody can log in to the guests of this class")
        for seat in board["seats"]:
            line = _line(seat)
            if said.get(seat["number"]) != line:
                said[seat["number"]] = line
                screen.say(line)
        if until(board):
            break
    return board


def _line(seat: dict[str, Any]) -> str:
    symbol = screen.SYMBOLS.get(seat["status"], ("?", ""))[0]
    words = f"seat {seat['number']} {whose(seat)}: {symbol} {seat['status']}"
    if seat["trouble"] and seat["status"] != "ready":
        return f"{words}: {_trouble(seat['trouble'])}"
    return f"{words}: {seat['note']}" if _tells(seat) else words


def _tells(seat: dict[str, Any]) -> bool:
    """Whether the newest line says what happens now, and not what happened once."""
    return bool(seat["note"]) and (bool(seat["doing"]) or seat["status"] == "waiting")


def reason(seat: dict[str, Any]) -> str:
    """Why a seat is not ready."""
    return _trouble(seat["trouble"]) if seat["trouble"] else str(seat["status"])


def whose(seat: dict[str, Any]) -> str:
    """The learner, or what the seat is for."""
    return str(seat["learner"] or ("(aside)" if seat["aside"] else "(spare)"))


def _trouble(trouble: dict[str, Any]) -> str:
    again = f"; next try {_clock(trouble['retry_at'])}" if trouble["retry_at"] else "; a person must look (reset or close)"
    return f"{trouble['step']} failed: {trouble['reason']}{again}"


def render(board: Board) -> Group:
    """The board as it stands now."""
    if "classroom" not in board:
        return Group(Text("…"))
    return Group(_head(board["classroom"]), table(board))


def _head(room: dict[str, Any]) -> Text:
    counts = room["counts"]
    others = [f"{count} {word}" for word, count in sorted(counts["words"].items()) if word != "ready"]
    spares = [f"spares: {counts['spares_ready']} of {counts['spares']} ready"] if counts["spares"] else []
    words = " · ".join([f"{counts['ready']} of {counts['seats']} ready", *others, *spares])
    left = screen.span(_ago(room["ends"]) * -1)
    state = "closed" if room["closed"] else f"time left {left}"
    paper = ("PAPER: nobody can log in to these guests  ", "bold yellow") if room["guests"] == "paper" else ""
    return Text.assemble(paper, (room["slug"], "bold"), f"  {room['blueprint']}  {words}  {_clock(datetime.now(UTC).isoformat())}  {state}")


def table(board: Board) -> Table:
    """One row per seat."""
    grid = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    for head in ("seat", "learner", "state", "time", "machines", "what it does, or why not"):
        grid.add_column(head, overflow="fold")
    nodes = {machine["node"] for seat in board["seats"] for machine in seat["machines"]}
    for seat in board["seats"]:
        symbol, style = screen.SYMBOLS.get(seat["status"], ("?", ""))
        machines = _machines(seat, nodes)
        took = screen.span(_ago(seat["doing_since"])) if seat["doing_since"] and seat["doing"] else ""
        trouble = seat["trouble"] if seat["status"] != "ready" else None
        note = _trouble(trouble) if trouble else (seat["note"] if _tells(seat) else "")
        state = Text(f"{symbol} {seat['status']}", style=style)
        grid.add_row(str(seat["number"]), escape(whose(seat)), state, took, escape(machines), escape(note))
    if any(machine["stand_in"] for seat in board["seats"] for machine in seat["machines"]):
        grid.caption = "* a container stands in for this VM: the node cannot run virtual machines"
        grid.caption_justify = "left"
    return grid


def _machines(seat: dict[str, Any], nodes: set[str]) -> str:
    """Their names, and on which node they are where the class stands on several or another one failed them."""
    names = [machine["name"] + ("*" if machine["stand_in"] else "") for machine in seat["machines"]]
    places = dict.fromkeys(machine["node"] for machine in seat["machines"])
    failed = dict.fromkeys(machine["instead_of"] for machine in seat["machines"] if machine.get("instead_of"))
    if len(nodes) > 1 or failed:
        names += [f"@{' '.join(places)}"] if places else []
    return " ".join([*names, *(f"(not {node})" for node in failed)])


def _ago(text: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds()


def _clock(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%H:%M:%S")
