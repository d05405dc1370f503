"""The door's questions to labctl's API. Answers are values; a question that cannot be asked is a refusal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from labctl.drivers import asking
from labctl.model import passage


class Asking(asking.Asking):
    """Use as an async context manager."""

    async def way(self, principal: str) -> passage.Way:
        """Raises Forbidden where nobody may go there now, Unreachable."""
        return read(await self.post("door/way", {"principal": principal}))

    async def redeem(self, code: str, login: str) -> passage.Way:
        """Uses the code up. Raises Forbidden, Unreachable."""
        return read(await self.post("door/redeem", {"code": code, "login": login}))

    async def certificate(self, principal: str, public_key: str) -> str:
        """For the door's own key of the moment. Raises Forbidden, Unreachable."""
        return str((await self.post("door/certificate", {"principal": principal, "public_key": public_key}))["certificate"])

    async def still(self, principals: Iterable[str]) -> frozenset[str]:
        """Those of these that may be in, each as "principal environment". Raises Unreachable."""
        return frozenset((await self.post("door/still", {"principals": sorted(set(principals))}))["alive"])


def read(found: dict[str, Any]) -> passage.Way:
    """A way as the API tells it."""
    targets = tuple(passage.Target(**one) for one in found["targets"])
    return passage.Way(**{**found, "until": datetime.fromisoformat(found["until"]), "targets": targets})
