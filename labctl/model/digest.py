"""Digests of a blueprint: what it is, apart from how it is written (`blueprint.md` 18).

The canonical form is JSON (RFC 8785) of the validated model without default values, with the order of machines, networks and nics kept
because it has a meaning. So comments, quoting, key order elsewhere and defaults written out change nothing; a new optional key of a
later labctl does not change old digests. Files come in as values; `labctl.drivers.shelf` reads them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from labctl.model import blueprint as language
from labctl.model import blueprint_variables, inventory

SHOWN = 12
"""Digits of a digest that people see."""


@dataclass(frozen=True, order=True)
class File:
    """One file of the blueprint's folder; `path` with `/`, `mode` "100644" or "100755", `sha256` of its content in hex."""

    path: str
    mode: str
    sha256: str


@dataclass(frozen=True)
class Digests:
    """`machines`: what would be built. `teaching`: what is only shown and asked. `blueprint`: both; "sha256:..." each. `files`: of
    the files alone that decide what would be built.
    """

    machines: str
    teaching: str
    blueprint: str
    files: str = ""


def of(blueprint: language.Blueprint, files: Iterable[File]) -> Digests:
    """The digests of a blueprint with its files."""
    every = sorted(file for file in files if counts(file.path))
    teaching_files = [file for file in every if _teaches(file.path)]
    machine_files = [file for file in every if not _teaches(file.path)]
    machines = _sha256(canonical(_machines(blueprint)) + _listing(machine_files))
    teaching = _sha256(canonical(_teaching(blueprint)) + _listing(teaching_files))
    whole = _sha256(f"labctl-blueprint-1\n{machines}{teaching}".encode())
    return Digests(f"sha256:{machines}", f"sha256:{teaching}", f"sha256:{whole}", f"sha256:{_sha256(_listing(machine_files))}")


def sealed(value: Any) -> str:
    """The SHA-256 ("sha256:...") of any value made of plain JSON parts, in the canonical form."""
    return f"sha256:{_sha256(canonical(value))}"


def counts(path: str) -> bool:
    """Whether a file of the folder belongs to the blueprint: not README.md, not dot files, not the YAML whose meaning is counted."""
    parts = path.split("/")
    return path not in {"README.md", "blueprint.yaml"} and not any(part.startswith(".") or part == "__pycache__" for part in parts)


def short(digest: str) -> str:
    """The twelve digits people see, without `sha256:`."""
    return digest.removeprefix("sha256:")[:SHOWN]


def canonical(value: Any) -> bytes:
    """RFC 8785: keys sorted by UTF-16, no blanks, UTF-8. Numbers are already such that every JSON writer writes them alike."""
    return json.dumps(_sorted(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=lambda key: key.encode("utf-16-be"))}
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in value]
    return value


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _listing(files: Iterable[File]) -> bytes:
    return b"".join(f"{file.path}\0{file.mode}\0{file.sha256}".encode() for file in files)


def _teaches(path: str) -> bool:
    first = path.split("/", maxsplit=1)[0]
    return first in {"checks", "guide"} or first.startswith("guide.")


def _dumped(block: Any) -> dict[str, Any]:
    return dict(block.model_dump(mode="json", by_alias=True, exclude_defaults=True))


def _machines(blueprint: language.Blueprint) -> dict[str, Any]:
    networks = inventory.networks(blueprint)
    parts = {
        "images": {name: _dumped(image) for name, image in blueprint.images.items()},
        "machines": [[name, _machine(blueprint, name)] for name in blueprint.machines],
        "networks": [[network.name, {**_dumped(network.block), "cidr": network.cidr}] for network in networks],
        "variables": {name: _variable(variable) for name, variable in blueprint.variables.items()},
        "configure": [_dumped(step) for step in blueprint.configure],
        "ready": [_dumped(check) for check in blueprint.ready],
        "apps": [[name, _dumped(app)] for name, app in blueprint.apps.items()],
    }
    return {key: value for key, value in parts.items() if value}


def _machine(blueprint: language.Blueprint, name: str) -> dict[str, Any]:
    """As it is after `defaults`, so that it does not matter where a key was written; without what is the language's default."""
    machine = next(machine for machine in inventory.machines(blueprint) if machine.base == name)
    found = {key: value for key, value in _dumped(machine.block).items() if key not in language.Defaults.model_fields}
    for key in language.Defaults.model_fields:
        value = machine.get(key)
        if value is not None and value != inventory.DEFAULTS.get(key):
            found[key] = value
    if machine.block.hostname == name:
        del found["hostname"]
    if "routes" in found:
        found["routes"] = list(found["routes"].items())
    return {**found, "nics": list(machine.nics.items())}


def _variable(variable: blueprint_variables.Variable) -> dict[str, Any]:
    usual = blueprint_variables.USUAL.get(variable.random or "", {})
    return {key: value for key, value in _dumped(variable).items() if usual.get(key) != value}


def _teaching(blueprint: language.Blueprint) -> dict[str, Any]:
    parts = {"about": _dumped(blueprint.about), "tasks": [_dumped(task) for task in blueprint.tasks], "times": _dumped(blueprint.times)}
    return {key: value for key, value in parts.items() if value}
