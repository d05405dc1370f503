"""Dates and times as people type them into a form, in the site's zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from labctl import errors
from labctl.model import moments


def read(text: str, zone: ZoneInfo, field: str) -> datetime | None:
    """A form's date and time ("2030-03-04T09:00"); None for an empty one. Raises BadInput."""
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        return moments.plain(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except ValueError:
        raise errors.BadInput(f"'{text[:40]}' is not a date and time ({field}).", hint="Write it like 2030-03-04T09:00.") from None
