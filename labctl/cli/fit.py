"""Whether a class fits, in words: what would carry it, what is short, when it would be ready. Shows, decides nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from labctl.cli import screen


def show(found: dict[str, Any]) -> None:
    """The answer of the API (or of `capacity.told`)."""
    screen.say(f"{found['seats']} seats of {found['blueprint']}: {'they fit' if found['fits'] else 'they do not fit'}")
    for one in found["nodes"]:
        memory = f"{_mib(one['memory'])} of {_mib(one['memory_free'])} free memory"
        disk = f"{_mib(one['disk'])} of {_mib(one['disk_free'])} free disk"
        screen.say(f"node {one['node']}: {one['seats']} seats, {one['guests']} guests, {memory}, {disk}")
    for one in found["short"]:
        screen.say(f"short: {one['text']}")
    if not found["fits"]:
        screen.say(f"{found['most']} seats would fit." if found["most"] else "Not even one seat fits.")
    screen.say(_ready(found))


def _ready(found: dict[str, Any]) -> str:
    unknown = [one["step"] for one in found["steps"] if one["seconds"] is None]
    if found["ready_at"] is None:
        return f"When all would be ready is not measured yet on this cluster ({', '.join(unknown)})." if unknown else ""
    at = found["ready_at"] if isinstance(found["ready_at"], datetime) else datetime.fromisoformat(found["ready_at"])
    steps = ", ".join(f"{one['step']} {one['seconds']} s" for one in found["steps"])
    least = min(one["measurements"] for one in found["steps"])
    return (
        f"All would be ready {screen.span(found['ready_after_seconds'])} after the start, at {at.astimezone():%Y-%m-%d %H:%M} "
        f"(medians of {least} or more measured here: {steps})."
    )


def _mib(amount: int) -> str:
    return screen.size(amount * 2**20)
