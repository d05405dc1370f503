"""Small stand-ins for the outside world, with failures as data. They keep to the ports' promises: every verb may be repeated.

Not for our own code: store, runner, desk and lifecycle are always the real ones.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from labctl import errors, ports, task_ports
from labctl.model import capacity, placing, tasks
from labctl.model import site as site_
from labctl.model.classroom import Classroom, Learner, Seat
from labctl.model.environment import Environment, Lease, Machine
from labctl.model.plan import Nic, Plan, PlannedAction, PlannedCheck, PlannedMachine, PlannedTask, SeatRef
from labctl.ports import Bundle, Removal, Rolled

VMIDS = 100_000
"""Where this installation's VMIDs begin: the default of a site."""

NOON = datetime(2030, 3, 4, 12, 0, tzinfo=UTC)


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def pass_(self, **span: float) -> None:
        self._now += timedelta(**span)


class CountingBell:
    """Remembers who was rung for."""

    def __init__(self) -> None:
        self.rung: list[str] = []
        self.broken = False

    def listen(self) -> None:
        if self.broken:
            raise errors.Unreachable("the broker does not answer.", hint="`labctl up` starts it.")

    def ring(self, environment: str) -> None:
        self.listen()
        self.rung.append(environment)


@dataclass
class Script:
    """What goes wrong: verb -> errors raised by its next calls, one each (None: that call goes well)."""

    failures: dict[str, list[Exception | None]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    during: dict[str, Callable[[], None]] = field(default_factory=dict)

    def meet(self, verb: str, environment: str) -> None:
        """Called half-way through each verb: some of its effects are already there."""
        self.calls.append((verb, environment))
        if happens := self.during.get(verb):
            happens()
        pending = self.failures.get(verb)
        if pending and (error := pending.pop(0)) is not None:
            raise error


class Cluster:
    """What exists outside: guests by environment, snapshots, wires. One JSON file, so that killed processes leave their traces."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._memory: dict[str, dict[str, object]] = {
            "guests": {},
            "snapshots": {},
            "wires": {},
            "configured": {},
            "dirty": {},
            "sealed": {},
            "templates": {},
            "off": {},
        }

    def read(self) -> dict[str, dict[str, object]]:
        if self._file is not None and self._file.exists():
            return json.loads(self._file.read_text())
        return self._memory

    def change(self, change: Callable[[dict[str, dict[str, object]]], object]) -> None:
        with self._lock:
            if self._file is None:
                change(self._memory)
                return
            with self._file.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._change_file(self._file, change)

    def _change_file(self, file: Path, change: Callable[[dict[str, dict[str, object]]], object]) -> None:
        things = self.read()
        change(things)
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps(things))
        draft.replace(file)

    def crumbs(self) -> list[str]:
        """Everything that is there and should not be once all is removed."""
        return [f"{kind}: {name}" for kind, things in self.read().items() for name in things]


class FakeProvisioner:
    """Guests as lines in a `Cluster`."""

    def __init__(self, cluster: Cluster, script: Script) -> None:
        self.cluster, self.script = cluster, script

    memory = 1_000_000
    """MiB free on each node."""
    site = site_.Site(cluster=site_.Cluster(secret_file="", ca_file=""))

    nodes: tuple[str, ...] = ()
    """Further nodes of the cluster, which share the storage of the others unless `local`."""
    local = False

    def preflight(self, plans: Sequence[Plan]) -> tuple[Plan, ...]:
        self.script.meet("preflight", plans[0].environment)
        supply = self.survey(plans)
        placed = placing.spread(plans, self.site, supply)
        answer = capacity.fit(placed, supply, len(placed), plots=len(placed))
        if not answer.fits:
            text, hint = capacity.refusal(answer)
            raise errors.Conflict(text, hint=hint)
        return placed

    def survey(self, plans: Sequence[Plan]) -> capacity.Supply:
        self.script.meet("survey", plans[0].environment)
        sources = placing.sources(plans, self.site)
        names = sorted({*self.nodes, *(node for node, _, _ in sources)})
        nodes = tuple(capacity.Node(name, self.memory, 1_000_000, "lab", shared=not self.local) for name in names)
        return capacity.Supply(nodes, {(node, vmid): 2048 for node, _, vmid in sources})

    def build(self, plan: Plan, progress: ports.Progress) -> tuple[Machine, ...]:
        made = []
        for planned in plan.machines:
            progress(f"{planned.name}: cloning template {planned.template}")
            self.cluster.change(lambda things, name=f"{plan.environment}-{planned.name}": things["guests"].update({name: plan.plot}))
            self.script.meet("build", plan.environment)
            made.append(Machine(planned.name, planned.vmid, planned.node, planned.kind, planned.address, planned.nics[0].mac))
        return tuple(made)

    def remove(self, environment: str, plot: int, progress: ports.Progress) -> Removal:
        def gone(things: dict[str, dict[str, object]]) -> None:
            for kind in ("guests", "snapshots", "configured", "dirty", "sealed", "templates"):
                for name in [name for name in things[kind] if name.startswith(environment)]:
                    del things[kind][name]

        removed = tuple(name for name in self.cluster.read()["guests"] if name.startswith(environment))
        progress(f"plot {plot}: removing")
        if removed:
            self.cluster.change(lambda things: things["guests"].pop(removed[0]))
        self.script.meet("remove", environment)
        self.cluster.change(gone)
        return Removal(removed=removed)

    def mark_ready(self, plan: Plan, progress: ports.Progress) -> None:
        progress("keeping the state ready")
        self.cluster.change(lambda things: things["snapshots"].update({plan.environment: True}))
        self.script.meet("mark_ready", plan.environment)

    def reset(self, plan: Plan, progress: ports.Progress, *, keep: str = "") -> Rolled:
        progress("rolling back")
        if plan.environment not in self.cluster.read()["snapshots"]:
            self.script.meet("reset", plan.environment)
            return Rolled(missing=tuple(machine.name for machine in plan.machines))

        def kept(things: dict[str, dict[str, object]]) -> None:
            mine = f"{plan.environment} before {keep}"
            if mine not in things["snapshots"]:
                self._forget(things, plan.environment)
                things["snapshots"][mine] = things["dirty"].get(plan.environment, "clean")

        self.cluster.change(kept)
        self.script.meet("reset", plan.environment)
        self.cluster.change(lambda things: things["dirty"].pop(plan.environment, None))
        return Rolled(kept=True)

    def go_back(self, plan: Plan, name: str, progress: ports.Progress) -> None:
        progress("going back")
        was = self.cluster.read()["snapshots"].get(f"{plan.environment} before {name}")
        self.script.meet("go_back", plan.environment)
        if was is None:
            raise errors.PermanentError("what was there before is not there any more.")
        self.cluster.change(lambda things: things["dirty"].update({plan.environment: was} if was != "clean" else {}))

    def ailing(self, machines: Sequence[Machine]) -> ports.Ailing:
        self.script.meet("ailing", "")
        off = self.cluster.read()["off"]
        return {machine.vmid: str(off[str(machine.vmid)]) for machine in machines if str(machine.vmid) in off}

    def wake(self, plan: Plan, progress: ports.Progress) -> None:
        for machine in plan.machines:
            self.cluster.change(lambda things, vmid=str(machine.vmid): things["off"].pop(vmid, None))
            self.script.meet("wake", plan.environment)
            progress(f"{machine.name}: started")

    def forget_kept(self, plan: Plan, progress: ports.Progress) -> None:
        self.script.meet("forget_kept", plan.environment)
        self.cluster.change(lambda things: self._forget(things, plan.environment))

    @staticmethod
    def _forget(things: dict[str, dict[str, object]], environment: str) -> None:
        for name in [name for name in things["snapshots"] if name.startswith(f"{environment} before")]:
            del things["snapshots"][name]

    def discard(self, plan: Plan, machines: Sequence[str], progress: ports.Progress) -> None:
        progress(f"taking away {', '.join(machines)}")
        for name in machines:
            self.cluster.change(lambda things, guest=f"{plan.environment}-{name}": things["guests"].pop(guest, None))
        self.script.meet("discard", plan.environment)

    def freeze(self, plan: Plan, machines: Sequence[Machine], seal: Callable[[Machine], None], progress: ports.Progress) -> None:
        for machine in machines:
            name = f"{plan.environment}-{machine.name}"
            if name not in self.cluster.read()["templates"]:
                seal(machine)
                assert name in self.cluster.read()["sealed"], "a template that was not sealed"
                self.cluster.change(lambda things, name=name: things["templates"].update({name: True}))
            self.script.meet("freeze", plan.environment)
            progress(f"{machine.name}: is a template now")

    def leftovers(self, living: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for name in self.cluster.read()["guests"] if name.split("-")[0] not in living)


class FakeWire:
    """Fixed neighbours, by plot."""

    def __init__(self, cluster: Cluster, script: Script) -> None:
        self.cluster, self.script = cluster, script

    def open(self, machines: Sequence[Machine]) -> None:
        self.cluster.change(lambda things: things["wires"].update({str(_plot(machines[0].vmid)): len(machines)}))
        self.script.meet("open", "")

    def close(self, plot: int) -> None:
        self.script.meet("close", "")
        self.cluster.change(lambda things: things["wires"].pop(str(plot), None))


def _plot(vmid: int) -> int:
    """Whose a VMID is, on a site whose range begins at 0 or at VMIDS."""
    return vmid // 32 % (VMIDS // 32)


class FakeConfigurator:
    """Ansible that takes a step at once."""

    def __init__(self, cluster: Cluster, script: Script) -> None:
        self.cluster, self.script = cluster, script

    def configure(self, plan: Plan, machines: Sequence[Machine], folder: Path, progress: ports.Progress) -> None:
        assert all(machine.host_key for machine in machines), "configure before first contact"
        assert folder.name
        progress("task 1")
        self.cluster.change(lambda things: things["configured"].update({plan.environment: True}))
        self.script.meet("configure", plan.environment)
        progress("task 2")


class FakeProber:
    """First contact and proof. A guest that was never configured, or that its learner broke, is not proven. `left_open`: environments
    with connections that wait for the next step.
    """

    def __init__(self, cluster: Cluster, script: Script) -> None:
        self.cluster, self.script = cluster, script
        self.left_open: set[str] = set()

    def enrol(self, plan: Plan, machines: Sequence[Machine], progress: ports.Progress) -> tuple[Machine, ...]:
        progress("first contact")
        self.script.meet("enrol", plan.environment)
        self.left_open.add(plan.environment)
        return tuple(replace(machine, host_key=f"ssh-ed25519 {machine.name}") for machine in machines)

    def leave(self, environment: str) -> None:
        self.left_open.discard(environment)

    def prove(
        self,
        plan: Plan,
        machines: Sequence[Machine],
        folder: Path,
        progress: ports.Progress,
        *,
        neighbours: ports.Neighbours | None = None,
    ) -> None:
        self.neighbours = neighbours
        assert all(machine.host_key for machine in machines)
        assert folder.name
        progress("logging in")
        self.script.meet("prove", plan.environment)
        things = self.cluster.read()
        missing = [planned.name for planned in plan.machines if f"{plan.environment}-{planned.name}" not in things["guests"]]
        if missing or plan.environment not in things["configured"] or (plan.checks and plan.environment in things["dirty"]):
            raise errors.CheckFailed("the check said no.")

    def seal(self, plan: Plan, machine: Machine, progress: ports.Progress) -> None:
        self.script.meet("seal", plan.environment)
        assert plan.environment in self.cluster.read()["configured"], "sealed before it was configured"
        self.cluster.change(lambda things: things["sealed"].update({f"{plan.environment}-{machine.name}": True}))
        progress(f"{machine.name}: sealed")


@dataclass
class FakeExaminer:
    """Looks that come out as they were told to, in turn: task -> what its next looks find (nothing: it passes). `during` happens while
    somebody looks.
    """

    finds: dict[str, list[task_ports.Exam]] = field(default_factory=dict)
    looked: list[tuple[str, str]] = field(default_factory=list)
    acted: list[tuple[str, str]] = field(default_factory=list)
    written: list[tuple[str, str, str]] = field(default_factory=list)
    during: Callable[[], None] = lambda: None
    broken: Exception | None = None

    def examine(self, plan: Plan, machines: Sequence[Machine], folder: Path, task: PlannedTask) -> task_ports.Exam:
        assert all(machine.host_key for machine in machines)
        assert folder.is_dir()
        self.looked.append((plan.environment, task.id))
        self.during()
        found = self.finds.get(task.id)
        return found.pop(0) if found else task_ports.Exam(tasks.Outcome.PASSED)

    def act(self, plan: Plan, machines: Sequence[Machine], folder: Path, actions: Sequence[PlannedAction]) -> None:
        assert folder.is_dir()
        if self.broken:
            raise self.broken
        self.acted += [(plan.environment, action.what) for action in actions]

    def write(self, plan: Plan, machine: Machine, path: str, content: str) -> None:
        if self.broken:
            raise self.broken
        self.written.append((machine.name, path, content))


class OwnHands:
    """Does what it is asked at once, itself; with `held` only when it is told to."""

    def __init__(self) -> None:
        self.held: list[tuple[Callable[[], None], Future[None]]] | None = None
        self.asked = threading.Semaphore(0)
        """Released for each thing that is held."""

    def do(self, work: Callable[[], None]) -> Future[None]:
        future: Future[None] = Future()
        if self.held is None:
            self._serve(work, future)
        else:
            self.held.append((work, future))
            self.asked.release()
        return future

    def go_on(self) -> None:
        held, self.held = self.held or [], None
        for work, future in held:
            self._serve(work, future)

    @staticmethod
    def _serve(work: Callable[[], None], future: Future[None]) -> None:
        try:
            work()
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(None)


class FakeShelf:
    """Frozen folders that are only named."""

    def folder(self, source: str) -> Path:
        return Path("/nowhere") / source.partition("@")[0]


class FakeKeys:
    """Files that hold no key."""

    def bundle(self, plan: Plan, machines: Sequence[Machine], until: datetime) -> Bundle:
        return Bundle(files={"config": f"{plan.principal} until {until:%H:%M}"}, hosts=tuple(machine.name for machine in machines))

    def certify(self, public_key: str, login: str, principal: str, until: datetime, *, shell: bool = True) -> str:
        return f"{public_key} for {login} on {principal} until {until:%H:%M}"


@dataclass
class Places:
    """Other nodes, in the order in which they are taken."""

    nodes: list[str] = field(default_factory=list)
    gone: str = ""
    replaced: list[str] = field(default_factory=list)

    def away(self, plan: Plan) -> str:
        return self.gone

    def replace(self, env: Environment, plan: Plan, node: str) -> bool:
        self.replaced.append(node)
        return True

    def elsewhere(self, plan: Plan, node: str) -> Plan:
        if not self.nodes:
            raise errors.Conflict("there is no other node.")
        goes = self.nodes.pop(0)
        machines = tuple(machine.model_copy(update={"node": goes}) for machine in plan.machines)
        return plan.model_copy(update={"machines": machines, "avoid": (*plan.avoid, node)})


@dataclass
class NoTraces:
    """labctl's own files, of which there are none."""

    cleared: list[str] = field(default_factory=list)

    def clear(self, environment: Environment) -> tuple[str, ...]:
        self.cleared.append(environment.id)
        return ()


_numbers = itertools.count(1)


def plan(environment: str, plot: int, *, classroom: str = "monday", seat: int = 1, machines: Sequence[str] = ("box",)) -> Plan:
    """A plan with a secret in it."""
    return Plan(
        environment=environment,
        installation="labctl",
        plot=plot,
        pool=f"labs/{environment}",
        zone="labs",
        classroom=classroom,
        blueprint="first-steps",
        source="first-steps@sha256:abc",
        seat=SeatRef(number=seat, name="Ada", login="ada"),
        principal=f"seat-{classroom}-{seat}",
        machines=tuple(_machine(plot, index, name) for index, name in enumerate(machines, start=1)),
        networks=(),
        steps=(),
        checks=(PlannedCheck(kind="run", what="true", machine=machines[0]),),
        variables=({"name": "flag", "value": "FLAG-very-secret", "shown": False},),  # type: ignore[arg-type]
    )


def _machine(plot: int, index: int, name: str) -> PlannedMachine:
    nic = Nic(index=0, network=None, vnet="labmgmt", mac=f"bc:24:11:00:{plot:02x}:{index:02x}", address=f"100.64.{plot}.{index}/16")
    return PlannedMachine(
        name=name,
        vmid=VMIDS + plot * 32 + index,
        node="sandbox",
        template=9001,
        kind="container",
        image="debian-12",
        hostname=name,
        cpus=1,
        memory=128,
        nics=(nic,),
    )


def classroom(seats: int = 1, *, slug: str = "monday", now: datetime = NOON, hours: float = 8) -> Classroom:
    """A class that begins now, with learners on all seats."""
    return Classroom(
        slug=slug,
        title="Monday",
        blueprint="first-steps",
        digest="sha256:abc",
        lease=Lease(now, now + timedelta(hours=hours)),
        opened=now,
        trainer="tess",
        seats=tuple(
            Seat(slug, number, Learner(f"Learner {number}", f"l{number}@example.org", f"l{number}"), f"e{next(_numbers):09d}")
            for number in range(1, seats + 1)
        ),
    )


def plans_for(room: Classroom, machines: Sequence[str] = ("box",)) -> Callable[[Sequence[int]], Sequence[Plan]]:
    """What `Classrooms.open` calls with the plots it drew."""

    def plans(plots: Sequence[int]) -> Sequence[Plan]:
        pairs = zip(room.seats, plots, strict=True)
        return [plan(seat.environment, plot, classroom=room.slug, seat=seat.number, machines=machines) for seat, plot in pairs]

    return plans
