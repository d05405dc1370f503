"""Looks into a seat's machines for its tasks, by SSH. Fills `task_ports.Examiner`.

The same road and the same judgement as of readiness checks (`ssh_checks`), with two differences. A learner is in the machine and waits:
each check is looked at once instead of until its time is over, and a machine that does not answer is given up soon. And it is the
learner's machine by now: a program there gets only those secret values that it names.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from labctl import errors, task_ports
from labctl.drivers import ssh, ssh_ca, ssh_checks, ssh_connection
from labctl.model.environment import Machine
from labctl.model.plan import Plan, PlannedAction, PlannedCheck, PlannedTask
from labctl.model.tasks import Outcome

PATIENCE = 8.0
"""Seconds until a machine that is up must answer: it was proven, so this is no boot."""

WRITE_SECONDS = 15.0

_GOOD_FOR = timedelta(minutes=2)
"""Life of the certificate with which a file is written as the learner."""


class Examiner:
    """See the module. `port` and `patience` differ only in tests."""

    def __init__(self, authority: ssh_ca.Authority, *, port: int = 22, patience: float = PATIENCE, user: str = ssh.DEPLOY_USER) -> None:
        self._authority = authority
        self._port = port
        self._patience = patience
        self._user = user

    def examine(self, plan: Plan, machines: Sequence[Machine], folder: Path, task: PlannedTask) -> task_ports.Exam:
        """See `task_ports.Examiner`."""
        with contextlib.ExitStack() as ending:
            enter = self._entrance(plan, machines, folder, ending)
            for check in task.checks:
                found = _look(check, enter, task)
                if found.outcome is not Outcome.PASSED:
                    return found
        return task_ports.Exam(Outcome.PASSED)

    def act(self, plan: Plan, machines: Sequence[Machine], folder: Path, actions: Sequence[PlannedAction]) -> None:
        """See `task_ports.Examiner`."""
        with contextlib.ExitStack() as ending:
            enter = self._entrance(plan, machines, folder, ending)
            for action in actions:
                as_check = PlannedCheck(
                    kind=action.kind, what=action.what, machine=action.machine, as_user=action.as_user, timeout=action.timeout
                )
                verdict = ssh_checks.look(as_check, enter(action.machine), action.timeout)
                if not verdict.passed:
                    shown = ssh_checks.mask(f"{action.kind} {action.what}: {verdict.reason}", plan)
                    raise errors.CheckFailed(f"{action.machine}: {shown}")

    def write(self, plan: Plan, machine: Machine, path: str, content: str) -> None:
        """See `task_ports.Examiner`. The path and the content travel apart from the command, so nothing in them is run."""
        planned = plan.machine(machine.name)
        login = self._authority.learner(plan, datetime.now(UTC) + _GOOD_FOR)
        trust = ssh_connection.Trust(self._authority, ssh_ca.host_name(plan, machine.name), machine.host_key)
        place = shlex.quote(path)
        command = f'mkdir -p -- "$(dirname -- {place})" && cat > {place}'
        with ssh_connection.connect(
            machine.address, planned.login, login, trust, patience=self._patience, insist=0.0, port=self._port
        ) as connection:
            outcome = connection.run(f"/bin/sh -c {shlex.quote(command)}", stdin=content.encode(), timeout=WRITE_SECONDS)
        if outcome.exit != 0:
            raise errors.BadInput(
                f"{machine.name}: {path} cannot be written as {planned.login}: {ssh_checks.mask(ssh_checks.tail(outcome), plan)}",
                hint="The learner may have changed who may write there.",
            )

    def _entrance(
        self, plan: Plan, machines: Sequence[Machine], folder: Path, ending: contextlib.ExitStack
    ) -> Callable[[str], ssh_checks.Place]:
        """One connection to each machine that is asked for, all closed at the end."""
        known = {machine.name: machine for machine in machines}
        opened: dict[str, ssh_checks.Place] = {}

        def enter(name: str) -> ssh_checks.Place:
            if name not in known:
                raise errors.Unreachable(f"{name}: there is no such machine (any more)")
            if name not in opened:
                connection = ssh.enter(
                    self._authority, plan, known[name], user=self._user, port=self._port, patience=self._patience, insist=0.0
                )
                ending.enter_context(connection)
                opened[name] = ssh_checks.Place(plan, plan.machine(name), connection, folder, sparing=True)
            return opened[name]

        return enter


def _look(check: PlannedCheck, enter: Callable[[str], ssh_checks.Place], task: PlannedTask) -> task_ports.Exam:
    """One look. Whatever kept labctl from looking is no fault of the learner's."""
    try:
        place = enter(check.machine)
        verdict = ssh_checks.look(check, place, check.timeout)
    except errors.LabctlError as error:
        return task_ports.Exam(Outcome.UNKNOWN, detail=error.message)
    if verdict.passed:
        return task_ports.Exam(Outcome.PASSED)
    said = ssh_checks.mask(verdict.said, place.plan) if check.kind == "script" else ""
    return task_ports.Exam(Outcome.FAILED, check.message or said or task.title, ssh_checks.mask(verdict.reason, place.plan))
