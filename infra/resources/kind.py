"""What a kind of resource is: its inputs, which of them can only change by replacement, and its four verbs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from infra.work import Work
from labctl import errors

Inputs = Mapping[str, Any]
DRIFTED: Final = "drifted"
"""Output that names what `read` found different on the cluster; its presence makes the next diff an update."""


UNFINISHED: Final = "unfinished"
"""Stands in `drifted` of what is half made: a refresh, which drops Pulumi's `initErrors`, must not make it look complete."""


class Unknown:
    """A value that is only known once something else exists (previews, and replacement of what is depended on)."""


UNKNOWN: Final = Unknown()


class HalfMade(Exception):
    """Create or update got so far that something exists: it belongs in the state, and the next run completes it."""

    def __init__(self, identity: str, cause: errors.LabctlError) -> None:
        super().__init__(str(cause))
        self.identity = identity
        self.cause = cause


@dataclass(frozen=True)
class Kind:
    """`name` is Pulumi's type token. `required` and `optional` name inputs with their types; outputs are the inputs (and `drifted`)."""

    name: str
    required: Mapping[str, type]
    optional: Mapping[str, type]
    replaces: frozenset[str]
    identity: Callable[[Inputs], str]
    make: Callable[[Work, Inputs], None]
    """Create, adopt, complete or change: the same verb. Raises HalfMade once something exists."""
    drift: Callable[[Work, Inputs], tuple[str, ...] | None]
    """What differs on the cluster; None when it is gone."""
    remove: Callable[[Work, Inputs], None]

    def complaints(self, inputs: Inputs) -> list[tuple[str, str]]:
        """(input, reason) for everything wrong with the inputs."""
        wrong = [(name, "is missing") for name in self.required if inputs.get(name) is None]
        known = {**self.required, **self.optional}
        for name, value in inputs.items():
            if name not in known:
                wrong.append((name, "is not an input of this resource"))
            elif value is not None and value is not UNKNOWN and not isinstance(value, known[name]):
                wrong.append((name, f"must be a {known[name].__name__}, not {type(value).__name__}"))
        return wrong

    def changed(self, old: Inputs, new: Inputs) -> list[str]:
        """Names of the inputs that differ, and `drifted` when the cluster differs."""
        names = {**self.required, **self.optional}
        changed = sorted(name for name in names if new.get(name) is UNKNOWN or old.get(name) != new.get(name))
        return changed + ([DRIFTED] if old.get(DRIFTED) else [])
