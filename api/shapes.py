"""What goes over the wire, as pydantic shapes. How nouns of the model become them is in `api.shown`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from labctl.model import moments

BLUEPRINT_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""No slashes: through the API a blueprint is named, never a path of labctl's machine."""

Moment = Annotated[AwareDatetime, AfterValidator(moments.plain)]
"""A moment that somebody names, in UTC."""


class Shape(BaseModel):
    """Closed: a key nobody knows is a mistake."""

    model_config = ConfigDict(extra="forbid")


class Health(Shape):
    """The API runs. Whether all it needs answers too is in /status."""

    status: Literal["ok"] = "ok"
    version: str


class Part(Shape):
    """One thing the API needs, and what it said when asked."""

    name: str
    well: bool
    text: str


class State(Shape):
    """How labctl is."""

    version: str
    well: bool = Field(description="Whether every part is well.")
    parts: list[Part]


class Me(Shape):
    """Whose token it is."""

    name: str
    role: str
    classroom: str | None = Field(default=None, description="A learner's classroom.")
    seat: int | None = Field(default=None, description="A learner's seat in it.")


class TroubleShape(Shape):
    """Which step did not settle and why. `retry_at` empty: it waits for a person (reset, or close)."""

    step: str
    reason: str
    attempts: int
    since: datetime
    retry_at: datetime | None = None


class MachineShape(Shape):
    """What came to exist. `stand_in`: the node runs a container in place of the VM that was asked for."""

    name: str
    vmid: int
    node: str
    kind: str
    address: str
    stand_in: bool = False
    instead_of: str = Field(default="", description="The node that failed it before, so that it was built on this one.")


class SeatShape(Shape):
    """One seat, and what is true of its environment now. `status` is the one word that people see."""

    classroom: str
    number: int
    learner: str | None
    login: str | None
    environment: str
    status: str = Field(examples=["ready", "building", "configuring", "proving", "failed"])
    state: str
    doing: str | None = Field(default=None, description="The step a worker does now.")
    doing_since: datetime | None = None
    note: str = Field(default="", description="The journal's newest line of this environment.")
    trouble: TroubleShape | None = None
    machines: list[MachineShape] = Field(default_factory=list)
    round: int = 1
    spare: bool = Field(default=False, description="A seat without a learner, ready to take the place of another.")
    aside: bool = Field(default=False, description="Machines that were taken from a learner's seat; not a spare any more.")
    undo_until: datetime | None = Field(default=None, description="Until when the last reset can be undone.")
    hand_since: datetime | None = Field(default=None, description="Since when the learner waits for help; empty: no hand is up.")
    joining: str = Field(default="", description="Of trainers who want to type along: asked, allowed, refused, or empty.")
    joining_by: str = Field(default="", description="Who asked.")
    guide_page: int = Field(default=0, description="The furthest page of the guide that its learner came to; 0: none yet.")
    guide_pages: int = Field(default=0, description="Of how many.")
    tasks: int = Field(default=0, description="How many tasks there are.")
    tasks_done: int = Field(default=0, description="How many of them are done or given up.")
    points: int = Field(default=0, description="Points they brought.")
    tasks_changed: datetime | None = Field(default=None, description="When something about the tasks was last written.")


class EnvironmentShape(Shape):
    """One seat's machines: what is wanted (`wanted`, lease, `round`) and what is true."""

    id: str
    classroom: str
    seat: int
    plot: int
    status: str
    wanted: str
    state: str
    doing: str | None = None
    starts: datetime
    ends: datetime
    round: int
    trouble: TroubleShape | None = None
    machines: list[MachineShape] = Field(default_factory=list)


class BlueprintShape(Shape):
    """A course. `broken` says why it cannot be used; then the rest is empty."""

    name: str
    title: str
    area: str
    level: str
    summary: str
    digest: str
    machines: int
    broken: str = ""


class GoldenShape(Shape):
    """One set of golden machines: a blueprint's machines, configured once, as templates for seats."""

    name: str = Field(examples=["golden.1f2e3d4c5b6a"])
    blueprint: str
    digest: str
    status: str = Field(examples=["building", "configuring", "baking", "ready", "removing"])
    environment: str
    opened: datetime
    fresh_until: datetime = Field(description="From then on it is removed as soon as nothing stands on it.")
    classes: list[str] = Field(description="Classes whose machines stand on it.")
    seats: int = Field(description="How many environments stand on it.")
    trouble: TroubleShape | None = None
    machines: list[MachineShape] = Field(default_factory=list)


class Counts(Shape):
    """How many learners' seats have each status word; spares are counted by themselves."""

    seats: int
    ready: int
    words: dict[str, int] = Field(description="Status word -> seats.")
    spares: int = Field(default=0, description="Spares there are, used ones not counted.")
    spares_ready: int = 0


class ClassroomShape(Shape):
    """A classroom without its seats."""

    slug: str
    title: str
    blueprint: str
    digest: str
    trainer: str
    opened: datetime
    starts: datetime
    ends: datetime
    closed: datetime | None = None
    counts: Counts
    guests: Literal["real", "paper"] = "real"
    """Paper guests have no substance: nobody can log in to them."""
    message: str = Field(default="", description="The newest message to everybody in the class.")


class Board(Shape):
    """A whole classroom at one moment."""

    classroom: ClassroomShape
    seats: list[SeatShape]
    now: datetime


class LineShape(Shape):
    """One line of the journal, which is the audit trail."""

    number: int
    at: datetime
    environment: str
    step: str
    text: str
    who: str


class Accepted(Shape):
    """It was taken up; `look` is where to see it come about (also in the Location header)."""

    what: str
    look: str


class TokenShape(Shape):
    """A token's owner; never the secret."""

    name: str
    role: str
    environment: str | None = None
    expires: datetime | None = None


class NewToken(Shape):
    """Wanted: a token. A learner's token needs classroom and seat."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", examples=["eva"])
    role: Literal["trainer", "it", "learner"]
    classroom: str | None = Field(default=None, max_length=100)
    seat: int | None = Field(default=None, ge=1, le=100_000)
    expires: Moment | None = None


class Secret(Shape):
    """A new token, shown this once."""

    token: TokenShape
    secret: str


class OpenClassroom(Shape):
    """Wanted: a classroom. `roster` is the CSV's text (columns name and email, optionally login)."""

    blueprint: str = Field(max_length=100, pattern=BLUEPRINT_NAME, examples=["web-attack-basics"])
    name: str = Field(max_length=100, description="The classroom's slug, unique among open classrooms.", examples=["monday"])
    roster: str = Field(max_length=1_000_000, examples=["name,email\nAda Lovelace,ada@example.org\n"])
    title: str = Field(default="", max_length=200)
    starts: Moment | None = Field(default=None, description="Empty: now.")
    ends: Moment | None = Field(default=None, description="Empty: after the blueprint's usual duration.")
    answers: dict[str, str | int | bool] = Field(
        default_factory=dict, description="Values for the blueprint's variables that a trainer may set."
    )
    seats: int | None = Field(default=None, ge=1, le=100_000, description="Only the first so many of the roster.")
    spares: int = Field(default=0, ge=0, le=100, description="Seats without a learner, made ready like the others.")
    may_join: bool = Field(default=False, description="Learners agree beforehand that trainers type in their terminals.")


class FitClassroom(Shape):
    """Asked: would such a class fit?"""

    blueprint: str = Field(max_length=100, pattern=BLUEPRINT_NAME, examples=["web-attack-basics"])
    seats: int = Field(ge=1, le=5000)
    spares: int = Field(default=0, ge=0, le=100)
    starts: Moment | None = Field(default=None, description="Empty: now.")
    answers: dict[str, str | int | bool] = Field(default_factory=dict)


class SwapSeat(Shape):
    """Wanted: a spare's machines for this seat. `keep` the old ones for a look; `refill`: make a new spare."""

    keep: bool = False
    refill: bool = False


class Swapped(Shape):
    """`spare` is the seat that has the old machines now; `added` a new spare's, or `not_added` says why there is none."""

    what: str
    look: str
    seat: int
    spare: int
    kept: bool
    added: int | None = None
    not_added: str = ""


class Extend(Shape):
    """Wanted: a later end."""

    until: Moment


class BundleShape(Shape):
    """A learner's own files for plain OpenSSH: name -> content. Holds a private key."""

    files: dict[str, str]
    hosts: list[str]


class Page(Shape):
    """How a list is read in parts."""

    after: Annotated[int, Field(ge=0, le=2**62, description="Only lines with a greater number.")] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 200
