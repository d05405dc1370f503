"""The app factory: routers, problems, OpenAPI. It is handed its collaborators and builds none."""

from __future__ import annotations

import importlib.metadata
from typing import Any

from fastapi import FastAPI

from api import (
    assets,
    boards,
    problems,
    routes_apps,
    routes_blueprints,
    routes_classes,
    routes_door,
    routes_goldens,
    routes_invitation,
    routes_people,
    routes_seats,
    routes_sign_in,
    routes_state,
    routes_tasks,
    staying,
    turns,
)
from api.desktops import routes as routes_desktops
from api.pages import (
    account,
    apps,
    blueprints,
    board_stream,
    classes,
    files,
    home,
    images,
    it,
    learner,
    opening,
    people,
    seat_stream,
    seats,
    tasks,
    ways,
)
from api.terminals import routes as routes_terminals
from labctl import wiring

_ABOUT = """
Turns a lab blueprint into a class of working machines, and takes it all away again.

Whatever takes time answers 202 and says where to look (`Location`). Every error is a problem document (RFC 9457).
Roles: `trainer` and `it` see all classes, a co-trainer sees the classes they were invited to, `learner` sees its own seat only, `it` keeps
accounts and makes tokens. Programs send a bearer token, browsers their session's cookie.
"""


class Api(FastAPI):
    """FastAPI tells of every error model as plain JSON, and of its own validation errors; here all are problem documents."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            told = super().openapi()
            for methods in told["paths"].values():
                for operation in methods.values():
                    for status, answer in operation["responses"].items():
                        if int(status) >= 400:
                            answer["content"] = problems.CONTENT
            for unused in ("HTTPValidationError", "ValidationError"):
                told["components"]["schemas"].pop(unused, None)
            self.openapi_schema = told
        return self.openapi_schema


def create(wired: wiring.Wiring) -> FastAPI:
    """The API on these collaborators."""
    app = Api(
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
    app.state.hall = routes_terminals.hall(wired)
    app.state.streams = staying.streams(wired)
    app.state.rows = board_stream.Rows()
    app.state.turns = turns.Desk()
    app.state.policy_reports = 0
    problems.install(app)
    parts = (
        routes_state,
        routes_blueprints,
        routes_classes,
        routes_goldens,
        routes_seats,
        routes_tasks,
        routes_apps,
        routes_door,
        routes_people,
        routes_terminals,
    )
    for router in (part.router for part in parts):
        app.include_router(router, responses=problems.answers(500))
    app.include_router(routes_desktops.router)
    for page in (tasks, files, images):
        app.include_router(page.router)
    for page in (
        routes_sign_in,
        routes_invitation,
        home,
        account,
        opening,
        ways,
        classes,
        seat_stream,
        seats,
        learner,
        apps,
        it,
        people,
        blueprints,
    ):
        app.include_router(page.router)
    assets.install(app)
    return app
