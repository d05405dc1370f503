"""How people come in, and what they do there: sign-in, door, terminals, apps, help, tasks."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from labctl.drivers import liveness
from labctl.wiring.making import Making

if TYPE_CHECKING:
    from labctl import entering as entering_
    from labctl import examining as examining_
    from labctl import helping as helping_
    from labctl import inviting as inviting_
    from labctl import knowing as knowing_
    from labctl import own_account as own_account_
    from labctl import people_ports
    from labctl import signing_in as signing_in_
    from labctl import tasking as tasking_
    from labctl import terminals as terminals_
    from labctl import visiting as visiting_


class GettingIn(Making):
    """See the module."""

    @cached_property
    def entering(self) -> entering_.Entering:
        """Says who may go in where."""
        from labctl import entering

        return entering.Entering(self.desk, self.codes, self.keys)

    @cached_property
    def passwords(self) -> people_ports.Passwords:
        """Hashes passwords."""
        from labctl.drivers import passwords

        return passwords.Passwords()

    @cached_property
    def signing_in(self) -> signing_in_.SigningIn:
        """Signs people in."""
        from labctl import signing_in
        from labctl.drivers import passkeys

        return signing_in.SigningIn(
            accounts=self.database,
            credentials=self.database,
            sessions=self.database,
            ceremonies=self.database,
            passwords=self.passwords,
            authenticator=passkeys.Passkeys(),
            provider=lambda: self.provider,
            journal=self.journal,
            clock=self.clock,
            rules=signing_in.Rules(
                longest=timedelta(hours=self.settings.session_hours),
                idle=timedelta(hours=self.settings.idle_hours),
                roles=self.settings.oidc_roles,
                trust_email=self.settings.oidc_trust_email,
            ),
        )

    @cached_property
    def knowing(self) -> knowing_.Knowing:
        """Says who somebody is."""
        from labctl import knowing

        return knowing.Knowing(self.database, self.tokens, timedelta(hours=self.settings.idle_hours))

    @cached_property
    def inviting(self) -> inviting_.Inviting:
        """Lets people come for the first time."""
        from labctl import inviting

        return inviting.Inviting(self.signing_in, invitations=self.database, memberships=self.database, desk=self.desk)

    @cached_property
    def own_account(self) -> own_account_.OwnAccount:
        """Lets people change their own account."""
        from labctl import own_account

        return own_account.OwnAccount(self.signing_in)

    @cached_property
    def terminals(self) -> terminals_.Terminals:
        """Says who may be at which terminal."""
        from labctl import terminals

        return terminals.Terminals(self.entering, self.tickets, self.knowing.still, self.joinings, self.helps)

    @cached_property
    def visiting(self) -> visiting_.Visiting:
        """Says who may look at which web app."""
        from labctl import visiting

        return visiting.Visiting(self.entering, self.passes, self.knowing.still, "" if self.paper else self.settings.apps_site)

    @cached_property
    def helping(self) -> helping_.Helping:
        """Carries word between learners and trainers."""
        from labctl import helping

        return helping.Helping(self.desk, self.helps, self.progresses)

    @cached_property
    def examining(self) -> examining_.Examining:
        """Looks into learners' machines."""
        from labctl import examining

        return examining.Examining(
            self.desk, self.database, self.database, lambda: self.examiner, self.shelf, self.hands, liveness.myself()
        )

    @cached_property
    def tasking(self) -> tasking_.Tasking:
        """Takes what learners say of their tasks."""
        from labctl import tasking

        return tasking.Tasking(self.examining)
