"""Cross-checks of steps, checks and every reference in them (`blueprint.md` 8, 9, 11)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from labctl.model import blueprint as language
from labctl.model import blueprint_steps, inventory, marked, references
from labctl.model.finding import Finding

_CHECK_TEXTS = ("run", "http", "tcp", "file", "output", "body", "contains")


def findings(blueprint: language.Blueprint) -> Iterator[Finding]:
    """Everything about steps and checks."""
    for number, step in enumerate(blueprint.configure):
        yield from _step(blueprint, number, step)
    for number, one in enumerate(blueprint.ready):
        yield from check(blueprint, ("ready", number), one)


def _step(blueprint: language.Blueprint, number: int, step: blueprint_steps.Step) -> Iterator[Finding]:
    loc: marked.Loc = ("configure", number)
    members = inventory.machines(blueprint)
    hosts = {name for machine in members for name in (machine.name, machine.base)} | set(inventory.groups(blueprint, members))
    if step.hosts is None and len(members) > 1:
        yield Finding(loc, "this step must say its hosts, for there are several machines")
    for place, host in enumerate(step.hosts or ()):
        if host not in hosts:
            yield Finding((*loc, "hosts", place), references.absent("machine or group", host, sorted(hosts)))
    for inside, text in references.scattered({"vars": step.vars, "content": step.content}):
        for path in references.paths(text):
            if complaint := references.refusal(blueprint, path):
                yield Finding((*loc, *inside), complaint)
            elif step.bake and references.later(blueprint, path):
                name = ".".join(path)
                text_ = f"this step is baked into the golden image, but {name} is only known later; say bake: false"
                yield Finding((*loc, *inside), text_)
            else:
                yield from _flag_in_reach(blueprint, step, (*loc, *inside), path)


def _flag_in_reach(blueprint: language.Blueprint, step: blueprint_steps.Step, loc: marked.Loc, path: tuple[str, ...]) -> Iterator[Finding]:
    """A flag is for finding: whoever administers the machine it lies on has it already."""
    variable = blueprint.variables.get(path[0])
    if variable is None or variable.random != "flag":
        return
    hosts = inventory.chosen(blueprint, step.hosts)
    for machine in inventory.machines(blueprint):
        if machine.name in hosts and machine.get("access") and machine.get("sudo"):
            where = f"'{path[0]}' is put on '{machine.name}', where the learner is administrator"
            text = f"{where}; if '{machine.name}' is a target, say access: []"
            yield Finding(loc, text, warning=True)


def check(blueprint: language.Blueprint, loc: marked.Loc, check: blueprint_steps.Check) -> Iterator[Finding]:
    """One check, of `ready` or of a task."""
    yield from place(blueprint, loc, check.machine, "check")
    yield from texts(blueprint, loc, {key: getattr(check, key) for key in _CHECK_TEXTS})


def place(blueprint: language.Blueprint, loc: marked.Loc, machine: str | None, what: str) -> Iterator[Finding]:
    """Where a check or an action happens: one machine, and it is there."""
    if machine is None and len(inventory.machines(blueprint)) > 1:
        yield Finding(loc, f"this {what} must say its machine, for there are several")
    elif machine is not None and (complaint := references.no_machine(blueprint, machine)):
        yield Finding((*loc, "machine"), complaint)


def texts(blueprint: language.Blueprint, loc: marked.Loc, found: Mapping[str, str | None]) -> Iterator[Finding]:
    """The references in these keys; `run` is a command, which some values would take apart."""
    for key, text in found.items():
        for path in references.paths(text or ""):
            if complaint := references.refusal(blueprint, path):
                yield Finding((*loc, key), complaint)
            elif key == "run" and not references.safe_in_command(blueprint, path):
                yield Finding((*loc, key), _unsafe(path))


def _unsafe(path: tuple[str, ...]) -> str:
    if path[0] == "apps":
        return f"'{'.'.join(path)}' holds signs that a shell takes apart; look at it with a check of kind http"
    instead = f"its environment variable $LAB_{path[0].upper()}" if len(path) == 1 else "seat.login or seat.number"
    return f"'{'.'.join(path)}' may hold blanks or quotes; in a command use {instead}"
