"""How somebody signs in: by password, passkey or identity provider. Who a session is says `labctl.knowing`, what they may `model.people`.

Tries are counted by account, in the store, so that all API processes count together; how fast passwords are looked at is the API's
(`api.turns`). Nothing that is said to somebody who is not let in tells whether there is such an account. Links and class codes are
`labctl.inviting`.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from labctl import errors, people_ports, ports
from labctl.model import people

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 1000
FEWEST_SIGNS = 5
"""Different ones in a password: "aaaaaaaaaaaa" is long, too."""

COUNTED = timedelta(minutes=15)
"""How long a failed try counts."""

MOST_HERE = 5
"""Failed tries for one account from one address, and as many from each browser in which its owner signed in before: what others try
does not count there. An address is never refused for what was tried from it at other accounts, for a class sits behind one.
"""

MOST_FOR_ONE, MOST_IN_ALL = 50, 500
"""Failed tries for one account from all addresses, other browsers than its owner's. Beyond the first number each address has one try, so
an owner who comes from elsewhere with a browser that is new has it, too; beyond the second there is none.

One address guesses 480 passwords a day of one account, ten of them 4,800, and whoever has thousands of addresses 48,000: of passwords of
twelve signs and more.
"""

LONGEST_BROWSER = 200

CEREMONY = timedelta(minutes=10)
"""How long somebody may take at their authenticator or identity provider."""

AUDIT = "people"
"""In whose name the journal's lines about people stand: they belong to no environment."""


@dataclass(frozen=True)
class Rules:
    """Settings of signing in. `roles`: what each group of the identity provider gives."""

    longest: timedelta = timedelta(days=7)
    idle: timedelta = timedelta(hours=12)
    roles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    trust_email: bool = False


@dataclass(frozen=True)
class Entry:
    """A session that begins: its secret (for the cookie, nowhere else), until when, and where its owner goes first."""

    secret: str = field(repr=False)
    until: datetime
    home: str = "/"
    browser: str = field(default="", repr=False)
    """For another cookie: by it labctl knows this browser again when somebody signs in to the same account (`SigningIn.knows`)."""


@dataclass(frozen=True)
class SigningIn:
    """See the module. `provider` is None where there is no identity provider."""

    accounts: people_ports.Accounts
    credentials: people_ports.Credentials
    sessions: people_ports.Sessions
    ceremonies: people_ports.Ceremonies
    passwords: people_ports.Passwords
    authenticator: people_ports.Authenticator
    provider: Callable[[], people_ports.IdentityProvider | None]
    journal: ports.Journal
    clock: ports.Clock
    rules: Rules = field(default_factory=Rules)

    def by_password(self, email: str, password: str, address: str, browser: str = "") -> Entry:
        """`browser`: what `Entry.browser` was when somebody signed in there. Raises Forbidden, Busy after too many tries."""
        email = email.strip().lower()
        account = self.accounts.account(email=email) if email else None
        if account is not None and self.knows(browser) == account.id:
            steps = [{f"browser {browser}": MOST_HERE}]
        else:
            here, all_ = f"{email} {address}", f"account {email}"
            steps = [{here: MOST_HERE, all_: MOST_FOR_ONE}, {here: 1, all_: MOST_IN_ALL}]
        with self._tried(steps):
            digest = self.credentials.password(account.id) if account else None
            right = self.passwords.verify(password[:LONGEST_PASSWORD], digest)
            if account is None or account.closed is not None or not right:
                raise errors.Forbidden("that address and password do not belong together.", hint="Try again, or ask IT for a new link.")
        return self.begin(account)

    def knows(self, browser: str) -> str:
        """The account whose owner signed in in that browser, while their password is the same; "" for none."""
        account, _, rest = browser.partition(".")
        nonce, _, mark = rest.partition(".")
        right = self.credentials.browser_mark(account, nonce) if account and nonce and len(browser) < LONGEST_BROWSER else None
        return account if right is not None and hmac.compare_digest(right.encode(), mark.encode()) else ""

    def known_from_now(self, account: str) -> str:
        """What shows that its owner signed in in this browser; "" for accounts without a password, which nobody guesses."""
        nonce = secrets.token_urlsafe(12)
        mark = self.credentials.browser_mark(account, nonce)
        return f"{account}.{nonce}.{mark}" if mark is not None else ""

    def ask_passkey(self, origin: str) -> tuple[dict[str, Any], str]:
        """Options for the browser, and what its cookie is to remember."""
        options, challenge = self.authenticator.ask(origin)
        return options, self.ceremonies.remember("passkey", {"challenge": challenge}, self.clock.now() + CEREMONY)

    def by_passkey(self, origin: str, remembered: str, answer: str) -> Entry:
        """Raises Forbidden. No tries are counted: it is a signature, which nobody guesses."""
        kept = self._recall("passkey", remembered)
        passkey, account = self._owner(self.authenticator.id_of(answer))
        count = self.authenticator.check(origin, kept["challenge"], answer, passkey)
        self.credentials.passkey(passkey.id, used=count)
        return self.begin(account)

    def _owner(self, id_: bytes) -> tuple[people.Passkey, people.Account]:
        passkey = self.credentials.passkey(id_)
        account = self.accounts.account(id=passkey.account) if passkey else None
        if passkey is None or account is None or account.closed is not None:
            raise errors.Forbidden("that passkey is not known here.", hint="Sign in another way.")
        return passkey, account

    def to_provider(self, back: str, home: str) -> tuple[str, str]:
        """Where the browser goes, and what its cookie is to remember. Raises NotFound where there is no provider, Unreachable."""
        there, remembered = self._provider().begin(back)
        kept = {**remembered, "back": back, "home": home}
        return there, self.ceremonies.remember("provider", kept, self.clock.now() + CEREMONY)

    def by_provider(self, remembered: str, query: Mapping[str, str]) -> Entry:
        """Raises Forbidden, Conflict, Unreachable. The roles of whoever comes this way are those of their groups, each time anew."""
        kept = self._recall("provider", remembered)
        identity = self._provider().finish(kept["back"], kept, query)
        if not identity.email or not (identity.verified or self.rules.trust_email):
            raise errors.Forbidden(
                "the identity provider does not vouch for your mail address.",
                hint="IT may have it send `email_verified`, or set `oidc_trust_email`.",
            )
        return replace(self.begin(self._identified(identity)), home=kept["home"])

    def sign_out_everywhere(self, account: str, *, who: str) -> int:
        """End all sessions of an account; how many there were."""
        ended = self.sessions.end_sessions(account=account)
        self.journal.write(AUDIT, "sign-out", f"signed out everywhere: {self._named(account)}", who)
        return ended

    def close_account(self, account: str, *, who: str) -> people.Account:
        """Nobody comes in with it any more; what it did stays written. Raises NotFound, Conflict for the last of IT."""
        known = self.accounts.account(id=account)
        if known is None:
            raise errors.NotFound("there is no such account.", hint="`labctl account list` shows all accounts.")
        if self._last_of_it(known):
            raise errors.Conflict(f"{known.name} is the last account of IT.", hint="Invite somebody else with the role it first.")
        closed = replace(known, closed=known.closed or self.clock.now())
        self.accounts.change_account(closed)
        self.journal.write(AUDIT, "account", f"account closed: {known.email}", who)
        return closed

    def change_roles(self, account: str, roles: frozenset[people.Role], *, who: str) -> people.Account:
        """From their next request on they may what these roles may. Raises NotFound, BadInput, Conflict (last of IT, identity provider)."""
        known = self.accounts.account(id=account)
        if known is None or known.closed is not None:
            raise errors.NotFound("there is no such account.", hint="`labctl account list` shows all accounts.")
        if roles - people.OF_ACCOUNTS:
            raise errors.BadInput("an account may have the roles trainer, it and author.", hint="Others are places in single classes.")
        if known.subject:
            raise errors.Conflict(
                f"the roles of {known.name} are those of their groups at the identity provider.", hint="Change their groups there."
            )
        if people.Role.IT not in roles and self._last_of_it(known):
            raise errors.Conflict(f"{known.name} is the last account of IT.", hint="Give somebody else the role it first.")
        changed = replace(known, roles=roles)
        if changed != known:
            self.accounts.change_account(changed)
            words = ", ".join(sorted(roles)) or "none"
            self.journal.write(AUDIT, "account", f"roles of {known.email} are now: {words}", who)
        return changed

    def begin(self, account: people.Account) -> Entry:
        """A session for an account that has proven who it is."""
        until = self.clock.now() + self.rules.longest
        return Entry(self.sessions.begin_session(until, account=account.id), until, browser=self.known_from_now(account.id))

    @contextmanager
    def _tried(self, steps: Sequence[Mapping[str, int]]) -> Iterator[None]:
        """One try under the keys of the first of these by which it may be made. It counts where it ends in a refusal. Raises Busy."""
        until = self.clock.now() + COUNTED
        attempt = next((made for limits in steps if (made := self.ceremonies.attempt(limits, until)) is not None), None)
        if attempt is None:
            raise errors.Busy(
                "too many wrong passwords for that account.",
                hint=f"Wait {COUNTED.seconds // 60} minutes, use a passkey, or ask IT for a new link.",
                retry_after=COUNTED,
            )
        try:
            yield
        except errors.Forbidden:
            raise
        except errors.LabctlError:
            # What failed for another reason was no guess.
            self.ceremonies.forgive(attempt)
            raise
        self.ceremonies.forgive(attempt)

    def _recall(self, what: str, remembered: str) -> dict[str, str]:
        kept = self.ceremonies.recall(what, remembered) if remembered else None
        if kept is None:
            raise errors.Forbidden("that took too long, or was begun in another browser.", hint="Begin again from the sign-in page.")
        return kept

    def _provider(self) -> people_ports.IdentityProvider:
        found = self.provider()
        if found is None:
            raise errors.NotFound("no identity provider is set up here.", hint="Sign in with your address and password, or a passkey.")
        return found

    def _identified(self, identity: people_ports.Identity) -> people.Account:
        given = (word for group in identity.groups for word in self.rules.roles.get(group, ()))
        roles = frozenset(people.Role(word) for word in given) & people.OF_ACCOUNTS
        known = self.accounts.account(subject=identity.subject) or self.accounts.account(email=identity.email)
        if known is None:
            account = people.Account(new_id(), identity.name, identity.email, roles, self.clock.now(), subject=identity.subject)
            self.accounts.add_account(account)
            self.journal.write(AUDIT, "account", f"came by the identity provider: {account.email}", account.email)
            return account
        if known.closed is not None or known.subject not in {"", identity.subject}:
            raise errors.Forbidden("that account may not come in.", hint="Ask IT.")
        if self._last_of_it(known):
            # A group that was forgotten in the settings must not lock everybody out who could mend it.
            roles |= {people.Role.IT}
        account = replace(known, name=identity.name, email=identity.email, roles=roles, subject=identity.subject)
        if account != known:
            self.accounts.change_account(account)
        return account

    def _last_of_it(self, account: people.Account) -> bool:
        if people.Role.IT not in account.roles or account.closed is not None:
            return False
        others = (one for one in self.accounts.accounts() if one.id != account.id and one.closed is None)
        return not any(people.Role.IT in one.roles for one in others)

    def _named(self, account: str) -> str:
        known = self.accounts.account(id=account)
        return known.email if known else account


def new_id() -> str:
    """For an account: nothing about it can be guessed from another's."""
    return secrets.token_hex(8)


def refuse_weak(password: str, *words: str) -> None:
    """Raise BadInput where a password is too easily guessed. `words`: name and address, which are guessed first."""
    lowered = password.lower()
    if len(password) < SHORTEST_PASSWORD:
        raise errors.BadInput(
            f"that password is too short: it takes {SHORTEST_PASSWORD} signs.", hint="Three or four words make a good one."
        )
    if len(password) > LONGEST_PASSWORD:
        raise errors.BadInput(f"that password is too long: at most {LONGEST_PASSWORD} signs.")
    if len(set(lowered)) < FEWEST_SIGNS or any(word and lowered in {word.lower(), word.lower() * 2} for word in words):
        raise errors.BadInput("that password is too easily guessed.", hint="Three or four words make a good one.")
