"""How a struck task ends. The stroke travels from the call to the task it starts in the thread that handles the call.

A worker that is cut off half-way is cut at the first line it writes (or when it ends, if it writes none): its own undoing has run, its
locks are free and the log lacks its last line, as `recovery` leaves it. With `locked: true` the guest keeps its `lock` as a worker
killed with SIGKILL leaves it: then only root's `qm unlock` helps (`proxmox-truth.md` 2.1, task DELETE).
"""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labctl.sandbox.faults import rules, striking, wording

if TYPE_CHECKING:
    from labctl.sandbox import state as state_
    from labctl.sandbox import tasks

_carried = threading.local()


class CutOff(BaseException):
    """The worker is gone. Not an Exception: nothing of the worker's own may take it for trouble and go on."""


@dataclass(frozen=True)
class Stroke:
    """A rule on its way to a task."""

    rule: rules.Rule
    call: striking.Call


@contextlib.contextmanager
def carrying(struck: striking.Struck | None) -> Iterator[None]:
    """While the call is handled in this thread, the task it starts is struck."""
    _carried.stroke = Stroke(struck.task, struck.call) if struck and struck.task else None
    try:
        yield
    finally:
        _carried.stroke = None


def take() -> Stroke | None:
    """Asked by a task that starts: its stroke, which then is used up."""
    stroke: Stroke | None = getattr(_carried, "stroke", None)
    _carried.stroke = None
    return stroke


def work(stroke: Stroke | None, worker: tasks.Worker, job: tasks.Job, state: state_.State, pace: float) -> str:
    """Do the work as far as it is let; OK or WARNINGS. Raises what the worker raises, a refusal, or `CutOff`."""
    if stroke is None:
        worker(job)
        return "OK"
    return _ENDS.get(stroke.rule.kind.name, _error)(stroke, worker, job, state, pace)


def _error(stroke: Stroke, worker: tasks.Worker, job: tasks.Job, _state: state_.State, _pace: float) -> str:
    refusal = wording.refusal(stroke.rule, stroke.call)
    if stroke.rule.after:
        worker(job)
    elif stroke.call.method.template in _UNDONE:
        # The call itself has claimed the new VMID already: the worker has to begin, and to undo it.
        _cut_at_first_line(job, lambda: refusal)
        worker(job)
    raise refusal


def _warnings(_stroke: Stroke, worker: tasks.Worker, job: tasks.Job, _state: state_.State, _pace: float) -> str:
    worker(job)
    job.say("WARN: something was not as it should be")
    return "WARNINGS: 1"


def _slow(stroke: Stroke, worker: tasks.Worker, job: tasks.Job, _state: state_.State, pace: float) -> str:
    # The length of the work is the fault itself; the wait ends early when the task is deleted.
    job.killed.wait(stroke.rule.seconds * pace)
    worker(job)
    return "OK"


def _node_failed(_stroke: Stroke, _worker: tasks.Worker, job: tasks.Job, _state: state_.State, _pace: float) -> str:
    job.say("error reloading network config: command 'ifreload -a' failed: exit code 1")
    return "OK"


def _interrupted(stroke: Stroke, worker: tasks.Worker, job: tasks.Job, _state: state_.State, _pace: float) -> str:
    refusal = wording.refusal(stroke.rule, stroke.call)
    _cut_at_first_line(job, lambda: refusal)
    worker(job)
    raise refusal


def _killed(stroke: Stroke, worker: tasks.Worker, job: tasks.Job, state: state_.State, _pace: float) -> str:
    left: dict[str, Any] = {}

    def cut() -> CutOff:
        if stroke.rule.locked:
            left.update(_locked(stroke, state))
        return CutOff()

    if not stroke.rule.after:
        _cut_at_first_line(job, cut)
    try:
        worker(job)
    finally:
        with state.change() as content:
            content["guests"].update(left)
    raise CutOff


def _locked(stroke: Stroke, state: state_.State) -> dict[str, Any]:
    """The guests of this call that carry a lock now, as they are."""
    mine = {stroke.call.vmid, str(stroke.call.params.get("newid", ""))}
    with state.reading() as content:
        return {vmid: copy.deepcopy(guest) for vmid, guest in content["guests"].items() if vmid in mine and guest["config"].get("lock")}


def _cut_at_first_line(job: tasks.Job, made: Callable[[], BaseException]) -> None:
    def cut() -> None:
        job.between = None
        raise made()

    job.between = cut


_GUESTS = "/nodes/{node}/qemu", "/nodes/{node}/lxc"
_UNDONE = frozenset({*_GUESTS, *(f"{path}/{{vmid}}/clone" for path in _GUESTS)})
"""Methods whose worker undoes what was begun before it (`proxmox-truth.md` 3.5)."""

End = Callable[[Stroke, "tasks.Worker", "tasks.Job", "state_.State", float], str]
_ENDS: dict[str, End] = {
    "task-warnings": _warnings,
    "task-slow": _slow,
    "sdn-node-failed": _node_failed,
    "task-interrupted": _interrupted,
    "task-killed": _killed,
}
