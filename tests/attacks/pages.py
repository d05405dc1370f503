"""At the pages and the API with somebody's session: requests that other sites cause, frames around our pages, and ids of others."""

from __future__ import annotations

import itertools
import random
import string

import requests
from fastapi.routing import APIRoute

from api import app
from labctl.model.passage import seat_of
from tests.api import test_roles
from tests.attacks import Tried, blueprint, rows
from tests.attacks.world import CLASS, SHORT, World

ORIGINS = ("http://evil.example", "null", None)
ANYBODYS = {"/csp-reports"}
"""What any page in the world may cause, and changes nothing: browsers send reports without saying whose page it was."""
_PARTS = {"slug": "slug", "number": "number", "environment": "environment"}


def _routes(world: World) -> list[tuple[str, str]]:
    """Every method and path that the app has, pages and API."""
    routers = [getattr(included, "original_router", None) for included in app.create(world.wired).routes]
    every = [route for router in routers if router is not None for route in router.routes if isinstance(route, APIRoute)]
    found = {(method, route.path) for route in every for method in route.methods}
    world.must(len(found) > 60, "FastAPI keeps included routes elsewhere now")
    return sorted(found, key=lambda one: (one[1], one[0]))


def _filled(path: str, **values: object) -> str:
    names = [name for _, name, _, _ in string.Formatter().parse(path) if name]
    rest = {"name": "hostile", "account": "1", "action": "reset", "code": "x", "token": "x", "file": "x", "path": "x"}
    return path.format(**{name.partition(":")[0]: values.get(name, rest.get(name, "x")) for name in names})


def _asked(browser: requests.Session, method: str, url: str, path: str, origin: str | None) -> requests.Response:
    body = test_roles.BODIES.get(path) if method not in {"GET", "DELETE"} else None
    how = {"json": body} if path.startswith("/api/") else {"data": {"text": "x", "language": "de"}}
    if method in {"GET", "DELETE"}:
        how = {}
    # A header of None is one that is not sent.
    answer = browser.request(method, url, headers={"Origin": origin}, allow_redirects=False, stream=True, timeout=30, **how)  # type: ignore[arg-type]
    if "event-stream" in answer.headers.get("content-type", ""):
        answer._content = b""  # it never ends by itself
    else:
        answer.content  # noqa: B018  (read while the connection is there)
    answer.close()
    return answer


def csrf(world: World) -> list[Tried]:
    """Row: CSRF. Every request that changes something, with the cookie of somebody who may do it, as another site's page would send it."""
    seat = world.seat("ada")
    mine = {"slug": seat.slug, "number": seat.number, "environment": seat.environment}
    world.must(
        world.session("ada").post(f"{world.url}/seat/{seat.environment}/code", timeout=30).status_code == 200, "a form of ours is refused"
    )
    done = []
    for method, path in _routes(world):
        if method in {"GET", "HEAD"} or path in ANYBODYS:
            continue
        answers = [
            (who, origin, _asked(world.session(who), method, world.url + _filled(path, **mine), path, origin).status_code)
            for who, origin in itertools.product(("ada", "trainer", "it"), ORIGINS)
        ]
        wrong = [f"{who} from {origin}: {status}" for who, origin, status in answers if status not in (401, 403)]
        done.append(Tried(rows.PAGES, f"another site's page sends {method} {path}", not wrong, note="; ".join(wrong)))
    return done


def frames(world: World) -> list[Tried]:
    """Row: clickjacking. Every page as its own visitor sees it, and pages of errors."""
    seat, done = world.seat("ada"), []
    mine = {"slug": seat.slug, "number": seat.number, "environment": seat.environment}
    looked = [path for method, path in _routes(world) if method == "GET" and not path.startswith("/api/") and not path.endswith("/events")]
    for path in [*looked, "/nothing-here", "/seat/nothing"]:
        pages = [_asked(world.session(who), "GET", world.url + _filled(path, **mine), path, None) for who in ("ada", "trainer", "it")]
        pages.append(_asked(world.stranger(), "GET", world.url + _filled(path, **mine), path, None))
        html = [page for page in pages if "text/html" in page.headers.get("content-type", "")]
        bare = [page for page in html if "frame-ancestors 'none'" not in page.headers.get("content-security-policy", "")]
        if html:
            note = f"{[page.status_code for page in bare]} without the header" if bare else ""
            done.append(Tried(rows.PAGES, f"a frame around {path}", not bare, note=note))
    return done


def ids(world: World) -> list[Tried]:
    """Row: IDOR. Every address that holds an id, with ids of others, by learners and by somebody who runs another class; and whether the
    answer tells that there is such a thing.
    """
    theirs = world.seat("grace")
    chance = random.Random(7)
    invented = {"slug": "nosuchclass", "number": theirs.number, "environment": _like(theirs.environment, chance)}
    victim = {"slug": CLASS, "number": theirs.number, "environment": theirs.environment}
    done = []
    for method, path in _routes(world):
        if not set(_PARTS) & {name for _, name, _, _ in string.Formatter().parse(path) if name}:
            continue
        wrong = []
        for who in ("mallory", "bert", "cotrainer"):
            of_whole_class = "{environment}" not in path and "{number}" not in path
            found = _asked(world.session(who), method, world.url + _filled(path, **victim), path, world.url)
            other = _asked(world.session(who), method, world.url + _filled(path, **invented), path, world.url)
            if found.status_code not in (401, 403, 404):
                wrong.append(f"{who}: {found.status_code} {found.text[:60]!r}")
            elif any(word in found.text for word in ("Grace", theirs.principal, theirs.address)):
                wrong.append(f"{who}: grace is named")
            elif not of_whole_class and _plain(found, victim) != _plain(other, invented):
                wrong.append(f"{who}: {found.status_code} for hers, {other.status_code} for none: {_plain(found, victim)[1][:80]!r}")
        done.append(Tried(rows.PAGES, f"ids of others in {method} {path}", not wrong, note="; ".join(wrong)))
    return [*done, *_spelled(world)]


def _like(environment: str, chance: random.Random) -> str:
    return "".join(chance.choice("abcdefghjk") for _ in environment)


def _plain(answer: requests.Response, ids_: dict[str, object]) -> tuple[int, str]:
    """Status and text, without the ids that were asked for and what is made anew for each page."""
    text = answer.text
    for value in (ids_["environment"], ids_["slug"]):
        text = text.replace(str(value), "ID")
    if "text/html" in answer.headers.get("content-type", ""):
        begin, end = text.find("<main"), text.find("</main>")
        text = text[begin:end]
    return answer.status_code, text


def _spelled(world: World) -> list[Tried]:
    """Ids of others written so that one part of the house may read them otherwise than another."""
    mine, theirs = world.seat("mallory"), world.seat("grace")
    assert seat_of(theirs.principal) == (theirs.slug, theirs.number)
    number = theirs.number
    odd = [
        f"0{number}",
        f"+{number}",
        f"%20{number}",
        f"{number}.0",
        f"{number}%00",
        f"{mine.number}/../{number}",
        f"{mine.number}%2f..%2f{number}",
    ]
    odd += [
        f"{mine.number};{number}",
        f"{mine.number},{number}",
        f"{mine.number}?number={number}",
        "%D9%A2",
        f"{number}e0",
        "-1",
        "0",
        str(2**64 + number),
    ]
    found = [("API", f"/api/v1/classrooms/{CLASS}/seats/{one}") for one in odd]
    envs = [
        theirs.environment.upper(),
        f"{theirs.environment}%00",
        f"%20{theirs.environment}",
        f"{mine.environment}/../{theirs.environment}",
    ]
    envs += [
        f"{mine.environment}%2f..%2f{theirs.environment}",
        f"{mine.environment}?environment={theirs.environment}",
        f"./{theirs.environment}",
    ]
    found += [("API", f"/api/v1/environments/{one}") for one in envs] + [("page", f"/seat/{one}") for one in envs]
    found += [
        ("API", f"/api/v1/classrooms/{CLASS.upper()}/seats/{number}"),
        ("API", f"/api/v1/classrooms/{SHORT}%2f..%2f{CLASS}/seats/{number}"),
    ]
    done = []
    for kind, path in found:
        # Sent as it is: the library would tidy dots and spaces away.
        request = requests.Request("GET", world.url).prepare()
        request.url = world.url + path
        browser = world.session("mallory")
        request.headers["Cookie"] = "; ".join(f"{one.name}={one.value}" for one in browser.cookies)
        answer = browser.send(request, allow_redirects=False, timeout=30)
        mentions = any(word in answer.text for word in ("Grace", theirs.principal, theirs.address))
        done.append(Tried(rows.PAGES, f"{kind}: {path}", not mentions, note=str(answer.status_code) if mentions else ""))
    return done


def script(world: World) -> list[Tried]:
    """Row: script in names, guide, hostnames, output: what the pages send. Whether a browser runs any of it: `browser`."""
    seat, done = world.seat("ada"), []
    text = {"text": blueprint.SCRIPT, "page": "1"}
    world.session("ada").post(f"{world.url}/seat/{seat.environment}/help", data=text, timeout=30)
    world.session("trainer").post(f"{world.url}/class/{CLASS}/message", data=text, timeout=30)
    world.session("trainer").post(f"{world.url}/class/{CLASS}/seat/1/note", data=text, timeout=30)
    for who, path in (
        ("ada", f"/seat/{seat.environment}"),
        ("trainer", f"/class/{CLASS}"),
        ("trainer", f"/class/{CLASS}/seat/1"),
        ("trainer", f"/class/{CLASS}/journal"),
        ("trainer", f"/class/{CLASS}/wall"),
        ("trainer", "/blueprints/hostile"),
        ("it", "/it"),
        ("ada", f"/join/{requests.utils.quote(blueprint.SCRIPT)}"),
        ("ada", f"/seat/{requests.utils.quote(blueprint.SCRIPT, safe='')}"),
    ):
        answer = world.session(who).get(world.url + path, timeout=30)
        world.must(answer.status_code < 500, f"{path} fails")
        page = answer.text.lower()
        inside = any(piece in page for piece in ("<script>document", "<img src=x", "<svg onload", 'href="javascript:', 'href="data:text'))
        policy = answer.headers.get("content-security-policy", "")
        page_at_all = "text/html" in answer.headers.get("content-type", "")
        strict = not page_at_all or ("script-src 'self'" in policy and "unsafe" not in policy)
        done.append(
            Tried(rows.TERMINAL_SCRIPT, f"markup in what {who} sees at {path[:40]}", not inside and strict, note=str(answer.status_code))
        )
    return done
