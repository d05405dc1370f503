"""One call, from path and parameters to data: found in the catalogue, allowed, checked, done.

The order is Proxmox's: authentication (in `http`), path, token allowed, duplicate parameters, permission, the node it is for,
parameters, work (`proxmox-truth.md` 3.1 and section 0). Endpoints register with `on`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labctl.sandbox import answers, catalogue, checking
from labctl.sandbox import node as node_


@dataclass
class Call:
    """What a handler gets. `params` are checked and still text, as they came (numbers and booleans: see `number`, `flag`)."""

    node: node_.Node
    who: str
    params: dict[str, Any]
    method: catalogue.Method

    def text(self, name: str, default: str = "") -> str:
        """A parameter as text."""
        value = self.params.get(name)
        return default if value is None else str(value)

    def number(self, name: str, default: int = 0) -> int:
        """An integer parameter; a form like `+5` passes the check and fails here, as in Proxmox (section 0)."""
        value = self.params.get(name)
        return default if value is None else int(str(value))

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean parameter."""
        value = self.params.get(name)
        return default if value is None else str(int(value) if isinstance(value, bool) else value) == "1"

    @property
    def user(self) -> str:
        """The user behind the token."""
        return self.who.partition("!")[0]

    def may(self, path: str, *privileges: str, any_of: bool = False) -> bool:
        """Whether the caller has these privileges there."""
        return self.node.access.may(self.who, path, list(privileges), any_of=any_of)

    def need(self, path: str, *privileges: str, any_of: bool = False) -> None:
        """403 unless the caller has these privileges there."""
        self.node.access.need(self.who, path, *privileges, any_of=any_of)

    @property
    def is_root(self) -> bool:
        """root@pam itself, not one of its tokens."""
        return self.who == "root@pam"


@dataclass
class Listing:
    """A list whose answer says how many there are in all."""

    data: list[Any]
    total: int


Handler = Callable[[Call], Any]
HANDLERS: dict[tuple[str, str], Handler] = {}


def on(verb: str, template: str) -> Callable[[Handler], Handler]:
    """Register the handler of one method of the catalogue."""

    def register(handler: Handler) -> Handler:
        if (verb, template) not in catalogue.load().methods:
            raise LookupError(f"{verb} {template} is not in the catalogue")
        HANDLERS[verb, template] = handler
        return handler

    return register


def perform(node: node_.Node, who: str, verb: str, path: str, params: dict[str, Any]) -> Any:
    """Do it; raises `answers.Refused`."""
    method, given = _find(verb, path)
    if "!" in who and not method.allowtoken:
        answers.forbid(f"URI '{path}' not available with API token, need proper ticket.")
    merged: dict[str, Any] = dict(given)
    for name, value in params.items():
        if name in given and value != given[name]:
            answers.bad_params({name: "duplicate parameter (already defined in URI) with conflicting values!"})
        merged[name] = value
    node.access.check_method(method.permissions, who, merged)
    node = _resolve(node, method, merged)
    errors = checking.check(method.properties, method.extra_allowed, merged)
    if errors:
        answers.bad_params(errors)
    handler = HANDLERS.get((verb, method.template))
    if handler is None:
        raise answers.NotBuilt(verb, path)
    return handler(Call(node, who, {name: value for name, value in merged.items() if value is not None}, method))


def is_open(verb: str, path: str) -> bool:
    """Methods that anybody may call without a ticket (`user: world`)."""
    found = catalogue.load().find(verb, path)
    return bool(found and (found[0].permissions or {}).get("user") == "world")


def _find(verb: str, path: str) -> tuple[catalogue.Method, dict[str, str]]:
    found = catalogue.load().find(verb, path)
    if found is None:
        raise answers.Refused(501, f"Method '{verb} {path}' not implemented")
    return found


def _resolve(node: node_.Node, method: catalogue.Method, params: dict[str, Any]) -> node_.Node:
    """The node the call is for; `proxyto` is resolved before validation (section 0)."""
    if method.proxyto != "node":
        return node
    name = str(params.get("node", ""))
    if name == "localhost":
        return node
    if name in node.offline:
        raise answers.Refused(595, "No route to host")
    if name not in node.peers:
        answers.die(f"hostname lookup '{name}' failed - failed to get address info for: {name}: Name or service not known")
    return node.peers[name]
