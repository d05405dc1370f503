"""What spans several blocks of a valid blueprint: names, sums, machines that wait for each other, images, routes.

Run only when every block is right by itself. Networks and addresses are in `crosschecks_networks`, steps, checks and references in
`crosschecks_steps`, tasks in `crosschecks_tasks`. Nothing here knows a site.
"""

from __future__ import annotations

from collections.abc import Iterator

from labctl.model import blueprint as language
from labctl.model import crosschecks_networks, crosschecks_steps, crosschecks_tasks, inventory, marked, references
from labctl.model.finding import Finding

MOST_MACHINES = 24


def findings(blueprint: language.Blueprint) -> Iterator[Finding]:
    """Everything that is wrong, in no order."""
    named = [*_names(blueprint), *_sizes(blueprint)]
    yield from named
    if named:
        return
    yield from _machines(blueprint)
    yield from _waits(blueprint)
    yield from crosschecks_networks.findings(blueprint)
    yield from _apps(blueprint)
    yield from crosschecks_steps.findings(blueprint)
    yield from crosschecks_tasks.findings(blueprint)


def _names(blueprint: language.Blueprint) -> Iterator[Finding]:
    """Machines, networks, apps and groups share one name space; a counted machine takes its numbered names too."""
    owners: dict[str, str] = {}
    places: list[tuple[str, str, tuple[str | int, ...]]] = [("network", name, ("networks", name)) for name in blueprint.networks]
    for machine in inventory.machines(blueprint):
        places.append(("machine", machine.name, ("machines", machine.base)))
        if machine.number == 1:
            places.append(("machine", machine.base, ("machines", machine.base)))
        if len(machine.name) > 24:
            yield Finding(("machines", machine.base), f"'{machine.name}' is longer than 24; choose a shorter name", at_key=True)
    places += [("app", name, ("apps", name)) for name in blueprint.apps]
    places += [
        ("group", group, ("machines", name, "groups", number))
        for name, block in blueprint.machines.items()
        for number, group in enumerate(block.groups)
    ]
    for kind, name, loc in places:
        owner = owners.setdefault(name, kind)
        if owner != kind or (kind == "machine" and [place[:2] for place in places].count((kind, name)) > 1 and loc[1] != name):
            yield Finding(loc, f"'{name}' is already the name of {'an' if owner == 'app' else 'a'} {owner}; choose another", at_key=True)


def _sizes(blueprint: language.Blueprint) -> Iterator[Finding]:
    number = sum(block.count for block in blueprint.machines.values())
    if number > MOST_MACHINES:
        yield Finding(("machines",), f"{number} machines (after count) are more than the {MOST_MACHINES} a blueprint may have", at_key=True)


def _machines(blueprint: language.Blueprint) -> Iterator[Finding]:
    members = inventory.machines(blueprint)
    known = {machine.name: machine.name for machine in members}
    for name, block in blueprint.machines.items():
        yield from _dns_names(known, name, block)
    for name, block in blueprint.machines.items():
        yield from _machine(blueprint, name, block)


def _dns_names(known: dict[str, str], name: str, block: language.Machine) -> Iterator[Finding]:
    """No two machines answer to one name; what is `count` machines has no name of its own for all of them."""
    loc = ("machines", name)
    written: list[tuple[marked.Loc, str, str]] = [((*loc, "aliases", place), "alias", alias) for place, alias in enumerate(block.aliases)]
    if block.hostname:
        written.append(((*loc, "hostname"), "hostname", block.hostname))
    for place, what, text in written:
        owner = known.setdefault(text.lower(), name)
        if block.count > 1:
            yield Finding(place, f"'{name}' is {block.count} machines and cannot have one {what}")
        elif owner != name:
            yield Finding(place, f"{what} '{text}' is already taken by '{owner}'")


def _machine(blueprint: language.Blueprint, name: str, block: language.Machine) -> Iterator[Finding]:
    machine = next(machine for machine in inventory.machines(blueprint) if machine.base == name)
    loc = ("machines", name)
    image = machine.get("image")
    if image is None:
        yield Finding(loc, "'image' is missing, here or in 'defaults'", at_key=True)
    if block.nics is None and len(blueprint.networks) > 1:
        yield Finding(loc, f"'{name}' must say its nics, for there are several networks", at_key=True)
    kind, memory = machine.get("kind"), machine.get("memory")
    if block.memory_min is not None and kind == "container":
        yield Finding((*loc, "memory_min"), "'memory_min' is for a vm; a container has no balloon", at_key=True)
    if block.memory_min is not None and block.memory_min > memory:
        yield Finding((*loc, "memory_min"), f"'memory_min' is more than the machine's memory ({size(memory)})")
    if "desktop" in machine.get("access") and kind == "container":
        text = f"container '{name}' has no screen; use kind: vm for a desktop, or publish a web desktop under apps"
        yield Finding((*loc, "access") if block.access is not None else loc, text, at_key=True)
    described = blueprint.images.get(image or "")
    if described is not None:
        yield from _described(loc, machine, described)
    if (password := machine.get("password")) is not None:
        place = (*loc, "password") if block.password is not None else ("defaults", "password")
        if complaint := references.refusal(blueprint, references.paths(password)[0]):
            yield Finding(place, complaint)


def _described(loc: tuple[str, ...], machine: inventory.Machine, image: language.Image) -> Iterator[Finding]:
    name = machine.get("image")
    if machine.get("kind") not in image.kinds:
        yield Finding(loc, f"image '{name}' is for {' and '.join(image.kinds)}, not for a {machine.get('kind')}", at_key=True)
    for key, least in (("memory", image.min_memory), ("disk", image.min_disk)):
        has = machine.get(key)
        if least is not None and has is not None and has < least:
            yield Finding((*loc, key), f"image '{name}' needs at least {size(least)} of {key}, not {size(has)}")


def _apps(blueprint: language.Blueprint) -> Iterator[Finding]:
    for name, block in blueprint.apps.items():
        if complaint := references.no_machine(blueprint, block.machine):
            yield Finding(("apps", name, "machine"), complaint)


def _waits(blueprint: language.Blueprint) -> Iterator[Finding]:
    for name, block in blueprint.machines.items():
        for number, other in enumerate(block.after):
            if other not in blueprint.machines and other not in {machine.name for machine in inventory.machines(blueprint)}:
                yield Finding(("machines", name, "after", number), references.absent("machine", other, blueprint.machines))
    if circle := _circle(after(blueprint)):
        first = circle[0]
        yield Finding(("machines", first, "after"), f"machines wait for each other: {' -> '.join(circle)}")


def after(blueprint: language.Blueprint) -> dict[str, tuple[str, ...]]:
    """Machine as written -> machines as written that must answer first."""
    bases = {machine.name: machine.base for machine in inventory.machines(blueprint)}
    return {name: tuple(bases.get(other, other) for other in block.after) for name, block in blueprint.machines.items()}


def _circle(waits: dict[str, tuple[str, ...]]) -> list[str]:
    """A circle of waiting machines, beginning with the one written first; empty when there is none."""
    done: set[str] = set()

    def follow(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done or name not in waits:
            return []
        for other in waits[name]:
            if circle := follow(other, [*way, name]):
                return circle
        done.add(name)
        return []

    for name in waits:
        if circle := follow(name, []):
            return circle
    return []


def size(mebibytes: int) -> str:
    """A size as the language writes it."""
    return f"{mebibytes // 1024}G" if mebibytes % 1024 == 0 else f"{mebibytes}M"
