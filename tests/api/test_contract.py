"""The OpenAPI document is complete, and no request that it allows (or does not allow) makes the API fail."""

from __future__ import annotations

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from labctl import ports
from tests.api import conftest, test_roles

EXAMPLES = int(os.environ.get("EXAMPLES", "6"))
"""Requests of each kind for each role; a few hundred take minutes and find no more than what changed."""


def test_every_operation_says_what_it_does_and_every_error_it_may_give(house):
    document = house.app.openapi()
    lacking = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            if not operation.get("summary") or not operation.get("description"):
                lacking.append(f"{name}: no summary or description")
            if path != "/api/v1/health":
                lacking += [f"{name}: {status} is not told" for status in ("401",) if status not in operation["responses"]]
                lacking += [f"{name}: needs no token" for _ in [0] if not operation.get("security")]
            for status, answer in operation["responses"].items():
                if int(status) >= 400 and list(answer["content"]) != ["application/problem+json"]:
                    lacking.append(f"{name}: {status} is told as {list(answer['content'])}")
    assert lacking == []


def test_the_document_is_there_without_a_token(house):
    assert house.client().get("/api/v1/openapi.json").json()["info"]["title"] == "labctl"


@pytest.fixture(scope="module")
def furnished(tmp_path_factory):
    house = conftest.House(tmp_path_factory.mktemp("contract"))
    house.open()
    house.settle()
    house.learner()
    house.secrets["door"] = house.wiring.tokens.create(ports.Token("door", "door"))
    yield house
    house.wiring.database.dispose()


def shown(house, role):
    """The headers of somebody in that role: by token, and where there are none, by session."""
    if role in {"author", "co-trainer"}:
        browser = test_roles.by_session(house, role)
        return {"Cookie": f"labctl={browser.cookies['labctl']}", "Origin": browser.origin, "Host": "localhost:8440"}
    secret = house.secrets.get("learner-monday-1" if role == "learner" else role)
    return {"Authorization": f"Bearer {secret}"} if secret else {}


@pytest.mark.parametrize("role", ["nobody", "trainer", "it", "learner", "author", "co-trainer", "door"])
def test_no_request_makes_the_api_fail_and_each_answer_is_as_told(furnished, role):
    headers = shown(furnished, role)
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", furnished.app)
    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

    for operation in schema.get_all_operations():
        api = operation.ok()
        if api.path.endswith("/events"):
            continue

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
        @api_given(api)
        def probe(case):
            case.call_and_validate(headers=headers, checks=checks)

        probe()


def api_given(operation):
    from hypothesis import given

    return given(case=operation.as_strategy())
