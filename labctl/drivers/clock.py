"""The system's clock, behind the port `Clock`."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """What time this machine believes it is. Claims between several hosts need their clocks in step (NTP)."""

    def now(self) -> datetime:
        """Aware, UTC."""
        return datetime.now(UTC)
