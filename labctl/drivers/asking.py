"""Questions to labctl's API from processes of labctl's that face the outside, each with a token of its own role."""

from __future__ import annotations

from typing import Any, Self

import aiohttp

from labctl import errors

SECONDS = 15.0
"""How long the API may take: somebody waits, and would rather do so than be refused while it has much to do."""

_REFUSALS: dict[int, type[errors.LabctlError]] = {401: errors.Unauthenticated, 404: errors.NotFound}


class Asking:
    """`url` is the API's address, `token` the process' own. Use as an async context manager."""

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

    async def post(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer at `/api/v1/WHAT`. Raises Unauthenticated, NotFound, Forbidden for every other refusal, Unreachable."""
        if self._session is None:
            msg = "used outside its context"
            raise RuntimeError(msg)
        try:
            async with self._session.post(f"{self._url}/api/v1/{what}", json=body, allow_redirects=False) as answer:
                found = await answer.json(content_type=None) if answer.status < 500 else None
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            raise errors.Unreachable(f"labctl's API does not answer ({type(error).__name__})") from None
        if status >= 500 or not isinstance(found, dict):
            raise errors.Unreachable(f"labctl's API answered with {status}")
        if status >= 400:
            raise _REFUSALS.get(status, errors.Forbidden)(str(found.get("detail") or "refused"))
        return found
