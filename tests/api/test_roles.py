"""Who may do what: one table, walked through for every role; and that no route was forgotten in it."""

from __future__ import annotations

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from api import sessions, who
from labctl.model.people import Role
from tests.api.browser import Browser

# method, path template -> what each of COLUMNS gets of class `monday`, its seat 1 (another's: seat 2), and what is in it.
TABLE = {
    ("GET", "/api/v1/health"): (200, 200, 200, 200, None, 200, 200, 200),
    ("GET", "/api/v1/me"): (401, 200, 200, 200, None, 200, 200, 200),
    ("GET", "/api/v1/tokens"): (401, 403, 200, 403, None, 403, 403, 403),
    ("POST", "/api/v1/tokens"): (401, 403, 201, 403, None, 403, 403, 403),
    ("DELETE", "/api/v1/tokens/{name}"): (401, 403, 404, 403, None, 403, 403, 403),
    ("GET", "/api/v1/blueprints"): (401, 200, 200, 403, None, 200, 403, 403),
    ("GET", "/api/v1/blueprints/{name}"): (401, 200, 200, 403, None, 200, 403, 403),
    ("GET", "/api/v1/blueprints/{name}/plan"): (401, 200, 200, 403, None, 200, 403, 403),
    ("POST", "/api/v1/blueprints/{name}/bake"): (401, 409, 409, 403, None, 409, 403, 403),
    ("GET", "/api/v1/goldens"): (401, 200, 200, 403, None, 200, 403, 403),
    ("DELETE", "/api/v1/goldens/{name}"): (401, 404, 404, 403, None, 404, 403, 403),
    ("GET", "/api/v1/status"): (401, 200, 200, 403, None, 403, 403, 403),
    ("GET", "/api/v1/classrooms"): (401, 200, 200, 403, None, 403, 200, 200),
    ("POST", "/api/v1/classrooms"): (401, 409, 409, 403, None, 403, 403, 403),
    ("POST", "/api/v1/classrooms/fit"): (401, 200, 200, 403, None, 403, 403, 403),
    ("GET", "/api/v1/classrooms/{slug}"): (401, 200, 200, 403, 403, 403, 200, 403),
    ("POST", "/api/v1/classrooms/{slug}/extend"): (401, 400, 400, 403, 403, 403, 400, 403),
    ("POST", "/api/v1/classrooms/{slug}/close"): (401, 202, 202, 403, 403, 403, 202, 403),
    ("GET", "/api/v1/classrooms/{slug}/journal"): (401, 200, 200, 403, 403, 403, 200, 403),
    ("GET", "/api/v1/classrooms/{slug}/events"): (401, None, None, 403, 403, None, None, None),
    ("GET", "/api/v1/classrooms/{slug}/seats"): (401, 200, 200, 403, 403, 403, 200, 403),
    ("GET", "/api/v1/classrooms/{slug}/seats/{number}"): (401, 200, 200, 200, 404, 404, 200, 404),
    ("POST", "/api/v1/classrooms/{slug}/seats/{number}/reset"): (401, 202, 202, 202, 404, 404, 202, 404),
    # Reset comes before (by name), so that there is something to undo; nobody has a spare.
    ("POST", "/api/v1/classrooms/{slug}/seats/{number}/undo"): (401, 202, 202, 202, 404, 404, 202, 404),
    ("POST", "/api/v1/classrooms/{slug}/seats/{number}/swap"): (401, 409, 409, 403, 403, 403, 409, 403),
    ("GET", "/api/v1/classrooms/{slug}/seats/{number}/tasks"): (401, 200, 200, 200, 404, 404, 200, 404),
    ("GET", "/api/v1/classrooms/{slug}/seats/{number}/tasks/{task}"): (401, 200, 200, 200, 404, 404, 200, 404),
    # Tried on the task whose proof is a check; to answer it is wrong for its learner, and not for anybody else to try.
    ("POST", "/api/v1/classrooms/{slug}/seats/{number}/tasks/{task}/answer"): (401, 403, 403, 400, 404, 404, 403, 404),
    ("POST", "/api/v1/classrooms/{slug}/seats/{number}/tasks/{task}/check"): (401, 200, 200, 200, 404, 404, 200, 404),
    ("POST", "/api/v1/classrooms/{slug}/seats/{number}/tasks/{task}/confirm"): (401, 403, 403, 400, 404, 404, 403, 404),
    ("POST", "/api/v1/classrooms/{slug}/seats/{number}/tasks/{task}/give-up"): (401, 403, 403, 200, 404, 404, 403, 404),
    ("POST", "/api/v1/classrooms/{slug}/seats/{number}/tasks/{task}/hint"): (401, 403, 403, 400, 404, 404, 403, 404),
    ("POST", "/api/v1/classrooms/{slug}/seats/{number}/bundle"): (401, 200, 200, 200, 404, 404, 200, 404),
    ("POST", "/api/v1/classrooms/{slug}/seats/{number}/code"): (401, 201, 201, 201, 404, 404, 201, 404),
    ("POST", "/api/v1/classrooms/{slug}/seats/{number}/tickets"): (401, 201, 201, 201, 404, 404, 201, 404),
    ("GET", "/api/v1/accounts"): (401, 403, 200, 403, None, 403, 403, 403),
    ("POST", "/api/v1/accounts"): (401, 403, 201, 403, None, 403, 403, 403),
    ("POST", "/api/v1/accounts/{account}/link"): (401, 403, 404, 403, None, 403, 403, 403),
    ("POST", "/api/v1/accounts/{account}/sign-out"): (401, 403, 200, 403, None, 403, 403, 403),
    ("PUT", "/api/v1/accounts/{account}/roles"): (401, 403, 404, 403, None, 403, 403, 403),
    ("DELETE", "/api/v1/accounts/{account}"): (401, 403, 404, 403, None, 403, 403, 403),
    ("POST", "/api/v1/classrooms/{slug}/invitations"): (401, 201, 201, 403, 403, 403, 403, 403),
    ("POST", "/api/v1/classrooms/{slug}/join-code"): (401, 201, 201, 403, 403, 403, 201, 403),
    ("POST", "/api/v1/classrooms/{slug}/seats/{number}/link"): (401, 201, 201, 201, 404, 404, 201, 404),
    ("POST", "/api/v1/classrooms/{slug}/seats/{number}/free"): (401, 200, 200, 403, 403, 403, 200, 403),
    ("POST", "/api/v1/door/way"): (401, 403, 403, 403, None, 403, 403, 403),
    ("POST", "/api/v1/door/redeem"): (401, 403, 403, 403, None, 403, 403, 403),
    ("POST", "/api/v1/door/certificate"): (401, 403, 403, 403, None, 403, 403, 403),
    ("POST", "/api/v1/door/still"): (401, 403, 403, 403, None, 403, 403, 403),
    ("POST", "/api/v1/classrooms/{slug}/seats/{number}/apps/{app}/enter"): (401, 404, 404, 404, 404, 404, 404, 404),
    ("POST", "/api/v1/apps/enter"): (401, 403, 403, 403, None, 403, 403, 403),
    ("POST", "/api/v1/apps/visit"): (401, 403, 403, 403, None, 403, 403, 403),
    ("POST", "/api/v1/apps/certificate"): (401, 403, 403, 403, None, 403, 403, 403),
    ("POST", "/api/v1/apps/still"): (401, 403, 403, 403, None, 403, 403, 403),
    ("GET", "/api/v1/environments"): (401, 200, 200, 403, None, 403, 403, 403),
    ("GET", "/api/v1/environments/{environment}"): (401, 200, 200, 200, 404, 404, 200, 404),
    ("GET", "/api/v1/environments/{environment}/journal"): (401, 200, 200, 200, 404, 404, 200, 404),
}
BODIES = {
    "/api/v1/accounts": {"email": "eva@example.org", "roles": ["trainer"]},
    "/api/v1/accounts/{account}/roles": {"roles": ["author"]},
    "/api/v1/classrooms/{slug}/invitations": {"email": "otto@example.com"},
    "/api/v1/tokens": {"name": "new", "role": "trainer"},
    "/api/v1/classrooms": {"blueprint": "hello", "name": "monday", "roster": "name,email\nAda,ada@example.org\n"},
    "/api/v1/classrooms/fit": {"blueprint": "hello", "seats": 3},
    "/api/v1/classrooms/{slug}/seats/{number}/swap": {},
    "/api/v1/classrooms/{slug}/seats/{number}/tickets": {"machine": "box"},
    "/api/v1/classrooms/{slug}/seats/{number}/tasks/{task}/answer": {"answer": "lighthouse"},
    "/api/v1/classrooms/{slug}/seats/{number}/tasks/{task}/hint": {"number": 1},
    "/api/v1/door/way": {"principal": "seat-monday-1-aaaaaaaaaa"},
    "/api/v1/door/redeem": {"code": "aaaaaaaa", "login": "ada"},
    "/api/v1/door/certificate": {"principal": "seat-monday-1-aaaaaaaaaa", "public_key": "ssh-ed25519 AAAA"},
    "/api/v1/door/still": {"principals": []},
    "/api/v1/apps/enter": {"host": "box-shop--aaaaaaaaaaaa", "ticket": "x"},
    "/api/v1/apps/visit": {"host": "box-shop--aaaaaaaaaaaa", "secret": "x"},
    "/api/v1/apps/certificate": {"visit": "1", "public_key": "ssh-ed25519 AAAA"},
    "/api/v1/apps/still": {"visits": []},
    "/api/v1/classrooms/{slug}/extend": {"until": "2030-03-04T12:30:00+00:00"},
}


def routes(app, *, pages=False):
    every = [route for included in app.routes for route in getattr(included, "original_router", APIRouter()).routes]
    assert len(every) >= 20, "FastAPI keeps included routes elsewhere now; this test would look at nothing"
    found = {(method, route.path): route for route in every if isinstance(route, APIRoute) for method in route.methods}
    mine = {key: route for key, route in found.items() if not route.endpoint.__module__.startswith("api.pages.")}
    return {key: route for key, route in mine.items() if key[1].startswith("/api/") is not pages}


def test_every_route_stands_in_the_table(house):
    listed = {(method.upper(), path) for path, methods in house.app.openapi()["paths"].items() for method in methods}
    assert listed == set(routes(house.app)) == set(TABLE)


def asks(dependant):
    return isinstance(dependant.call, who.May) or any(asks(one) for one in dependant.dependencies)


def test_no_route_but_health_is_without_the_dependency_that_checks_the_role(house):
    assert [path for (_, path), route in routes(house.app).items() if not asks(route.dependant)] == ["/api/v1/health"]


# Pages that anybody may open: how else would anybody come in?
OPEN_PAGES = {"/sign-in", "/sign-in/provider", "/sign-in/back", "/join", "/join/{code}", "/invitation/{token}"}


def test_every_other_page_checks_the_role_or_at_least_whose_page_sent_the_form(house):
    def own(dependant):
        return dependant.call is sessions.refuse_other_pages or any(own(one) for one in dependant.dependencies)

    found = routes(house.app, pages=True).items()
    assert {path for (method, path), route in found if method == "GET" and not asks(route.dependant)} == OPEN_PAGES
    assert [path for (method, path), route in found if method != "GET" and not asks(route.dependant) and not own(route.dependant)] == []


COLUMNS = ["nobody", "trainer", "it", "learner", "learner of another seat", "author", "co-trainer", "co-trainer of another class"]


def by_token(house, column):
    if column.startswith("learner"):
        return house.learner(seat=1)
    return house.client(None if column == "nobody" else column)


def by_session(house, column):
    made = Browser(house.app)
    inviting = house.wiring.inviting
    if column.startswith("learner"):
        answer = made.form("/join", code=inviting.class_code("monday", who="eva"), who="ada")
    elif column.startswith("co-trainer"):
        secret, _ = inviting.to_class("tuesday" if column.endswith("class") else "monday", "Otto", "otto@example.com", who="eva")
        answer = made.form(f"/invitation/{secret}", password="correct horse battery staple")
    else:
        secret, _ = inviting.person("Eva", "me@example.org", [Role(column)], who="it")
        answer = made.form(f"/invitation/{secret}", password="correct horse battery staple")
    assert answer.status_code == 303
    made.headers["Origin"] = made.origin
    return made


WAYS = [(by_token, column) for column in COLUMNS[:5]] + [(by_session, column) for column in COLUMNS[1:]]


@pytest.mark.parametrize(("way", "column"), WAYS, ids=[f"{column} {way.__name__}" for way, column in WAYS])
def test_each_role_gets_what_the_table_says(house, way, column):
    house.open()
    house.open("tuesday")
    house.settle()
    client, place = way(house, column), COLUMNS.index(column)
    seats = house.client("trainer").get("/api/v1/classrooms/monday/seats").json()
    seat = seats[1] if column == "learner of another seat" else seats[0]
    wrong = []
    # Closing comes last, for nothing can be reset after it.
    for (method, path), row in sorted(TABLE.items(), key=lambda item: item[0][1].endswith("/close")):
        if row[place] is None:
            continue
        house.settle()
        name = "hello" if "blueprints" in path else "nobody"
        address = path.format(
            slug="monday",
            number=seat["number"],
            environment=seat["environment"],
            name=name,
            app="shop",
            account="nobody",
            task="file",
        )
        answer = client.request(method, address, json=BODIES.get(path) if method in {"POST", "PUT"} else None)
        if answer.status_code != row[place]:
            wrong.append(f"{method} {address}: {answer.status_code} for {row[place]}: {answer.text[:200]}")
        if answer.status_code >= 400 and answer.headers["content-type"] != "application/problem+json":
            wrong.append(f"{method} {address}: no problem document")
    assert wrong == []


def test_a_learner_is_told_the_same_of_another_seat_as_of_one_that_is_not_there(house):
    house.open()
    learner = house.learner(seat=1)
    other = learner.get("/api/v1/classrooms/monday/seats/2").json()["detail"]
    missing = learner.get("/api/v1/classrooms/monday/seats/9").json()["detail"]
    nowhere = learner.get("/api/v1/classrooms/tuesday/seats/2").json()["detail"]
    assert other.replace("2", "9", 1) == missing
    assert nowhere == other.replace("monday", "tuesday")


@pytest.mark.parametrize("path", ["environments/{}", "environments/{}/journal"])
def test_a_learner_is_told_the_same_of_anothers_environment_as_of_one_that_is_not_there(house, path):
    house.open()
    other = house.wiring.desk.seat("monday", 2)[1].id
    learner = house.learner(seat=1)
    texts = [learner.get("/api/v1/" + path.format(one)).text.replace(one, "X") for one in (other, "zzzzzzzzzz")]
    assert texts[0] == texts[1]


def test_a_learner_finds_their_seat(house):
    house.open()
    assert house.learner(seat=2).get("/api/v1/me").json() == {
        "name": "learner-monday-2",
        "role": "learner",
        "classroom": "monday",
        "seat": 2,
    }


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer ", "Basic dXNlcjpwYXNz", "bearer labctl_x", ""])
def test_a_wrong_token_is_refused_and_told_how_to_get_one(house, header):
    answer = house.client().get("/api/v1/classrooms", headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "labctl token create" in answer.json()["hint"]


def test_a_token_is_shown_once_works_until_it_ends_and_not_after_it_was_revoked(house):
    it = house.client("it")
    made = it.post("/api/v1/tokens", json={"name": "eva", "role": "trainer", "expires": "2030-03-04T13:00:00+00:00"}).json()
    eva = {"Authorization": f"Bearer {made['secret']}"}
    assert house.client().get("/api/v1/me", headers=eva).json()["name"] == "eva"
    assert made["secret"] not in it.get("/api/v1/tokens").text
    house.pass_(hours=2)
    assert house.client().get("/api/v1/me", headers=eva).status_code == 401
    ops = it.post("/api/v1/tokens", json={"name": "ops", "role": "it"}).json()["secret"]
    assert it.delete("/api/v1/tokens/ops").status_code == 204
    assert house.client().get("/api/v1/me", headers={"Authorization": f"Bearer {ops}"}).status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "ada", "role": "learner"}, 400),
        ({"name": "ada", "role": "learner", "classroom": "monday", "seat": 9}, 404),
        ({"name": "eva", "role": "trainer", "classroom": "monday", "seat": 1}, 400),
        ({"name": "eva", "role": "king"}, 422),
        ({"name": "trainer", "role": "trainer"}, 409),
        ({"name": "Eva Maria", "role": "trainer"}, 422),
    ],
)
def test_tokens_that_make_no_sense_are_refused(house, body, status):
    house.open()
    assert house.client("it").post("/api/v1/tokens", json=body).status_code == status
