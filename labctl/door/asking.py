"""The door's questions to labctl's API. Answers are values; a question that cannot be asked is a refusal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

import aiohttp

from labctl import errors
from labctl.model import passage

SECONDS = 5.0
"""How long the API may take: somebody waits at the prompt."""


class Asking:
    """`url` is the API's address, `token` the door's own. Use as an async context manager."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=aiohttp.ClientTimeout(total=SECONDS), trust_env=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def way(self, principal: str) -> passage.Way:
        """Raises Forbidden where nobody may go there now, Unreachable."""
        return read(await self._post("way", {"principal": principal}))

    async def redeem(self, code: str, login: str) -> passage.Way:
        """Uses the code up. Raises Forbidden, Unreachable."""
        return read(await self._post("redeem", {"code": code, "login": login}))

    async def certificate(self, principal: str, public_key: str) -> str:
        """For the door's own key of the moment. Raises Forbidden, Unreachable."""
        return str((await self._post("certificate", {"principal": principal, "public_key": public_key}))["certificate"])

    async def still(self, principals: Iterable[str]) -> frozenset[str]:
        """Those of these that may be in, each as "principal environment". Raises Unreachable."""
        return frozenset((await self._post("still", {"principals": sorted(set(principals))}))["alive"])

    async def _post(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        if self._session is None:
            msg = "used outside its context"
            raise RuntimeError(msg)
        try:
            async with self._session.post(f"{self._url}/api/v1/door/{what}", json=body, allow_redirects=False) as answer:
                found = await answer.json(content_type=None) if answer.status < 500 else None
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            raise errors.Unreachable(f"labctl's API does not answer the door ({type(error).__name__})") from None
        if status >= 500 or not isinstance(found, dict):
            raise errors.Unreachable(f"labctl's API answered the door with {status}")
        if status >= 400:
            raise errors.Forbidden(str(found.get("detail") or "refused"))
        return found


def read(found: dict[str, Any]) -> passage.Way:
    """A way as the API tells it."""
    targets = tuple(passage.Target(**one) for one in found["targets"])
    return passage.Way(**{**found, "until": datetime.fromisoformat(found["until"]), "targets": targets})
