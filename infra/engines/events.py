"""What the real engine says while it works: its event log (one JSON object a line), read into an outcome."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from infra.engines import engine, steps

_LISTS = {
    "same": "same",
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "replace": "replaced",
    "create-replacement": "replaced",
    "delete-replaced": "deleted",
}


def read(log: Path, outcome: engine.Outcome) -> None:
    """Fill `outcome` from an event log. Operations of Pulumi's own resources are left out."""
    if not log.exists():
        return
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            event = json.loads(line)
        except ValueError:  # a killed CLI leaves half a line
            continue
        _step(event.get("resOutputsEvent"), outcome)
        _diagnostic(event.get("diagnosticEvent"), outcome)


def _step(event: dict[str, Any] | None, outcome: engine.Outcome) -> None:
    if not event or event["metadata"]["type"].startswith("pulumi:"):
        return
    name = steps.name_of(event["metadata"]["urn"])
    kind = _LISTS.get(event["metadata"]["op"])
    if kind and name not in getattr(outcome, kind):
        getattr(outcome, kind).append(name)


def _diagnostic(event: dict[str, Any] | None, outcome: engine.Outcome) -> None:
    if not event or event.get("severity") != "error":
        return
    text = " ".join(str(event.get("message", "")).split())
    name = steps.name_of(str(event.get("urn") or "")) if event.get("urn") else ""
    line = f"{name}: {text}" if name else text
    if text and text != "update failed" and line not in outcome.failures:
        outcome.failures.append(line)
