"""What browsers load (`/static/...`): built by `infra/deploy/setup.sh` from `web/`, git-ignored. Nothing is loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "static"
_NOT_BUILT = "The browser assets are not built here; `infra/deploy/setup.sh` builds them and says what it needs."


class Assets(StaticFiles):
    """Files as they are, asked for again each time whether they changed: an update must not meet half of what was there before."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """404 where there is none, saying why where nothing was built."""
        if path.startswith(".") or not FOLDER.is_dir():
            raise HTTPException(404, _NOT_BUILT if not FOLDER.is_dir() else None)
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "no-cache"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer


def install(app: FastAPI) -> None:
    """At /static."""
    app.mount("/static", Assets(directory=FOLDER, check_dir=False), name="static")
