"""Accounts and how they prove who they are."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from labctl import errors
from labctl.drivers.database import part
from labctl.drivers.database.people_tables import accounts, credentials, sessions
from labctl.model import people

PASSWORD, PASSKEY = "password", "passkey"


def account(row: Any) -> people.Account:
    """From a row with the account's columns."""
    return people.Account(
        id=row.id,
        name=row.name,
        email=row.email,
        roles=frozenset(people.Role(word) for word in row.roles),
        created=row.created,
        subject=row.subject or "",
        closed=row.closed,
    )


class AccountRows(part.Part):
    """Fills the ports Accounts and Credentials."""

    def add_account(self, account: people.Account) -> None:
        """See `people_ports.Accounts`."""
        try:
            with self._connection.writing() as connection:
                connection.execute(sa.insert(accounts).values(id=account.id, created=account.created, **_columns(account)))
        except exc.IntegrityError:
            raise _taken(account) from None

    def account(self, *, id: str = "", email: str = "", subject: str = "") -> people.Account | None:  # noqa: A002
        """See `people_ports.Accounts`."""
        if id:
            mine = accounts.c.id == id
        elif subject:
            mine = accounts.c.subject == subject
        else:
            mine = accounts.c.email == email.lower()
        with self._connection.reading() as connection:
            row = connection.execute(sa.select(accounts).where(mine)).one_or_none()
        return account(row) if row is not None else None

    def accounts(self) -> tuple[people.Account, ...]:
        """See `people_ports.Accounts`."""
        with self._connection.reading() as connection:
            found = connection.execute(sa.select(accounts).order_by(accounts.c.name, accounts.c.id)).all()
        return tuple(account(row) for row in found)

    def change_account(self, account: people.Account) -> None:
        """See `people_ports.Accounts`."""
        try:
            with self._connection.writing() as connection:
                if connection.execute(sa.update(accounts).where(accounts.c.id == account.id).values(**_columns(account))).rowcount != 1:
                    raise errors.NotFound("there is no such account.", hint="`labctl account list` shows all accounts.")
                if account.closed is not None:
                    connection.execute(sa.delete(sessions).where(sessions.c.account == account.id))
        except exc.IntegrityError:
            raise _taken(account) from None

    def set_password(self, account: str, digest: str) -> None:
        """See `people_ports.Credentials`."""
        with self._connection.writing() as connection:
            connection.execute(sa.delete(credentials).where(credentials.c.id == account.encode()))
            row = {"id": account.encode(), "account": account, "kind": PASSWORD, "secret": digest.encode()}
            connection.execute(sa.insert(credentials).values(**row, created=self._clock.now()))

    def password(self, account: str) -> str | None:
        """See `people_ports.Credentials`."""
        mine = (credentials.c.id == account.encode()) & (credentials.c.kind == PASSWORD)
        with self._connection.reading() as connection:
            secret = connection.execute(sa.select(credentials.c.secret).where(mine)).scalar()
        return bytes(secret).decode() if secret is not None else None

    def add_passkey(self, passkey: people.Passkey) -> None:
        """See `people_ports.Credentials`."""
        row = {"id": passkey.id, "account": passkey.account, "kind": PASSKEY, "secret": passkey.public_key}
        try:
            with self._connection.writing() as connection:
                connection.execute(
                    sa.insert(credentials).values(**row, count=passkey.count, label=passkey.label, created=self._clock.now())
                )
        except exc.IntegrityError:
            raise errors.Conflict("that passkey is known already.", hint="Sign in with it.") from None

    def passkeys(self, account: str) -> tuple[people.Passkey, ...]:
        """See `people_ports.Credentials`."""
        mine = (credentials.c.account == account) & (credentials.c.kind == PASSKEY)
        with self._connection.reading() as connection:
            return tuple(_passkey(row) for row in connection.execute(sa.select(credentials).where(mine)).all())

    def change_passkey(self, account: str, id: bytes, label: str | None) -> bool:  # noqa: A002
        """See `people_ports.Credentials`."""
        mine = (credentials.c.id == id) & (credentials.c.kind == PASSKEY) & (credentials.c.account == account)
        done = sa.delete(credentials).where(mine) if label is None else sa.update(credentials).where(mine).values(label=label)
        with self._connection.writing() as connection:
            return connection.execute(done).rowcount == 1

    def passkey(self, id: bytes, *, used: int | None = None) -> people.Passkey | None:  # noqa: A002
        """See `people_ports.Credentials`."""
        mine = (credentials.c.id == id) & (credentials.c.kind == PASSKEY)
        if used is not None:
            with self._connection.writing() as connection:
                connection.execute(sa.update(credentials).where(mine).values(count=used, used=self._clock.now()))
        with self._connection.reading() as connection:
            row = connection.execute(sa.select(credentials).where(mine)).one_or_none()
        return _passkey(row) if row is not None else None

    def browser_mark(self, account: str, nonce: str) -> str | None:
        """See `people_ports.Credentials`."""
        password = self.password(account)
        return self._seal.digest(f"browser {account} {nonce} {password}").hex() if password is not None else None


def _columns(account: people.Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "email": account.email.lower(),
        "roles": sorted(account.roles),
        "subject": account.subject or None,
        "closed": account.closed,
    }


def _passkey(row: Any) -> people.Passkey:
    return people.Passkey(bytes(row.id), row.account, bytes(row.secret), row.count, row.label)


def _taken(account: people.Account) -> errors.Conflict:
    return errors.Conflict(f"there is already an account for {account.email}.", hint="`labctl account list` shows all accounts.")
