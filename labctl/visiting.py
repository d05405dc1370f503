"""Who may look at which web app of which seat (`access.md` 5). Bytes are moved by `labctl.apps`, not here.

Whoever may see a seat asks for a ticket on labctl's page and shows it once, within a minute, at the app's own host name; from then on a
cookie of that host says who they are there. Both are good for one app of one seat, and for as long as the seat may be entered and its
visitor is known: whoever signs out is out there too.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from labctl import entering as entering_
from labctl import errors, ports
from labctl.model import passage, people, web_apps
from labctl.model.plan import PlannedApp

_CLOSED = "that app cannot be opened now"
_LIFE = timedelta(minutes=10)
"""Of a certificate: for one login of the proxy."""


@dataclass(frozen=True)
class Visiting:
    """See the module. `site` is where apps have their addresses; empty where they have none, and then nothing here lets anybody in."""

    entering: entering_.Entering
    passes: ports.Passes
    known: Callable[[Collection[str]], Mapping[str, people.Person]]
    """Proofs -> who these are now (`labctl.knowing`)."""
    site: str

    def apps(self, environment: str) -> tuple[PlannedApp, ...]:
        """Of that environment, each with its address as it is now. Raises NotFound where the plan is gone."""
        plan = self.entering.desk.environments.plan(environment)
        if not self.site:
            return plan.apps
        return tuple(app.model_copy(update={"url": self._origin(plan.principal, app) + app.path}) for app in plan.apps)

    def _origin(self, principal: str, app: PlannedApp) -> str:
        return web_apps.address(self.site, web_apps.label(principal, app.machine, app.name))

    def enter(self, slug: str, number: int, name: str, *, who: str, proof: str) -> str:
        """Where the browser goes. Whose seat it is was asked before. Raises NotFound (no such app), Conflict (the seat cannot be entered,
        or apps have no addresses here).
        """
        if not self.site:
            raise errors.Conflict(
                "web apps have no addresses of their own on this labctl.",
                hint="Use ssh -L, as the seat's page shows; IT sets `apps_domain`.",
            )
        way = self.entering.way_of(slug, number)
        app = self._app(way, name)
        if app is None:
            raise errors.NotFound(f"seat {number} of class '{slug}' has no web app '{name}'.", hint="The seat's page has those it has.")
        label = web_apps.label(way.principal, app.machine, app.name)
        until = min(self.entering.desk.clock.now() + web_apps.TICKET_LIFE, way.until)
        secret = secrets.token_urlsafe(32)
        self.passes.keep_pass(secret, web_apps.Pass(label, way.principal, way.environment, app.name, who, until, proof), ticket=True)
        return f"{web_apps.address(self.site, label)}/.labctl/enter?t={quote(secret)}"

    def admit(self, host: str, ticket: str) -> tuple[str, web_apps.Visit]:
        """Use a ticket up at that host (its label): a cookie's secret, and what it opens. Raises Unauthenticated, Forbidden."""
        found = self.passes.use_pass_ticket(ticket)
        if found is None or found.host != host:
            raise errors.Unauthenticated("that ticket is not good (any more)")
        way = self._way(found)
        secret = secrets.token_urlsafe(32)
        made = web_apps.Pass(host, found.principal, found.environment, found.app, found.who, way.until, found.proof)
        id_ = self.passes.keep_pass(secret, made, ticket=False)
        self.entering.desk.journal.write(way.environment, "enter", f"opened the web app {found.app}", found.who)
        return secret, self._visit(id_, made, way)

    def visit(self, host: str, secret: str) -> web_apps.Visit:
        """What a cookie opens at that host. Raises NotFound (nobody ever came to such a host), Unauthenticated, Forbidden."""
        found = self.passes.pass_of(secret, host) if secret else None
        if found is None:
            if not self.passes.is_host(host):
                raise errors.NotFound("there is no such app.")
            raise errors.Unauthenticated(_CLOSED)
        id_, kept = found
        return self._visit(id_, kept, self._way(kept))

    def certify(self, id_: str, public_key: str) -> str:
        """For the proxy's own key of the moment: a certificate that carries channels and opens no shell. Raises Forbidden, BadInput."""
        kept = self.passes.passes([id_]).get(id_)
        if kept is None or id_ not in self.still([id_]):
            raise errors.Forbidden(_CLOSED)
        way = self._way(kept)
        until = self.entering.desk.clock.now() + _LIFE
        return self.entering.keys.certify(public_key, f"app {kept.app} of {way.login}", way.principal, until, shell=False)

    def still(self, ids: Collection[str]) -> frozenset[str]:
        """Which of these visits may go on."""
        kept = self.passes.passes(ids)
        alive = self.entering.still(sorted({one.principal for one in kept.values()}))
        known = self.known({one.proof for one in kept.values()})
        return frozenset(
            id_ for id_, one in kept.items() if f"{one.principal} {one.environment}" in alive and _theirs(known.get(one.proof), one)
        )

    def _way(self, kept: web_apps.Pass) -> passage.Way:
        """As it is now. Raises Forbidden, Unauthenticated."""
        way = self.entering.way(kept.principal)
        if way.environment != kept.environment:
            raise errors.Forbidden(_CLOSED)
        if not _theirs(self.known([kept.proof]).get(kept.proof), kept):
            raise errors.Unauthenticated(_CLOSED)
        return way

    def _visit(self, id_: str, kept: web_apps.Pass, way: passage.Way) -> web_apps.Visit:
        app = self._app(way, kept.app)
        target = self.entering.machine(way, app.machine) if app else None
        if app is None or target is None:
            raise errors.Forbidden(_CLOSED)
        return web_apps.Visit(
            id_, kept.host, way.principal, way.environment, kept.until, target, app.port, scheme=app.scheme, path=app.path
        )

    def _app(self, way: passage.Way, name: str) -> PlannedApp | None:
        plan = self.entering.desk.environments.plan(way.environment)
        return next((app for app in plan.apps if app.name == name), None)


def _theirs(person: people.Person | None, kept: web_apps.Pass) -> bool:
    """Whether somebody with these rights may still be where that pass led."""
    named = passage.seat_of(kept.principal)
    if person is None or named is None:
        return False
    return person.owns(kept.environment) or person.may(people.Right.ENTER_SEATS, named[0])
