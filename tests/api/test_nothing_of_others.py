"""Whatever a learner asks for, by API and pages, no answer says anything of another seat: no name, no address, no id, nothing written."""

from __future__ import annotations

import re

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api import conftest, test_roles
from tests.api.browser import Browser

SECRETS = ["hand-of-grace-7d1", "note-on-grace-7d2", "note-on-ada-7d3"]
"""What Grace wrote with her raised hand, and what trainers noted, of Ada too."""


@pytest.fixture(scope="module")
def furnished(tmp_path_factory):
    house = conftest.House(tmp_path_factory.mktemp("others"))
    house.open()
    house.open("tuesday")
    house.settle()
    helping = house.wiring.helping
    helping.raise_hand("monday", 2, SECRETS[0], who="grace")
    helping.note("monday", 2, SECRETS[1], who="eva")
    helping.note("monday", 1, SECRETS[2], who="eva")
    yield house
    house.wiring.database.dispose()


def of_others(house):
    """Words that only Grace's seat, or the other class, has."""
    found = {"grace", "grace@example.org", *SECRETS}
    for slug, seats in (("monday", (2,)), ("tuesday", (1, 2))):
        for number in seats:
            _, env = house.wiring.desk.seat(slug, number)
            found |= {env.id, house.wiring.environments.plan(env.id).principal}
            found |= {text for machine in env.facts.machines for text in (machine.address, machine.mac) if text}
    return found


def told(text, forbidden, said=""):
    """Which of these words stand in it that the asker did not write."""
    lowered, asked = text.lower(), said.lower()
    return [
        word for word in forbidden if word.lower() not in asked and re.search(rf"(?<![\w.]){re.escape(word.lower())}(?![\w.])", lowered)
    ]


def _answered(answer):
    """No fault: what is too busy says when to come again, as sign-in does while passwords are being looked at."""
    return answer.status_code < 500 or (answer.status_code == 503 and "retry-after" in answer.headers)


def routes(app):
    """Every address with its method but streams, which never end."""
    every = [route for included in app.routes for route in getattr(included, "original_router", APIRouter()).routes]
    found = [(method, route.path) for route in every if isinstance(route, APIRoute) for method in route.methods]
    assert len(found) > 60, "FastAPI keeps included routes elsewhere now; this test would look at nothing"
    return sorted((method, path) for method, path in found if not path.endswith("/events") and method != "HEAD")


def questions(house):
    """(method, address, what is sent): each address with names that are there, the asker's own and others'."""
    ids = [house.wiring.desk.seat(slug, number)[1].id for slug in ("monday", "tuesday") for number in (1, 2)]
    names = {
        "slug": ["monday", "tuesday", "nowhere"],
        "number": ["1", "2", "3"],
        "environment": [*ids, "zzzzzzzzzz"],
        "name": ["hello", "trainer", "learner-monday-2"],
    }
    rest = ["monday", "reset", "1", "2", *ids, "grace"]
    query = st.sampled_from(["", "?page=2", "?closed=true", "?after=0&limit=1000", "?gone=true", "?sort=need", "?said=reset"])

    def filled(method, path):
        holes = re.findall(r"{(\w+)(?::\w+)?}", path)
        words = st.tuples(*(st.sampled_from(names.get(hole, rest)) for hole in holes))
        address = words.map(lambda chosen: re.sub(r"{[^}]+}", "%s", path) % chosen)
        body = test_roles.BODIES.get(path, {"page": 1, "text": "help", "machine": "box", "language": "en", "back": "/"})
        return st.tuples(st.just(method), st.builds(str.__add__, address, query), st.just(body))

    return st.sampled_from(routes(house.app)).flatmap(lambda route: filled(*route))


@pytest.mark.parametrize("way", [test_roles.by_token, test_roles.by_session])
def test_no_answer_to_a_learner_says_anything_of_another_seat(furnished, way):
    asker, forbidden = way(furnished, "learner"), of_others(furnished)
    seen = set()

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
    @given(question=questions(furnished))
    def probe(question):
        method, address, body = question
        if address.startswith("/sign-out"):
            return
        sent = {"data": body} if not address.startswith("/api/") else {"json": body}
        answer = asker.request(method, address, **(sent if method == "POST" else {}))
        assert _answered(answer), (method, address, answer.text[:400])
        seen.add(answer.status_code)
        # What they wrote themselves may come back in a refusal.
        assert told(f"{answer.text} {answer.headers}", forbidden, f"{address} {body}") == [], (method, address, answer.status_code)

    probe()
    assert {200, 404} <= seen


def test_the_same_search_finds_something_where_a_trainer_asks(furnished):
    trainer, forbidden = furnished.client("trainer"), of_others(furnished)
    found = [
        word for address in ("/api/v1/classrooms/monday", "/class/monday/seat/2") for word in told(trainer.get(address).text, forbidden)
    ]
    assert {"grace", "note-on-grace-7d2"} <= set(found)


def test_a_browser_of_nobody_is_told_nothing(furnished):
    nobody, forbidden = Browser(furnished.app), of_others(furnished)
    for method, path in routes(furnished.app):
        address = re.sub(r"{[^}]+}", "monday", path.replace("{number}", "2"))
        answer = nobody.request(method, address, headers={"Origin": nobody.origin})
        assert _answered(answer), (method, address)
        assert told(answer.text, forbidden, address) == [], (method, address)
