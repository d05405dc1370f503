"""The published API of Proxmox as data: which methods exist and what each asks of its parameters and its caller.

`schema.json` holds facts only (`proxmox-truth.md` 1.2); what the methods do is in `endpoints`.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

REST_OF_PATH = {"volume"}
"""Path parameters that take everything that is left, slashes too (`GET .../content/iso/x.iso`)."""


@dataclass(frozen=True)
class Method:
    """One method on one path template."""

    verb: str
    template: str
    properties: dict[str, Any]
    extra_allowed: bool
    permissions: dict[str, Any] | None
    proxyto: str | None
    allowtoken: bool
    protected: bool
    upid: bool = False
    """Whether it answers with a task's id (`x-returns-upid`)."""


class _Branch:
    def __init__(self) -> None:
        self.fixed: dict[str, _Branch] = {}
        self.named: tuple[str, _Branch] | None = None
        self.methods: dict[str, Method] = {}


class Catalogue:
    """All methods, found by path."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.limits: dict[str, int] = document["meta"]["index_limits"]
        self.methods: dict[tuple[str, str], Method] = {}
        self._root = _Branch()
        for template, verbs in document["paths"].items():
            branch = self._branch(template)
            for verb, facts in verbs.items():
                branch.methods[verb] = self.methods[verb, template] = self._method(verb, template, facts)

    def find(self, verb: str, path: str) -> tuple[Method, dict[str, str]] | None:
        """The method for a decoded path and the parameters that stand in it."""
        branch, found, parts = self._root, {}, [part for part in path.split("/") if part]
        for index, part in enumerate(parts):
            if part in branch.fixed:
                branch = branch.fixed[part]
            elif branch.named:
                name, branch = branch.named
                found[name] = part
                if name in REST_OF_PATH:
                    found[name] = "/".join(parts[index:])
                    break
            else:
                return None
        method = branch.methods.get(verb)
        return (method, found) if method else None

    def _branch(self, template: str) -> _Branch:
        branch = self._root
        for part in template.strip("/").split("/"):
            if part.startswith("{"):
                name = part.strip("{}")
                if branch.named is None:
                    branch.named = (name, _Branch())
                branch = branch.named[1]
            else:
                branch = branch.fixed.setdefault(part, _Branch())
        return branch

    def _method(self, verb: str, template: str, facts: dict[str, Any]) -> Method:
        parameters = facts.get("parameters") or {}
        return Method(
            verb=verb,
            template=template,
            properties=self._expanded(parameters.get("properties") or {}),
            extra_allowed=parameters.get("additionalProperties") != 0,
            permissions=facts.get("permissions"),
            proxyto=facts.get("proxyto"),
            allowtoken=bool(facts.get("allowtoken", 1)),
            protected=bool(facts.get("protected")),
            upid=bool(facts.get("x-returns-upid")),
        )

    def _expanded(self, properties: dict[str, Any]) -> dict[str, Any]:
        """`net[n]` stands for net0 ... (`schema.json` meta.index_limits)."""
        out: dict[str, Any] = {}
        for name, facts in properties.items():
            if name.endswith("[n]"):
                for number in range(self.limits.get(name, 256)):
                    out[f"{name[:-3]}{number}"] = facts
            else:
                out[name] = facts
        return out


@functools.cache
def load() -> Catalogue:
    """The catalogue from the file beside this module."""
    text = resources.files("labctl.sandbox").joinpath("schema.json").read_text("utf-8")
    return Catalogue(json.loads(text))
