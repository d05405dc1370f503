"""What the middle of the house asks of the world. Protocols only; drivers and infra fill them, `wiring` joins them.

Every verb may be repeated: each converges on what is already there. All block; none is async. Each raises only errors of
`labctl.errors`: TemporaryError when trying again may help, PermanentError when a person must look.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from labctl.model import capacity
from labctl.model.blueprint import Blueprint
from labctl.model.classroom import Classroom, Seat
from labctl.model.environment import Claim, Environment, Facts, Machine, Step, Wishes
from labctl.model.help import Hand, Remark
from labctl.model.plan import Plan
from labctl.model.sight import Sight
from labctl.model.viewing import Joining, Ticket
from labctl.model.web_apps import Pass

Progress = Callable[[str], None]
"""Takes one plain line for the journal and the board ("web: cloning template 9001"). Never a secret."""


@dataclass(frozen=True)
class Line:
    """One line of the journal, which is the audit trail. `step` is a word of the lifecycle or of the desk; `number` grows."""

    number: int
    at: datetime
    environment: str
    step: str
    text: str
    who: str = "labctl"


@dataclass(frozen=True)
class Removal:
    """What a removal took away, and what a search found afterwards (empty: nothing is left)."""

    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rolled:
    """What a reset did: machines that have no state to go back to, and whether what was there before was kept."""

    missing: tuple[str, ...] = ()
    kept: bool = False


Ailing = Mapping[int, str]
"""By VMID what is wrong with a machine that should run, in words that follow its name ("is switched off")."""


@dataclass(frozen=True)
class Token:
    """A bearer token's owner. `role` is trainer, it or learner; a learner's token names its seat."""

    name: str
    role: str
    environment: str | None = None
    expires: datetime | None = None


class Clock(Protocol):
    """What time it is (aware, UTC)."""

    def now(self) -> datetime:
        """This moment."""


class Bell(Protocol):
    """Wakes a worker for one environment. Carries an id only; a lost ring costs a minute, never the truth."""

    def ring(self, environment: str) -> None:
        """Wake a worker for it. Raises Unreachable."""

    def listen(self) -> None:
        """Whether a ring would be carried at all: asked before wishes are written. Raises Unreachable."""


class Classrooms(Protocol):
    """The desk's side of the store: classrooms, seats and wishes. One transaction a verb."""

    def open(self, classroom: Classroom, plans: Callable[[Sequence[int]], Sequence[Plan]], plots: range) -> None:
        """Write the classroom, draw a free plot for each seat, call `plans(plots)` and write the environments with their
        encrypted plans: all or nothing. Raises Conflict when the slug is taken or not enough plots are free.
        """

    def classroom(self, slug: str) -> Classroom:
        """With its seats. Raises NotFound."""

    def classrooms(self, *, closed: bool = False) -> tuple[Classroom, ...]:
        """Open ones, with `closed` all, oldest first."""

    def wish(self, environment: str, change: Callable[[Wishes], Wishes]) -> Environment:
        """Change what is wanted, in one transaction. Raises NotFound."""

    def free_plots(self, plots: range) -> tuple[int, ...]:
        """Those that could be drawn now, in the order in which they would be."""

    def exchange(
        self,
        seat: Seat,
        spare: Seat,
        plan: Callable[[Plan, Plan], Plan],
        change: Callable[[Environment, Environment], tuple[Wishes, Wishes]],
    ) -> None:
        """Give the seat's learner the spare's environment, and the spare's place to the seat's, in one transaction: seats, tokens,
        wishes (`change` takes and returns the seat's old environment's and the spare's) and the spare's plan, which becomes
        `plan(old environment's, spare's)`. Raises Conflict when either seat has another environment by now.
        """

    def add_seat(self, slug: str, seat: Seat, plan: Callable[[int], Plan], plots: range) -> None:
        """One more seat with a new environment, as in `open`. Raises NotFound, Conflict."""

    def replace(self, seat: Seat, fresh: Seat, plan: Callable[[int], Plan], change: Callable[[Environment], Wishes], plots: range) -> None:
        """Give the seat the new environment that `fresh` names, on a plot of its own, in one transaction with the wishes of the old
        one (`change` of it) and the learner's tokens; the old one gets a place of its own behind the others. Raises Conflict when
        the seat has another environment by now.
        """

    def extend(self, slug: str, until: datetime) -> Classroom:
        """Let the class and every environment in it live until then, in one transaction. Raises NotFound."""

    def close(self, slug: str, at: datetime) -> None:
        """Write that the class is closed and want everything in it gone, in one transaction. Raises NotFound."""


class Environments(Protocol):
    """The runner's side of the store: claims and facts."""

    def environment(self, environment: str) -> Environment:
        """Raises NotFound."""

    def environments(self, *, classroom: str | None = None, gone: bool = False, bare: bool = False) -> tuple[Environment, ...]:
        """Those of a classroom, or all; with `gone` also those that are gone, with `bare` without their machines (for counting)."""

    def seated(self, slug: str, numbers: Collection[int]) -> tuple[Environment, ...]:
        """What these seats of a class have now, without the machines; nothing for seats and classes that are not there."""

    def plan(self, environment: str) -> Plan:
        """Decrypted. Raises NotFound, also for an environment that is gone."""

    def claim(self, environment: str, holder: str, hold: timedelta) -> Claim | None:
        """A claim with a new fencing number, or None while another holder's claim is alive."""

    def renew(self, claim: Claim, hold: timedelta) -> Claim:
        """Raises ClaimLost."""

    def settle(self, claim: Claim, facts: Facts, plan: Plan | None = None) -> None:
        """Write facts, and a new plan where one is given, if the fence is still the newest. Raises ClaimLost. A GONE environment frees
        its plot, which rests from now, and loses its plan; the last one of a closed class frees its name.
        """

    def release(self, claim: Claim) -> None:
        """Let go; no-op when the claim is not held any more."""


@dataclass(frozen=True)
class Taken:
    """What a worker took; `more`: something else is due that nobody has taken."""

    claim: Claim
    more: bool


class Backlog(Protocol):
    """What is due. The queue's memory: rings only say that there is something to look for."""

    def take(self, holder: str, hold: timedelta, places: int) -> Taken | None:
        """A claim on the most urgent environment that is due and in nobody's hands (`model.urgency`: golden machines, then fair
        between classes by how many of each are at work, nearest start first; of a class what is begun before what is not).
        `holder` is "PROCESS/TURN": a process has at most `places` at work, some of them kept for removals and some for the rest.
        """

    def due(self, limit: int) -> tuple[str, ...]:
        """At most so many that are due and in nobody's hands."""

    def ended(self) -> tuple[str, ...]:
        """Classes whose lease is over and of which nothing is left, but which nobody closed."""


class Goldens(Protocol):
    """Sets of golden machines. Opened by `Classrooms.open` (a Classroom with `golden`), done by the runner like any environment."""

    def goldens(self) -> tuple[Classroom, ...]:
        """Living sets, oldest first."""

    def standing(self, ground: str) -> tuple[Environment, ...]:
        """Environments that stand on the golden machines of environment `ground` and are not GONE."""

    def retire(self, ground: str) -> bool:
        """Want them gone unless somebody stands on them, in one transaction; whether they are wanted gone now."""

    def stand(self, environment: str, change: Callable[[Plan], Plan]) -> None:
        """Let an environment that is not built yet stand on other golden machines. Raises NotFound, Conflict."""


class Journal(Protocol):
    """Append-only."""

    def write(self, environment: str, step: str, text: str, who: str = "labctl") -> None:
        """One line. `text` holds no secret."""

    def write_all(self, texts: Mapping[str, str], step: str, who: str = "labctl") -> None:
        """A line for each of these environments, in one transaction."""

    def read(self, *, environment: str | None = None, classroom: str | None = None, after: int = 0, limit: int = 200) -> tuple[Line, ...]:
        """At most `limit` lines with a number greater than `after`, oldest first."""


class Timings(Protocol):
    """How long steps really took on this cluster."""

    def measured(self, environment: str, step: Step, seconds: float) -> None:
        """Write down one step that settled."""

    def times(self, blueprint: str) -> Mapping[Step, tuple[float, ...]]:
        """The newest seconds of each step of that blueprint, newest first."""


class Tokens(Protocol):
    """Bearer tokens, stored hashed."""

    def create(self, token: Token) -> str:
        """The secret, shown once."""

    def check(self, secret: str) -> Token | None:
        """The owner, or None for an unknown, revoked or expired secret."""

    def token_proof(self, secret: str) -> str:
        """By which `token_holders` finds it again; nobody comes in with it."""

    def token_holders(self, proofs: Iterable[str]) -> Mapping[str, Token]:
        """Whose these are; revoked and expired ones are left out."""

    def revoke(self, name: str) -> bool:
        """False when there was none of that name."""

    def list(self) -> tuple[Token, ...]:
        """All owners, never a secret."""


class Codes(Protocol):
    """One-time codes for the SSH door, stored hashed."""

    def keep_code(self, code: str, environment: str, until: datetime) -> None:
        """Good once, until then."""

    def use_up(self, code: str) -> str | None:
        """The environment it was made for, and it is used up; None for an unknown, used or expired one."""


class Tickets(Protocol):
    """Tickets for terminals in the browser, stored hashed."""

    def keep_ticket(self, secret: str, ticket: Ticket) -> None:
        """Good once, until it runs out."""

    def use_ticket(self, secret: str) -> Ticket | None:
        """What it opens, and it is used up; None for an unknown, used or expired one."""


class Changes(Protocol):
    """Whether to look at all."""

    def written(self) -> int | None:
        """A number that is another one once anybody has written anything; None where the database has none."""


class Sights(Protocol):
    """Whole classes, as boards show them."""

    def sight(self, slug: str, before: Sight | None = None) -> Sight:
        """The newest class of that name at one moment; told the sight before, it reads what was written since. Raises NotFound."""


class Passes(Protocol):
    """Passes for web apps of seats, stored hashed."""

    def keep_pass(self, secret: str, kept: Pass, *, ticket: bool) -> str:
        """Good until it runs out, a ticket once; its id."""

    def use_pass_ticket(self, secret: str) -> Pass | None:
        """What it opens, and it is used up; None for an unknown, used or expired one."""

    def pass_of(self, secret: str, host: str) -> tuple[str, Pass] | None:
        """What a cookie opens at that host, with its id; None for an unknown or expired one, or one of another host."""

    def is_host(self, host: str) -> bool:
        """Whether anybody has a pass for it."""

    def passes(self, ids: Collection[str]) -> Mapping[str, Pass]:
        """Those of these cookies that did not run out."""


class Helps(Protocol):
    """Raised hands, messages and notes of the living class of that name."""

    def raise_hand(self, slug: str, seat: int, text: str) -> bool:
        """False where it is up already (its text is renewed, its place in the queue stays)."""

    def lower_hand(self, slug: str, seat: int) -> bool:
        """False where none was up."""

    def hands(self, slug: str) -> tuple[Hand, ...]:
        """Who waits longest comes first."""

    def remark(self, slug: str, seat: int | None, text: str, who: str) -> None:
        """A message to the class, or a note on a seat."""

    def remarks(self, slug: str, seat: int | None, limit: int = 50) -> tuple[Remark, ...]:
        """The newest messages to the class, or notes on the seat, newest first."""


class Joinings(Protocol):
    """Whether trainers may type in learners' terminals of the living class of that name."""

    def joining(self, joining: Joining, slug: str) -> None:
        """Instead of what was there."""

    def joinings(self, slug: str) -> tuple[Joining, ...]:
        """In order of seats."""


class Progresses(Protocol):
    """How far learners of the living class of that name are in the guide."""

    def reach(self, slug: str, seat: int, page: int, pages: int) -> None:
        """They came to that page; going back takes nothing away."""


class Provisioner(Protocol):
    """Existence: guests, networks, pools. Filled by `infra`."""

    def preflight(self, plans: Sequence[Plan]) -> tuple[Plan, ...]:
        """Whether all these plans could be built now (node answers, token may, templates and storage exist, memory and disk
        suffice), and on which node each (`model.placing`): the same plans with their nodes. Raises Unreachable, Forbidden,
        NotFound or Conflict in plain words; changes nothing.
        """

    def survey(self, plans: Sequence[Plan]) -> capacity.Supply:
        """What the cluster has for these plans. Raises Unreachable, Forbidden or NotFound (node, template); changes nothing."""

    def build(self, plan: Plan, progress: Progress) -> tuple[Machine, ...]:
        """Make or converge everything of the plan, started, with answering management addresses known. Machines come in plan
        order, `host_key` empty.
        """

    def remove(self, environment: str, plot: int, progress: Progress) -> Removal:
        """Take everything away, whether or not a stack is on record, then search for leftovers by mark. Needs no plan."""

    def mark_ready(self, plan: Plan, progress: Progress) -> None:
        """Keep the state to which a reset goes back (snapshot `ready` on every guest)."""

    def reset(self, plan: Plan, progress: Progress, *, keep: str = "") -> Rolled:
        """Roll every guest back to `ready` and start it; before, keep what is there under the name `keep` where the storage can
        go forward again. Says which guests have no such snapshot: nothing was done to them.
        """

    def go_back(self, plan: Plan, name: str, progress: Progress) -> None:
        """Back to what was kept under `name`, on every guest, started. Raises PermanentError where a guest does not have it."""

    def ailing(self, machines: Sequence[Machine]) -> Ailing:
        """Which of these do not run as they should. Only what is certain: who is busy, new or cannot be asked about is left out."""

    def wake(self, plan: Plan, progress: Progress) -> None:
        """Start every guest of the plan that is off; nothing else is done to any. Raises PermanentError where one is gone."""

    def forget_kept(self, plan: Plan, progress: Progress) -> None:
        """Take away everything that was kept before resets."""

    def discard(self, plan: Plan, machines: Sequence[str], progress: Progress) -> None:
        """Destroy these guests of the plan only, so that the next build makes them anew."""

    def freeze(self, plan: Plan, machines: Sequence[Machine], seal: Callable[[Machine], None], progress: Progress) -> None:
        """Turn the plan's machines into templates: each is started if it is off, sealed from inside by `seal`, shut down (those
        that came last first), and frozen. What is a template already is left alone.
        """

    def leftovers(self, living: Sequence[str]) -> tuple[str, ...]:
        """Everything that carries this installation's mark and belongs to no environment in `living`, one line each."""


class Wire(Protocol):
    """labctl's side of the management network (`access.md` 1.2): fixed neighbours and the table of rules."""

    def open(self, machines: Sequence[Machine]) -> None:
        """Lay the table and fix the neighbours of these machines."""

    def close(self, plot: int) -> None:
        """Forget the neighbours of a plot."""


class Configurator(Protocol):
    """Ansible and labctl's own small writes. Filled by `drivers.ansible`."""

    def configure(self, plan: Plan, machines: Sequence[Machine], folder: Path, progress: Progress) -> None:
        """Run the plan's steps in order. Raises PlayFailed with host, task and message."""


Neighbours = Callable[[], Sequence[Machine]]
"""Machines of the class's other seats, those first whose services answer by now."""


class Prober(Protocol):
    """SSH by paramiko. Filled by `drivers.ssh`."""

    def enrol(self, plan: Plan, machines: Sequence[Machine], progress: Progress) -> tuple[Machine, ...]:
        """First contact: wait for sshd, pin the host key, write host certificate, user CA, principals, the learner's account,
        names and routes. Returns the machines with `host_key`. May be repeated.
        """

    def prove(
        self, plan: Plan, machines: Sequence[Machine], folder: Path, progress: Progress, *, neighbours: Neighbours | None = None
    ) -> None:
        """Log in as the learner does on each machine with terminal access, then run the readiness checks. `neighbours` says, when asked,
        whom on the management network a machine must not reach; asked for a class's first guest, None for never. Raises CheckFailed
        or Unreachable.
        """

    def leave(self, environment: str) -> None:
        """Close what was left open to an environment's machines for its next step. Repeatable."""

    def seal(self, plan: Plan, machine: Machine, progress: Progress) -> None:
        """Take everything out of a running guest that no two clones may share (host keys, machine-id, logs, histories, leases).
        Afterwards nobody can log in before it was started again.
        """


@dataclass(frozen=True)
class Bundle:
    """A learner's own files for plain OpenSSH: file name -> content (`access.md` 2.1). Holds a private key: never logged."""

    files: dict[str, str] = field(repr=False)
    hosts: tuple[str, ...] = ()


class Keys(Protocol):
    """labctl's SSH certificate authorities. Filled by `drivers.ssh_ca`."""

    def bundle(self, plan: Plan, machines: Sequence[Machine], until: datetime) -> Bundle:
        """Fresh key and certificate, valid until then."""

    def certify(self, public_key: str, login: str, principal: str, until: datetime, *, shell: bool = True) -> str:
        """A certificate for somebody else's key ("ssh-ed25519 AAAA..."), valid until then. Without `shell` it carries channels only.
        Raises BadInput.
        """


class Digests(Protocol):
    """A blueprint's digests, each "sha256:..." (`blueprint.md` 18)."""

    @property
    def blueprint(self) -> str:
        """Of all its content."""

    @property
    def files(self) -> str:
        """Of the files that decide what is built."""


class Book(Protocol):
    """A blueprint that was read."""

    @property
    def name(self) -> str:
        """Its folder's name."""

    @property
    def blueprint(self) -> Blueprint:
        """What it says."""

    @property
    def digests(self) -> Digests:
        """Of its content."""


class Library(Protocol):
    """Blueprints as they are and as they were frozen. Filled by `drivers.shelf`."""

    def book(self, name: str) -> Book:
        """The blueprint as it is now. Raises NotFound, or BadInput with all complaints."""

    def frozen(self, source: str) -> Book:
        """A frozen one as it was when its class was opened. Raises NotFound."""

    def freeze(self, name: str) -> str:
        """Keep the folder as it is now; "<name>@<digest>". Raises BadInput."""


class Shelf(Protocol):
    """Blueprints as files. Filled by `drivers.shelf`."""

    def folder(self, source: str) -> Path:
        """Where the frozen folder of "<name>@<digest>" is. Raises NotFound."""
