"""How people come to labctl for the first time: links that are good once, and class codes for learners without an account.

A link to look at changes nothing (mail programs open links by themselves); it is used up by what is done on its page. A class code says
which class, a line of the roster says which seat; each seat can be taken once, and then belongs to that browser and to links made for it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from labctl import desk as desk_
from labctl import entering, errors, people_ports, signing_in
from labctl.model import pasted, people
from labctl.model.classroom import Classroom, Seat

LINK_LIFE = timedelta(days=7)
CODE_LENGTH = 10
"""Signs of a class's code, each one of 30: 5.9e14 codes. The API looks at no more than 100 a second (`api.turns`), right or wrong, so
whoever guesses day and night for a month, while twenty classes have a code, hits one of them once in 110,000 times; of SSH codes' eight
signs it would be once in 130. So no address has to be refused for wrong ones.
"""

FIRST_LIFE = timedelta(days=1)
"""Of the first start's link, which makes an account of IT."""

_ROLES = people.OF_ACCOUNTS


@dataclass(frozen=True)
class Chosen:
    """What somebody filled in on a link's page: a password, or a passkey's answer with what the browser remembered."""

    name: str = ""
    email: str = ""
    password: str = ""
    passkey: str = ""
    remembered: str = ""


@dataclass(frozen=True)
class Inviting:
    """See the module."""

    signing: signing_in.SigningIn
    invitations: people_ports.Invitations
    memberships: people_ports.Memberships
    desk: desk_.Desk

    def first(self) -> str | None:
        """The secret of a link for the first account of IT; None once there is one."""
        if any(people.Role.IT in one.roles and one.closed is None for one in self.signing.accounts.accounts()):
            return None
        roles = frozenset({people.Role.IT, people.Role.TRAINER})
        invitation = people.Invitation(people.Errand.ACCOUNT, self._now() + FIRST_LIFE, roles=roles)
        return self._made(invitation, "labctl")[0]

    def person(self, name: str, email: str, roles: Iterable[people.Role], *, who: str) -> tuple[str, datetime]:
        """A link for a new account. Raises BadInput, Conflict where the address has an account."""
        wanted = frozenset(roles)
        if wanted - _ROLES:
            raise errors.BadInput("an account may have the roles trainer, it and author.", hint="Others are places in single classes.")
        if self.signing.accounts.account(email=_address(email)) is not None:
            hint = "A new way in can be made for it: on IT's page of people, or by `labctl account link`."
            raise errors.Conflict(f"there is already an account for {email}.", hint=hint)
        made = people.Invitation(people.Errand.ACCOUNT, self._now() + LINK_LIFE, name=name, email=_address(email), roles=wanted)
        return self._made(made, who)

    def again(self, account: str, *, who: str) -> tuple[str, datetime]:
        """A link to choose anew how to sign in. Raises NotFound."""
        known = self.signing.accounts.account(id=account)
        if known is None or known.closed is not None:
            raise errors.NotFound("there is no such account.", hint="`labctl account list` shows all accounts.")
        made = people.Invitation(people.Errand.CREDENTIAL, self._now() + FIRST_LIFE, known.name, known.email, account=known.id)
        return self._made(made, who)

    def to_class(self, slug: str, name: str, email: str, *, who: str) -> tuple[str, datetime]:
        """A link for somebody who is to run this one class. Raises NotFound, BadInput."""
        until = min(self._now() + LINK_LIFE, self.desk.room(slug).lease.ends)
        made = people.Invitation(people.Errand.CLASS, until, name=name, email=_address(email), classroom=slug)
        return self._made(made, who)

    def to_seat(self, slug: str, number: int, *, who: str) -> tuple[str, datetime]:
        """A link that seats its learner, in any browser. Raises NotFound, Conflict for a spare."""
        seat, env = self.desk.seat(slug, number)
        if seat.learner is None:
            raise errors.Conflict(f"seat {number} of class '{slug}' is a spare.", hint="Name a learner's seat.")
        until = min(self._now() + LINK_LIFE, env.wishes.lease.ends)
        made = people.Invitation(people.Errand.SEAT, until, name=seat.learner.name, classroom=slug, seat=number)
        return self._made(made, who)

    def class_code(self, slug: str, *, who: str) -> str:
        """A new code for the class; the one before is not good any more. Raises NotFound."""
        self.desk.room(slug)
        code = "".join(secrets.choice(entering.ALPHABET) for _ in range(CODE_LENGTH))
        self.memberships.set_class_code(slug, code)
        self.desk.journal.write(signing_in.AUDIT, "invite", f"a new code for class {slug}", who)
        return code

    def code_of(self, slug: str) -> str | None:
        """The class's code as it is now, for those who may make a new one. Raises NotFound."""
        return self.memberships.class_code(slug)

    def free_seat(self, slug: str, number: int, *, who: str) -> bool:
        """Let the next who comes with the code take it; whoever sat there is signed out. Raises NotFound."""
        _, env = self.desk.seat(slug, number)
        freed = self.memberships.stand_up(slug, number)
        self.desk.journal.write(env.id, "invite", f"seat {number} may be taken anew by code", who)
        return freed

    def withdraw(self, id_: bytes, *, who: str) -> None:
        """A link that nobody used yet is not good any more. Raises NotFound."""
        found = next((one for one in self.invitations.open_invitations() if one.id == id_), None)
        if found is None or not self.invitations.withdraw(id_):
            raise errors.NotFound("there is no such link any more.", hint="It was used, has run out, or was withdrawn before.")
        whom = found.email or found.name or "whoever has the link"
        self.desk.journal.write(signing_in.AUDIT, "invite", f"the link ({found.errand.value}) for {whom} was withdrawn", who)

    def look(self, secret: str) -> people.Invitation:
        """What a link is for; it stays good. Raises NotFound."""
        found = self.invitations.invitation(secret)
        if found is None:
            raise errors.NotFound("that link is not good (any more).", hint="Links are good once; ask whoever sent it for a new one.")
        return found

    def offer_passkey(self, secret: str, origin: str, name: str, email: str) -> tuple[dict[str, Any], str]:
        """Options for the browser to make a passkey, and what its cookie is to remember. Raises NotFound, BadInput."""
        account = self._account(self.look(secret), Chosen(name, email))
        known = self.signing.credentials.passkeys(account.id)
        options, challenge = self.signing.authenticator.offer(origin, account, known)
        kept = {"challenge": challenge, "origin": origin, "account": account.id}
        return options, self.signing.ceremonies.remember("enrol", kept, self._now() + signing_in.CEREMONY)

    def accept(self, secret: str, chosen: Chosen, person: people.Person | None) -> signing_in.Entry | None:
        """Do what the link is for and sign in; None where `person`, who is signed in already, only got a class more.

        Raises NotFound (link), BadInput (address, password), Conflict (address taken), Forbidden (passkey).
        """
        invitation = self.look(secret)
        if invitation.errand is people.Errand.SEAT:
            self._use(secret)
            return self._seated(invitation.classroom, invitation.seat, invitation.name)
        if invitation.errand is people.Errand.CLASS and person is not None and person.account:
            self._use(secret)
            self.memberships.co_train(invitation.classroom, person.account)
            return None
        account = self._account(invitation, chosen)
        passkey = None
        if chosen.passkey:
            kept = self.signing.ceremonies.recall("enrol", chosen.remembered)
            if kept is None:
                raise errors.Forbidden("that took too long, or was begun in another browser.", hint="Open the link again.")
            account = replace(account, id=kept["account"])
            passkey = self.signing.authenticator.enrol(kept["origin"], account.id, kept["challenge"], chosen.passkey)
        else:
            signing_in.refuse_weak(chosen.password, account.name, account.email)
        self._use(secret)
        return self._settled(invitation, account, passkey, chosen.password)

    def _settled(
        self, invitation: people.Invitation, account: people.Account, passkey: people.Passkey | None, password: str
    ) -> signing_in.Entry:
        if invitation.errand is people.Errand.CREDENTIAL:
            # Whoever needs a new way in may have lost the old one to somebody else.
            self.signing.sessions.end_sessions(account=account.id)
        else:
            self.signing.accounts.add_account(account)
            self._withdraw_first_links(account)
        if passkey is not None:
            self.signing.credentials.add_passkey(passkey)
        else:
            self.signing.credentials.set_password(account.id, self.signing.passwords.hash(password))
        if invitation.errand is people.Errand.CLASS:
            self.memberships.co_train(invitation.classroom, account.id)
        way = "a passkey" if passkey else "a password"
        self.desk.journal.write(signing_in.AUDIT, "account", f"{account.email} chose {way}, invited by {invitation.made_by}", account.email)
        return self.signing.begin(account)

    def _withdraw_first_links(self, account: people.Account) -> None:
        """Each start prints a link for the first account of IT until there is one: the others open nothing from then on."""
        if people.Role.IT not in account.roles:
            return
        for one in self.invitations.open_invitations():
            if one.errand is people.Errand.ACCOUNT and people.Role.IT in one.roles and not one.email:
                self.invitations.withdraw(one.id)

    def join(self, code: str, who: str) -> signing_in.Entry:
        """Take a seat by the class's code: `who` is an address, login or name of the roster, or any name where seats are for anybody.

        Raises Forbidden (code), BadInput (nobody of that name), Conflict (taken, full).
        """
        room = self.room_of(code)
        who = " ".join(who.split())
        if not who:
            raise errors.BadInput("the seat needs a name.", hint="Type your name or address as your trainer has it.")
        named = [seat for seat in room.seats if seat.learner and _is(seat, who)]
        free = [seat for seat in room.seats if seat.learner and seat.learner.email.endswith(pasted.ANYBODY)]
        if len(named) != 1 and not free:
            raise errors.BadInput(
                f"nobody on the list of class '{room.slug}' is called so.", hint="Try the mail address you enrolled with."
            )
        return self._take(room, named if len(named) == 1 else free, who)

    def room_of(self, code: str) -> Classroom:
        """The class that has this code, written in any way. Raises Forbidden."""
        text = "".join(sign for sign in code.lower() if sign in entering.ALPHABET)
        # Codes of eight signs are from before this labctl; they go with their class.
        slug = self.memberships.class_of_code(text) if entering.LENGTH <= len(text) <= CODE_LENGTH else None
        if slug is None:
            raise errors.Forbidden("that code is not good (any more).", hint="Look whether you typed it as your trainer shows it.")
        return self.desk.room(slug)

    def _take(self, room: Classroom, seats: list[Seat], who: str) -> signing_in.Entry:
        taken = {one.seat for one in self.memberships.sittings(room.slug)}
        free = [seat for seat in seats if seat.number not in taken]
        for seat in free:
            assert seat.learner is not None
            name = who if seat.learner.email.endswith(pasted.ANYBODY) else seat.learner.name
            try:
                self.memberships.sit(people.Sitting(room.slug, seat.number, name[:200]))
            except errors.Conflict:
                # Two came at once; the other one sits there now.
                continue
            return self._seated(room.slug, seat.number, name)
        if len(seats) == 1:
            raise errors.Conflict(
                "somebody has taken that seat already.", hint="If that was you, ask your trainer for a link to your seat."
            )
        raise errors.Conflict(f"all {len(seats)} seats of class '{room.slug}' are taken.", hint="Ask your trainer.")

    def _seated(self, slug: str, number: int, name: str) -> signing_in.Entry:
        seat, env = self.desk.seat(slug, number)
        sitting = next((one for one in self.memberships.sittings(slug) if one.seat == number), None)
        if sitting is None:
            sitting = people.Sitting(slug, number, name or (seat.learner.name if seat.learner else ""))
            self.memberships.sit(sitting)
        # A class may be extended; its end ends this session anyway.
        until = env.wishes.lease.ends + self.signing.rules.longest
        secret = self.signing.sessions.begin_session(until, sitting=sitting)
        self.desk.journal.write(env.id, "enter", f"{sitting.name} sat down on seat {number}", sitting.signature)
        return signing_in.Entry(secret, until, home=f"/seat/{env.id}")

    def _account(self, invitation: people.Invitation, chosen: Chosen) -> people.Account:
        """Whom the link makes, or leads to, with what was filled in. Raises BadInput, Conflict."""
        if invitation.errand is people.Errand.CREDENTIAL:
            known = self.signing.accounts.account(id=invitation.account)
            if known is None or known.closed is not None:
                raise errors.NotFound("that account may not come in any more.", hint="Ask IT.")
            return known
        name = " ".join((chosen.name or invitation.name).split())[:200]
        # Whom the link was made for is not for its holder to choose.
        email = invitation.email or _address(chosen.email)
        if not name:
            raise errors.BadInput("your name is missing.", hint="Others in a class see it.")
        if self.signing.accounts.account(email=email) is not None:
            raise errors.Conflict(f"there is already an account for {email}.", hint="Sign in with it first, then open this link again.")
        return people.Account(signing_in.new_id(), name, email, invitation.roles, self._now())

    def _use(self, secret: str) -> None:
        if self.invitations.use_invitation(secret) is None:
            raise errors.NotFound("that link was used a moment ago.", hint="Links are good once; ask whoever sent it for a new one.")

    def _made(self, invitation: people.Invitation, who: str) -> tuple[str, datetime]:
        secret = self.invitations.invite(replace(invitation, made_by=who))
        whom = invitation.email or invitation.name or "whoever has the link"
        where = f" to class {invitation.classroom}" if invitation.classroom else ""
        self.desk.journal.write(signing_in.AUDIT, "invite", f"a link ({invitation.errand.value}) for {whom}{where}", who)
        return secret, invitation.until

    def _now(self) -> datetime:
        return self.desk.clock.now()


def _is(seat: Seat, who: str) -> bool:
    assert seat.learner is not None
    return who.lower() in {seat.learner.email.lower(), seat.learner.login, seat.learner.name.lower()}


def _address(text: str) -> str:
    email = text.strip().lower()
    name, at, host = email.partition("@")
    if not (name and at and "." in host and not host.startswith(".") and email.isprintable()) or any(sign in email for sign in " ,;<>\"'"):
        raise errors.BadInput(f"'{text[:100]}' is not a mail address.", hint="It names you here; nothing is sent to it.")
    return email
