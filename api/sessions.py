"""Sessions in browsers: the cookie, whose page a request comes from, and where from. What a session means is `labctl.signing_in`."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from labctl import errors, signing_in, wiring
from labctl.model import crowd

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing, which another site's page may cause."""

REMEMBERED = "labctl-signing-in"
"""The cookie that holds the secret of what is remembered between two requests of one sign-in."""

KNOWN_FOR = timedelta(days=180)
"""How long a browser is known in which somebody signed in (`SigningIn.knows`)."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def house(connection: HTTPConnection) -> wiring.Wiring:
    """What the app was created with."""
    wired = connection.app.state.wiring
    assert isinstance(wired, wiring.Wiring)
    return wired


def origin(connection: HTTPConnection) -> str:
    """The origin of labctl's own pages as this browser sees them ("https://labs.example.org"). Without the setting `url` only browsers on
    this machine count, under whichever name of it they use; "" for all others.
    """
    chosen = house(connection).settings
    if chosen.url:
        return chosen.url
    host = connection.headers.get("host", "")
    try:
        name = urlsplit(f"http://{host}").hostname
    except ValueError:
        return ""
    return f"http://{host}" if name in _LOOPBACK | {chosen.api_host} else ""


def refuse_other_pages(connection: HTTPConnection) -> None:
    """Raise Forbidden unless the request was made by a page of labctl's own. Browsers name the page's origin with every request that
    changes something and with every WebSocket, and scripts cannot choose it.
    """
    own = origin(connection)
    if not own:
        raise errors.Forbidden("labctl's pages are not for this address.", hint="IT sets `url` to the address that browsers use.")
    if connection.headers.get("origin") != own:
        raise errors.Forbidden("that request did not come from a page of labctl's own.", hint="Go back to the page, reload it, try again.")


def secret(connection: HTTPConnection) -> str | None:
    """The session's, where the browser has one."""
    return connection.cookies.get(_name(connection))


def begin(connection: HTTPConnection, response: Response, entry: signing_in.Entry) -> None:
    """Give the browser a session, and end the one it had."""
    wired = house(connection)
    if before := secret(connection):
        wired.signing_in.sessions.end_session(before)
    agent = "".join(sign for sign in connection.headers.get("user-agent", "")[:200] if sign.isprintable())
    wired.signing_in.sessions.name_session(entry.secret, agent)
    seconds = int((entry.until - wired.clock.now()).total_seconds())
    response.set_cookie(
        _name(connection), entry.secret, max_age=seconds, path="/", httponly=True, samesite="lax", secure=_secure(connection)
    )
    know(connection, response, entry.browser)


def know(connection: HTTPConnection, response: Response, browser: str) -> None:
    """Have this browser show from now on that an account's owner signed in here, also after they signed out."""
    if browser:
        seconds = int(KNOWN_FOR.total_seconds())
        secure = _secure(connection)
        response.set_cookie(_known_name(connection), browser, max_age=seconds, path="/", httponly=True, samesite="lax", secure=secure)


def known(connection: HTTPConnection) -> str:
    """What `know` gave it, or nothing."""
    return connection.cookies.get(_known_name(connection), "")


def end(connection: HTTPConnection, response: Response) -> None:
    """Sign this browser out."""
    if before := secret(connection):
        house(connection).signing_in.sessions.end_session(before)
    response.delete_cookie(_name(connection), path="/", httponly=True, samesite="lax", secure=_secure(connection))


def remember(connection: HTTPConnection, response: Response, kept: str) -> None:
    """Keep the secret of a sign-in that goes on with the next request."""
    seconds = int(signing_in.CEREMONY.total_seconds())
    # Lax: it must come along when the identity provider sends the browser back.
    response.set_cookie(REMEMBERED, kept, max_age=seconds, path="/", httponly=True, samesite="lax", secure=_secure(connection))


def remembered(connection: HTTPConnection) -> str:
    """What `remember` kept, or nothing."""
    return connection.cookies.get(REMEMBERED, "")


def address(connection: HTTPConnection) -> str:
    """Where somebody comes from, as tries are counted and turns are taken."""
    return crowd.address(connection.client.host if connection.client else "")


def _secure(connection: HTTPConnection) -> bool:
    return house(connection).settings.url.startswith("https://")


def _name(connection: HTTPConnection) -> str:
    # The prefix makes browsers refuse the cookie from other hosts and from plain HTTP, so no lab's web page can plant one.
    return "__Host-labctl" if _secure(connection) else "labctl"


def _known_name(connection: HTTPConnection) -> str:
    return f"{_name(connection)}-known"
