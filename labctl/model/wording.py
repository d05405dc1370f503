"""What pydantic found, in the language's own words and at the right place (`blueprint.md` 3, Errors).

An unknown key is explained: a slip of the pen, a word of another system, a key of another block. The texts of types are made in
`labctl.model.scalars`; this room words what pydantic itself notices.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator
from typing import Any

import pydantic

from labctl import errors
from labctl.model import blueprint, blueprint_apps, blueprint_steps, blueprint_tasks, blueprint_variables, marked
from labctl.model.block import Block

FOREIGN = {
    "ram": "memory", "mem": "memory", "ram_gb": "memory", "cores": "cpus", "cpu": "cpus", "vcpu": "cpus", "sockets": "cpus",
    "template": "image", "box": "image", "base_box": "image", "os": "image", "subnet": "cidr", "address": "nics", "ip": "nics",
    "interfaces": "nics", "net": "nics", "score": "points", "license": "licence", "depends_on": "after", "requires": "after",
    "vms": "machines", "hosts": "machines", "virtualmachines": "machines", "nodes": "machines", "environment": "vars", "env": "vars",
    "user": "login", "username": "login", "packages_list": "packages", "version": "labctl", "name": "title", "metadata": "about",
    "steps": "configure", "provision": "configure", "playbooks": "configure", "checks": "ready", "health": "ready", "url": "http",
    "command": "run", "cmd": "run", "replicas": "count", "router": "forwards", "dependencies": "after",
}  # fmt: skip
"""Words of other systems -> ours. Used only where our word is a key of the block."""

BLOCKS: tuple[tuple[str, type[Block]], ...] = (
    ("the top level", blueprint.Blueprint),
    ("about", blueprint.About),
    ("machines", blueprint.Machine),
    ("networks", blueprint.Network),
    ("variables", blueprint_variables.Variable),
    ("configure", blueprint_steps.Step),
    ("ready", blueprint_steps.Check),
    ("tasks", blueprint_tasks.Task),
    ("answer", blueprint_tasks.Answer),
    ("choices", blueprint_tasks.Choice),
    ("hints", blueprint_tasks.Hint),
    ("setup and solve", blueprint_tasks.Action),
    ("images", blueprint.Image),
    ("apps", blueprint_apps.App),
    ("times", blueprint.Times),
    ("defaults", blueprint.Defaults),
    ("skills", blueprint.Skill),
)
ELSEWHERE = {
    "from": "firewall", "to": "firewall", "ports": "firewall",
}  # fmt: skip
"""Keys of blocks that are not built yet."""


def complaints(tree: marked.Tree, error: pydantic.ValidationError) -> list[errors.Complaint]:
    """Every finding of pydantic as a complaint at its line and column."""
    return [complaint for finding in error.errors() for complaint in _complaint(tree, finding)]


def _complaint(tree: marked.Tree, finding: Any) -> Iterator[errors.Complaint]:
    loc: marked.Loc = finding["loc"]
    if loc and loc[-1] == "[key]":
        yield tree.complaint(tree.key_mark(loc[:-1]), finding["msg"])
    elif finding["type"] == "extra_forbidden":
        yield tree.complaint(tree.key_mark(loc), unknown(loc))
    elif finding["type"] == "missing":
        yield tree.complaint(tree.key_mark(loc[:-1]), f"'{loc[-1]}' is missing")
    elif finding["type"] in {"model_type", "model_attributes_type", "dict_type"}:
        empty = finding["input"] is None
        yield tree.complaint(tree.key_mark(loc) if empty else tree.value_mark(loc), _not_a_block(loc, finding["input"]))
    elif finding["type"] == "labctl_key":
        yield tree.complaint(tree.key_mark(loc), finding["msg"])
    else:
        yield tree.complaint(tree.value_mark(loc), _plain(finding))


def _not_a_block(loc: marked.Loc, value: Any) -> str:
    name = f"'{loc[-1]}'" if loc and isinstance(loc[-1], str) else "this"
    if value is None:
        return f"{name} must be a block of keys, but has no value"
    return f"{name} must be a block of keys, not a {'list' if isinstance(value, list) else 'single value'}"


def _plain(finding: Any) -> str:
    value, context = finding["input"], finding.get("ctx", {})
    words = {
        "literal_error": lambda: f"'{value}' is not possible; one of {_choices(context['expected'])}",
        "greater_than_equal": lambda: f"{value} is too small; at least {context['ge']}",
        "less_than_equal": lambda: f"{value} is too large; at most {context['le']}",
    }
    word = words.get(finding["type"])
    return word() if word else str(finding["msg"])


def _choices(expected: str) -> str:
    return expected.replace(" or ", ", ").replace("'", "")


def unknown(loc: marked.Loc) -> str:
    """What to say of a key that its block does not have."""
    key = str(loc[-1])
    block = block_at(loc[:-1])
    known = keys_of(block)
    if close := difflib.get_close_matches(key, known, n=1, cutoff=0.72):
        return f"unknown key '{key}'; did you mean '{close[0]}'?"
    if FOREIGN.get(key) in known:
        return f"unknown key '{key}'; did you mean '{FOREIGN[key]}'?"
    for name, other in BLOCKS:
        if key in keys_of(other) and other is not block:
            return f"'{key}' does not belong here; it is a key of {name}"
    if key in ELSEWHERE:
        return f"'{key}' does not belong here; it is a key of {ELSEWHERE[key]}"
    return f"unknown key '{key}'; known here: {', '.join(known)}"


def keys_of(block: type[Block]) -> list[str]:
    """The keys of a block as authors write them."""
    return [field.alias or name for name, field in block.model_fields.items()]


def block_at(loc: marked.Loc) -> type[Block]:
    """The block that stands at this place of a blueprint."""
    here: Any = blueprint.Blueprint
    for part in loc:
        if isinstance(here, type) and issubclass(here, Block):
            fields = {field.alias or name: field.annotation for name, field in here.model_fields.items()}
            here = _inside(fields.get(str(part)))
        else:
            here = _inside(typing.get_args(here)[0 if isinstance(part, int) else 1])
    return typing.cast("type[Block]", here)


def _inside(annotation: Any) -> Any:
    """Without Annotated and `| None`."""
    while typing.get_origin(annotation) not in {dict, tuple, None}:
        arguments = [argument for argument in typing.get_args(annotation) if argument is not type(None)]
        annotation = arguments[0]
    return annotation
