"""The app factory: routers, problems, OpenAPI. It is handed its collaborators and builds none."""

from __future__ import annotations

import importlib.metadata

from fastapi import FastAPI

from api import boards, problems, routes_blueprints, routes_classes, routes_seats, routes_state
from labctl import wiring

_ABOUT = """
Turns a lab blueprint into a class of working machines, and takes it all away again.

Whatever takes time answers 202 and says where to look (`Location`). Every error is a problem document (RFC 9457).
Roles: `trainer` and `it` see all classes, `learner` sees its own seat only, `it` makes tokens.
"""


def create(wired: wiring.Wiring) -> FastAPI:
    """The API on these collaborators."""
    app = FastAPI(
        title="labctl",
        version=importlib.metadata.version("labctl"),
        description=_ABOUT,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        # A router that redirects a trailing slash would answer without a problem document.
        redirect_slashes=False,
    )
    app.state.wiring = wired
    app.state.notes = boards.Notes(wired)
    app.state.boards = boards.Boards(wired, app.state.notes)
    problems.install(app)
    for router in (routes_state.router, routes_blueprints.router, routes_classes.router, routes_seats.router):
        app.include_router(router, responses=problems.answers(500))
    return app
