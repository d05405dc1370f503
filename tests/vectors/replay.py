"""`python -m tests.vectors.replay`: conformance vectors recorded from Proxmox's own code, replayed over HTTPS against the node.

Each vector: the node is brought to `given`, the steps and the request go over the wire, the answer is compared. Prints agree,
disagree, kinder and not offered per area, each disagreement with its reason (reasons.json, by id or pattern), and as its last line
JSON. *Kinder* means that the node accepted what Proxmox refused; *not offered*, that the method is not built here.

    --area NAME ...   only these areas        --id ID ...   only these        --show   expected and got of each disagreement
"""

from __future__ import annotations

import argparse
import collections
import gzip
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl.sandbox import calls, catalogue
from tests.vectors import compare, stage

HERE = Path(__file__).parent
AGREE, DISAGREE, KINDER, NOT_OFFERED = "agree", "disagree", "kinder", "not_offered"


@dataclass
class Outcome:
    """How one vector went."""

    vector: dict[str, Any]
    kind: str
    why: str = ""
    got: Any = None


def vectors() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(fixtures by id, vectors)."""
    with gzip.open(HERE / "vectors.jsonl.gz", "rt", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return {line["id"]: line["given"] for line in lines if line["area"] == "fixture"}, [line for line in lines if line["area"] != "fixture"]


def offered(request: dict[str, Any]) -> bool:
    """Whether the node has a handler for the vector's method."""
    if "raw_line" in request:
        return True
    found = catalogue.load().find(request["method"], request["path"].partition("?")[0])
    return found is None or (found[0].verb, found[0].template) in calls.HANDLERS


def judge(vector: dict[str, Any], answer: stage.Answer, task: dict[str, Any] | None, after: dict[str, Any]) -> Outcome:
    """Compare one answer."""
    expect = vector["expect"]
    if expect.get("accepted"):
        fine = answer.status != 400
        return Outcome(vector, AGREE if fine else DISAGREE, "" if fine else "refused valid parameters", answer.shown())
    if "no_response" in expect:
        return Outcome(vector, AGREE if answer.status == 0 else DISAGREE, "answered where Proxmox does not", answer.shown())
    if answer.status == 501 and expect["status"] == 200 and answer.message.startswith("Method '"):
        return Outcome(vector, NOT_OFFERED, "not built here", answer.shown())
    if answer.status != expect["status"]:
        kinder = expect["status"] >= 400 and 200 <= answer.status < 400
        return Outcome(vector, KINDER if kinder else DISAGREE, f"status {answer.status}, not {expect['status']}", answer.shown())
    for why, same in _comparisons(expect, answer):
        if not same:
            return Outcome(vector, DISAGREE, why, answer.shown())
    return _judge_task(vector, task, after)


def _comparisons(expect: dict[str, Any], answer: stage.Answer) -> list[tuple[str, bool]]:
    errors, got_errors = expect.get("errors") or {}, answer.errors or {}
    found = [
        ("errors for other parameters", set(errors) == set(got_errors)),
        ("error texts", all(compare.text(str(value), str(got_errors.get(name, ""))) for name, value in errors.items())),
    ]
    if expect.get("message") is not None:
        found.append(("message", compare.text(expect["message"], answer.message)))
    if expect.get("data") is not None:
        found.append(("data", compare.value(expect["data"], answer.data)))
    if "data_shape" in expect:
        found.append(("shape of data", compare.shape(expect["data_shape"], answer.data)))
    if "status_line" in expect:
        found.append(("reason phrase", compare.text(expect["status_line"].partition(" ")[2], answer.line.partition(" ")[2])))
    return found


def _judge_task(vector: dict[str, Any], task: dict[str, Any] | None, after: dict[str, Any]) -> Outcome:
    expect = vector["expect"]
    if (expect.get("task") or {}).get("exitstatus") is not None:
        wanted, got = expect["task"]["exitstatus"], (task or {}).get("exitstatus", "no task")
        if not compare.text(wanted, got):
            good = re.compile(r"OK|WARNINGS: \d+")
            kinder = bool(good.fullmatch(got)) and not good.fullmatch(wanted)
            return Outcome(vector, KINDER if kinder else DISAGREE, f"task ended {got!r}, not {wanted!r}", task)
    for path, wanted in (expect.get("after") or {}).items():
        if not compare.value(wanted, after.get(path)):
            return Outcome(vector, DISAGREE, f"afterwards GET {path}", after.get(path))
    return Outcome(vector, AGREE)


def replay(chosen: list[dict[str, Any]], fixtures: dict[str, Any]) -> list[Outcome]:
    """All of them, one after another, on one node."""
    outcomes = []
    with stage.Stage(fixtures) as on:
        for vector in chosen:
            if not offered(vector["request"]):
                outcomes.append(Outcome(vector, NOT_OFFERED, "not built here"))
                continue
            outcomes.append(judge(vector, *on.play(vector)))
    return outcomes


def reasons() -> list[tuple[re.Pattern[str], str, str]]:
    """(ids, text that the complaint contains, reason) from reasons.json."""
    known = json.loads((HERE / "reasons.json").read_text("utf-8"))
    return [(re.compile(f"(?:{entry['ids']})\\Z"), entry.get("path", ""), entry["reason"]) for entry in known]


def reason_of(outcome: Outcome, known: list[tuple[re.Pattern[str], str, str]]) -> str:
    """Why a disagreement is as it is, "" when nobody has said."""
    request = outcome.vector["request"]
    where = f"{request.get('method', '')} {request.get('path', request.get('raw_line', ''))}"
    return next((reason for ids, path, reason in known if ids.match(outcome.vector["id"]) and (not path or re.search(path, where))), "")


def report(outcomes: list[Outcome], *, show: bool) -> dict[str, int]:
    """Print everything; the totals."""
    by_area: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    known = reasons()
    for outcome in outcomes:
        by_area[outcome.vector["area"]][outcome.kind] += 1
        if outcome.kind in {DISAGREE, KINDER}:
            request = outcome.vector["request"]
            where = request.get("raw_line") or f"{request['method']} {request['path']} {json.dumps(request.get('params'))[:100]}"
            print(f"{outcome.kind:8} {outcome.vector['id']} {where}: {outcome.why} | {reason_of(outcome, known) or 'no reason given yet'}")
            if show:
                print("    expected", json.dumps(outcome.vector["expect"])[:3000])
                print("    got     ", json.dumps(outcome.got)[:3000])
    print()
    for area in sorted(by_area):
        print(f"{area:12} " + "  ".join(f"{kind} {by_area[area][kind]}" for kind in (AGREE, DISAGREE, KINDER, NOT_OFFERED)))
    return {kind: sum(counter[kind] for counter in by_area.values()) for kind in (AGREE, DISAGREE, KINDER, NOT_OFFERED)}


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 when the node is kinder than Proxmox anywhere."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--area", nargs="*", default=[])
    parser.add_argument("--id", nargs="*", default=[])
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args(arguments)
    fixtures, known = vectors()
    chosen = [one for one in known if (not options.area or one["area"] in options.area) and (not options.id or one["id"] in options.id)]
    totals = report(replay(chosen, fixtures), show=options.show)
    print(json.dumps(totals))
    return 1 if totals[KINDER] else 0


if __name__ == "__main__":
    sys.exit(main())
