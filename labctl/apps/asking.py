"""The proxy's questions to labctl's API. Answers are values; a question that cannot be asked is a refusal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from labctl.drivers import asking
from labctl.model import passage, web_apps


class Asking(asking.Asking):
    """Use as an async context manager."""

    async def enter(self, host: str, ticket: str) -> tuple[str, web_apps.Visit]:
        """Uses the ticket up: the cookie's secret, and what it opens. Raises Unauthenticated, Forbidden, Unreachable."""
        found = await self.post("apps/enter", {"host": host, "ticket": ticket})
        return str(found["secret"]), read(found["visit"])

    async def visit(self, host: str, secret: str) -> web_apps.Visit:
        """See `visits.Asks`."""
        return read(await self.post("apps/visit", {"host": host, "secret": secret}))

    async def certificate(self, visit: str, public_key: str) -> str:
        """For the proxy's own key of the moment. Raises Forbidden, Unreachable."""
        return str((await self.post("apps/certificate", {"visit": visit, "public_key": public_key}))["certificate"])

    async def still(self, visits: Iterable[str]) -> frozenset[str]:
        """See `visits.Asks`."""
        return frozenset((await self.post("apps/still", {"visits": sorted(visits)}))["alive"])


def read(found: dict[str, Any]) -> web_apps.Visit:
    """A visit as the API tells it."""
    return web_apps.Visit(**{**found, "until": datetime.fromisoformat(found["until"]), "target": passage.Target(**found["target"])})
