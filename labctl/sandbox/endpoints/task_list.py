"""`/nodes/{node}/tasks`: list, status, log, delete (`proxmox-truth.md` 2.1 and 3.3)."""

from __future__ import annotations

from typing import Any

from labctl.sandbox import answers, calls, formats, upid


@calls.on("GET", "/nodes/{node}/tasks")
def listed(call: calls.Call) -> calls.Listing:
    """Newest first; `source=archive` by default, which is finished tasks only."""
    audit = call.may(f"/nodes/{call.node.name}", "Sys.Audit")
    source = call.text("source", "archive")
    rows: list[dict[str, Any]] = []
    for name, facts in call.node.tasks.known(call.number("since")).items():
        running = call.node.tasks.running(name)
        if (running and source == "archive") or (not running and source == "active"):
            continue
        parsed = upid.parse(name)
        if not parsed:
            continue
        if not audit and not _owns(call.who, parsed):
            continue
        row = parsed.facts()
        if not running:
            row |= {"endtime": facts.get("endtime", parsed.starttime), "status": call.node.tasks.exit_status(name)}
        elif source != "archive":
            row["status"] = "RUNNING"
        if _wanted(call, parsed, row):
            rows.append(row)
    rows.sort(key=lambda row: (row["starttime"], row["pid"]), reverse=True)
    start, limit = call.number("start"), call.number("limit", 50)
    return calls.Listing(rows[start : start + limit] if limit else rows[start:], len(rows))


def _wanted(call: calls.Call, parsed: upid.Upid, row: dict[str, Any]) -> bool:
    status = str(row.get("status", ""))
    failed = "endtime" in row and status != "OK"
    return not (
        (call.flag("errors") and not failed)
        or ("vmid" in call.params and parsed.id != call.text("vmid"))
        or ("typefilter" in call.params and parsed.type != call.text("typefilter"))
        or ("userfilter" in call.params and call.text("userfilter").lower() not in parsed.user.lower())
        or ("since" in call.params and parsed.starttime < call.number("since"))
        or ("until" in call.params and parsed.starttime > call.number("until"))
        or ("statusfilter" in call.params and _kind(status) not in formats.split_list(call.text("statusfilter")))
    )


def _kind(status: str) -> str:
    if status == "OK":
        return "ok"
    if status.startswith("WARNINGS: "):
        return "warning"
    return "unknown" if status in {"", "unexpected status"} else "error"


def _owns(who: str, parsed: upid.Upid) -> bool:
    """A token sees its own only; a user its own and its tokens' (`proxmox-truth.md` 3.3)."""
    return parsed.user == who if "!" in who else parsed.owner == who


def _task(call: calls.Call, *, must_exist: bool = True) -> upid.Upid:
    text = call.text("upid")
    parsed = upid.parse(text)
    if parsed is None:
        answers.bad(upid="unable to parse worker upid")
    if must_exist and not call.node.tasks.knows(text):
        answers.bad(upid="no such task")
    return parsed


@calls.on("GET", "/nodes/{node}/tasks/{upid}")
def index(call: calls.Call) -> list[dict[str, str]]:
    """What there is below a task."""
    _task(call, must_exist=False)
    return [{"name": "log"}, {"name": "status"}]


@calls.on("GET", "/nodes/{node}/tasks/{upid}/status")
def status(call: calls.Call) -> dict[str, Any]:
    """Running or stopped, and then how it ended."""
    parsed = _task(call)
    if not _owns(call.who, parsed):
        call.need(f"/nodes/{call.node.name}", "Sys.Audit")
    name = str(parsed)
    facts = parsed.facts() | {"exitstatus": ""}
    if call.node.tasks.running(name):
        del facts["exitstatus"]
        return facts | {"status": "running"}
    return facts | {"status": "stopped", "exitstatus": call.node.tasks.exit_status(name)}


@calls.on("GET", "/nodes/{node}/tasks/{upid}/log")
def log(call: calls.Call) -> calls.Listing:
    """Lines from `start` (0-based), 50 of them unless told, 0 for all."""
    parsed = _task(call, must_exist=False)
    if not _owns(call.who, parsed):
        call.need(f"/nodes/{call.node.name}", "Sys.Audit")
    lines = call.node.tasks.lines(str(parsed))
    if lines is None:
        return calls.Listing([{"n": 1, "t": "unable to open file - No such file or directory"}], 1)
    numbered = [{"n": number, "t": line} for number, line in enumerate(lines, 1)] or [{"n": 1, "t": "no content"}]
    start, limit = call.number("start"), call.number("limit", 50)
    return calls.Listing(numbered[start : start + limit] if limit else numbered[start:], len(numbered))


@calls.on("DELETE", "/nodes/{node}/tasks/{upid}")
def stop(call: calls.Call) -> None:
    """Asks a running worker to end; see `tasks` for what that means here."""
    parsed = _task(call)
    if not _owns(call.who, parsed):
        call.need(f"/nodes/{call.node.name}", "Sys.Modify")
    call.node.tasks.kill(str(parsed))
