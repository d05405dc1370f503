"""What signing in asks of the world: protocols as in `labctl.ports`, which they belong to. Secrets go in and out in clear and are
kept as hashes; each verb is one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from labctl.model import people


class Accounts(Protocol):
    """Those whom labctl knows."""

    def add_account(self, account: people.Account) -> None:
        """Raises Conflict when the address or the subject is taken."""

    def account(self, *, id: str = "", email: str = "", subject: str = "") -> people.Account | None:  # noqa: A002
        """By exactly one of these; None where there is none."""

    def accounts(self) -> tuple[people.Account, ...]:
        """All, by name; closed ones too."""

    def change_account(self, account: people.Account) -> None:
        """Write it as it is now; with `closed`, its sessions end in the same transaction. Raises NotFound, Conflict."""


class Credentials(Protocol):
    """How accounts prove who they are."""

    def set_password(self, account: str, digest: str) -> None:
        """Replace the password's hash (argon2, in its own text form)."""

    def password(self, account: str) -> str | None:
        """The hash."""

    def add_passkey(self, passkey: people.Passkey) -> None:
        """One more. Raises Conflict when that credential is known already."""

    def passkeys(self, account: str) -> tuple[people.Passkey, ...]:
        """All of an account."""

    def change_passkey(self, account: str, id: bytes, label: str | None) -> bool:  # noqa: A002
        """Give one of that account another label, or take it away (None); whether there was such a one."""

    def passkey(self, id: bytes, *, used: int | None = None) -> people.Passkey | None:  # noqa: A002
        """By its id; with `used`, its counter is written first."""

    def browser_mark(self, account: str, nonce: str) -> str | None:
        """A signature of these and of the account's password as it is now; None where it has none. Nothing is kept."""


class Invitations(Protocol):
    """Links that are good once."""

    def invite(self, invitation: people.Invitation) -> str:
        """The secret of the link, shown once."""

    def invitation(self, secret: str) -> people.Invitation | None:
        """What it is for; None for an unknown, used or expired one. It stays good."""

    def use_invitation(self, secret: str) -> people.Invitation | None:
        """The same, and used up: of two who come at once one gets it."""

    def open_invitations(self) -> tuple[people.Invitation, ...]:
        """All that are still good, soonest to end first."""

    def withdraw(self, id: bytes) -> bool:  # noqa: A002
        """It is not good any more; whether it was."""


class Sessions(Protocol):
    """Who is signed in in which browser."""

    def begin_session(self, until: datetime, *, account: str = "", sitting: people.Sitting | None = None) -> str:
        """A new session's secret, for an account or for a learner's sitting."""

    def person(self, secret: str, idle: timedelta) -> people.Person | None:
        """Who it is now, with roles, classes and seats as they are at this moment; None where it ended, the account is closed, the
        seat was given to somebody else, or an account's session was not used for `idle`. Marks it as seen.
        """

    def session_proof(self, secret: str) -> str:
        """By which `session_holders` finds the session again; nobody comes in with it."""

    def session_holders(self, proofs: Iterable[str], idle: timedelta) -> Mapping[str, people.Person]:
        """Who these are, as `person` says it; those that ended are left out. Marks nothing as seen."""

    def end_session(self, secret: str) -> None:
        """Sign out."""

    def end_sessions(self, *, account: str = "", classroom: str = "", seat: int = 0, only: bytes = b"", but: str = "") -> int:
        """Sign out everywhere: an account, or whoever sits on a seat; how many there were. Of an account's `only` the one with that id,
        or all `but` the one with that secret.
        """

    def name_session(self, secret: str, agent: str) -> None:
        """Write down what its browser calls itself."""

    def sessions_of(self, account: str, secret: str) -> tuple[people.Session, ...]:
        """An account's, last seen first; `secret` is that of the one that asks."""


class Memberships(Protocol):
    """Who belongs to which class besides its trainer."""

    def co_train(self, classroom: str, account: str) -> None:
        """Let them run it. Repeatable. Raises NotFound."""

    def sit(self, sitting: people.Sitting) -> None:
        """Take a seat for somebody without an account. Raises NotFound, Conflict where somebody sits there already."""

    def stand_up(self, classroom: str, seat: int) -> bool:
        """Free the seat for the next who comes with a code, and end the sessions on it; whether anybody sat there."""

    def sittings(self, classroom: str) -> tuple[people.Sitting, ...]:
        """Who sits where."""

    def set_class_code(self, classroom: str, code: str | None) -> None:
        """The class's code from now on, or none. Raises NotFound."""

    def class_code(self, classroom: str) -> str | None:
        """The code again, to be shown; None where there is none."""

    def class_of_code(self, code: str) -> str | None:
        """The living class that has it."""


class Ceremonies(Protocol):
    """What must be remembered between two requests of one sign-in (OpenID Connect, passkeys), and tries that are counted."""

    def remember(self, what: str, data: Mapping[str, str], until: datetime) -> str:
        """The secret under which it is found, once."""

    def recall(self, what: str, secret: str) -> dict[str, str] | None:
        """What was kept, and it is gone; None where there is nothing (any more)."""

    def attempt(self, limits: Mapping[str, int], until: datetime) -> tuple[int, ...] | None:
        """Write down a try under each of these keys, which counts until then; None, and nothing is written, where one of them has as many
        already as its number says. Before the try is made, so that many at once are no more than one after another.
        """

    def forgive(self, attempt: tuple[int, ...]) -> None:
        """It was a good one: it does not count."""


@dataclass(frozen=True)
class Identity:
    """Whom an identity provider says somebody is. `verified`: it vouches for the address."""

    subject: str
    name: str
    email: str
    verified: bool
    groups: tuple[str, ...] = ()


class IdentityProvider(Protocol):
    """OpenID Connect, authorization code flow with PKCE. Filled by `drivers.oidc`."""

    def begin(self, back: str) -> tuple[str, dict[str, str]]:
        """Where to send the browser, and what must be remembered until it is back at `back`. Raises Unreachable."""

    def finish(self, back: str, remembered: Mapping[str, str], query: Mapping[str, str]) -> Identity:
        """Who came back. Raises Forbidden where the provider or a check of its answer says no, Unreachable."""


class Passwords(Protocol):
    """Slow hashes. Filled by `drivers.passwords`."""

    def hash(self, password: str) -> str:
        """Argon2id, in its own text form."""

    def verify(self, password: str, digest: str | None) -> bool:
        """Takes as long without a hash as with one, so that nobody learns which accounts there are."""


class Authenticator(Protocol):
    """WebAuthn, as the relying party. Filled by `drivers.passkeys`. `origin` is the page's own ("https://labs.example.org")."""

    def offer(self, origin: str, account: people.Account, known: tuple[people.Passkey, ...]) -> tuple[dict[str, Any], str]:
        """Options for `navigator.credentials.create`, and the challenge to remember."""

    def enrol(self, origin: str, account: str, challenge: str, answer: str) -> people.Passkey:
        """The new passkey, from the browser's answer. Raises Forbidden."""

    def ask(self, origin: str) -> tuple[dict[str, Any], str]:
        """Options for `navigator.credentials.get`, for whichever passkey there is, and the challenge to remember."""

    def id_of(self, answer: str) -> bytes:
        """Which passkey answered. Raises Forbidden."""

    def check(self, origin: str, challenge: str, answer: str, passkey: people.Passkey) -> int:
        """The authenticator's counter. Raises Forbidden."""
