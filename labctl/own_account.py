"""What somebody does with their own account: name, password, passkeys, and the browsers in which they are signed in.

How one signs in is changed only in a session that began a few minutes ago: whoever finds a browser open must not be able to keep the
account. Other people's accounts are IT's (`labctl.signing_in`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from labctl import errors, signing_in
from labctl.model import people

FRESH = timedelta(minutes=10)
"""How long after signing in one may change how one signs in."""

MOST_PASSKEYS = 20
LONGEST_LABEL = 60


@dataclass(frozen=True)
class OwnAccount:
    """See the module. `session` is always the secret of the session that asks."""

    signing: signing_in.SigningIn

    def account(self, account: str) -> people.Account:
        """Raises Forbidden for those who have none."""
        found = self.signing.accounts.account(id=account) if account else None
        if found is None:
            raise errors.Forbidden("only accounts have a name, a password and passkeys.", hint="IT invites people to an account.")
        return found

    def sessions(self, account: str, session: str) -> tuple[people.Session, ...]:
        """Where they are signed in, last seen first."""
        return self.signing.sessions.sessions_of(self.account(account).id, session)

    def fresh(self, account: str, session: str) -> bool:
        """Whether the session that asks began a few minutes ago."""
        now = self.signing.clock.now()
        return any(one.here and one.created + FRESH > now for one in self.sessions(account, session))

    def rename(self, account: str, name: str) -> None:
        """Raises BadInput, Conflict (the identity provider says the name)."""
        known = self.account(account)
        if known.subject:
            raise errors.Conflict("your name comes from the identity provider.", hint="Change it there.")
        called = " ".join("".join(sign for sign in name if sign.isprintable()).split())[:200]
        if not called:
            raise errors.BadInput("the name is empty.", hint="Others in a class see it.")
        self.signing.accounts.change_account(replace(known, name=called))

    def set_password(self, account: str, session: str, password: str) -> None:
        """A new one, and all other browsers are signed out. Raises Forbidden (not fresh), BadInput (weak)."""
        known = self._changing(account, session)
        signing_in.refuse_weak(password, known.name, known.email)
        self.signing.credentials.set_password(known.id, self.signing.passwords.hash(password))
        self.signing.sessions.end_sessions(account=known.id, but=session)
        self._written(known, "chose a new password")

    def offer_passkey(self, account: str, session: str, origin: str) -> tuple[dict[str, Any], str]:
        """Options for the browser to make one, and what its cookie is to remember. Raises Forbidden, Conflict (too many)."""
        known = self._changing(account, session)
        there = self.signing.credentials.passkeys(known.id)
        if len(there) >= MOST_PASSKEYS:
            raise errors.Conflict(f"you have {len(there)} passkeys already.", hint="Remove one first.")
        options, challenge = self.signing.authenticator.offer(origin, known, there)
        kept = {"challenge": challenge, "origin": origin, "account": known.id}
        return options, self.signing.ceremonies.remember("passkey more", kept, self.signing.clock.now() + signing_in.CEREMONY)

    def add_passkey(self, account: str, session: str, remembered: str, answer: str, label: str) -> None:
        """One more way to sign in. Raises Forbidden, Conflict."""
        known = self._changing(account, session)
        kept = self.signing.ceremonies.recall("passkey more", remembered) if remembered else None
        if kept is None or kept["account"] != known.id:
            raise errors.Forbidden("that took too long, or was begun in another browser.", hint="Begin again.")
        made = self.signing.authenticator.enrol(kept["origin"], known.id, kept["challenge"], answer)
        self.signing.credentials.add_passkey(replace(made, label=_label(label)))
        self._written(known, "added a passkey")

    def label_passkey(self, account: str, id_: bytes, label: str) -> None:
        """Raises NotFound."""
        if not self.signing.credentials.change_passkey(self.account(account).id, id_, _label(label)):
            raise _no_passkey()

    def remove_passkey(self, account: str, session: str, id_: bytes) -> None:
        """Raises Forbidden (not fresh), NotFound, Conflict (it is the only way in)."""
        known = self._changing(account, session)
        there = self.signing.credentials.passkeys(known.id)
        if all(one.id == id_ for one in there) and not known.subject and self.signing.credentials.password(known.id) is None:
            raise errors.Conflict("that is the only way in which you sign in.", hint="Set a password first, or add another passkey.")
        if not self.signing.credentials.change_passkey(known.id, id_, None):
            raise _no_passkey()
        self._written(known, "removed a passkey")

    def end(self, account: str, id_: bytes) -> None:
        """Sign out one browser. Raises NotFound."""
        if not id_ or not self.signing.sessions.end_sessions(account=self.account(account).id, only=id_):
            raise errors.NotFound("that browser is not signed in (any more).", hint="The list shows those that are.")

    def _changing(self, account: str, session: str) -> people.Account:
        known = self.account(account)
        if not self.fresh(account, session):
            raise errors.Forbidden(
                "how you sign in can be changed only just after signing in.", hint="Sign in again, then change it within ten minutes."
            )
        return known

    def _written(self, account: people.Account, what: str) -> None:
        self.signing.journal.write(signing_in.AUDIT, "account", f"{account.email} {what}", account.email)


def _label(text: str) -> str:
    return " ".join("".join(sign for sign in text if sign.isprintable()).split())[:LONGEST_LABEL]


def _no_passkey() -> errors.NotFound:
    return errors.NotFound("you have no such passkey.", hint="The list shows those that you have.")
