"""An environment: one seat's machines, what is wanted of them (wishes) and what is true of them (facts).

People change wishes, workers change facts; no field has two writers. What to do next is not decided here but in
`labctl.model.lifecycle`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """What has been reached and settled."""

    NEW = "new"
    BUILT = "built"
    CONFIGURED = "configured"
    READY = "ready"
    SUSPENDED = "suspended"
    GONE = "gone"


class Wanted(StrEnum):
    """What people want of an environment."""

    READY = "ready"
    SUSPENDED = "suspended"
    GONE = "gone"


class Step(StrEnum):
    """The verbs a worker can do; one file each in `labctl.steps`."""

    BUILD = "build"
    CONFIGURE = "configure"
    BAKE = "bake"
    PROVE = "prove"
    RESET = "reset"
    HAND_OVER = "hand_over"
    TIDY = "tidy"
    SUSPEND = "suspend"
    RESUME = "resume"
    REMOVE = "remove"


@dataclass(frozen=True)
class Lease:
    """From when until when an environment may exist (aware datetimes, UTC)."""

    starts: datetime
    ends: datetime


@dataclass(frozen=True)
class Trouble:
    """Which step did not settle, why, how often it was tried, when to try again (None: a person must look)."""

    step: Step
    reason: str
    attempts: int
    since: datetime
    retry_at: datetime | None
    round: int = 1
    cause: str = ""
    """Of golden machines being taken away: which bake failed for good, and why."""
    machine: str = ""
    """Which machine it was, where one is to blame: it is the one that is made anew."""
    node: str = ""
    """Which node of the cluster, where one is to blame: what is not built there yet is built elsewhere."""


@dataclass(frozen=True)
class Kept:
    """What was there before a reset (of that round) and can still be gone back to, until then."""

    round: int
    until: datetime


@dataclass(frozen=True)
class Machine:
    """What came to exist. `address` and `mac` are those of the management NIC; `host_key` is the guest's pinned
    SSH host key as "ssh-ed25519 AAAA..." (empty before the first contact). `stand_in` is true where the node runs a
    container in place of the VM that was asked for; `instead_of` is the node that failed it before, where there was one.
    """

    name: str
    vmid: int
    node: str
    kind: str
    address: str
    mac: str
    host_key: str = ""
    stand_in: bool = False
    instead_of: str = ""


@dataclass(frozen=True)
class Wishes:
    """Written by the desk only. `round` goes up by one for each retry, reset or undo; `undo` is the round that goes back to
    what was kept. `hand` goes up by one each time the machines are given to another learner. `aside`: kept for a look only.
    """

    wanted: Wanted
    lease: Lease
    round: int = 1
    undo: int = 0
    hand: int = 0
    aside: bool = False


@dataclass(frozen=True)
class Facts:
    """Written by the runner only, and only under a claim that still holds.

    `round` is the last round in which the environment came to its wanted state, `hand` the last handing over that was done.
    """

    state: State = State.NEW
    round: int = 0
    doing: Step | None = None
    doing_since: datetime | None = None
    trouble: Trouble | None = None
    machines: tuple[Machine, ...] = field(default=())
    hand: int = 0
    kept: Kept | None = None


@dataclass(frozen=True)
class Ground:
    """The golden machines an environment stands on: whose clones its machines are. A look at another environment's facts."""

    environment: str
    state: State
    trouble: Trouble | None = None


@dataclass(frozen=True)
class Environment:
    """One seat's environment, or (`golden`) the machines that are configured once and become templates for seats. `plot` is
    unique among those that are not GONE. `ground` is None where machines are clones of the image's template.
    """

    id: str
    classroom: str
    seat: int
    plot: int
    wishes: Wishes
    facts: Facts
    golden: bool = False
    ground: Ground | None = None


@dataclass(frozen=True)
class Claim:
    """A worker's short exclusive hold on an environment; facts are written only while `fence` still is the newest."""

    environment: str
    holder: str
    fence: int
    until: datetime
