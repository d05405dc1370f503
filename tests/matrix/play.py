"""`python -m tests.matrix.play`: the whole matrix, or a part of it. Prints what did not settle right and, as its last line, JSON.

--scene NAME ...   only these        --kind NAME ...   only these        --part N   so many cases, drawn by --seed S
--at TEXT          only cases whose line holds this text                  --jobs N   so many worlds side by side
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from typing import Self

from labctl.drivers.proxmox import networks
from labctl.model.environment import State, Wanted
from labctl.sandbox import faults, removal, volumes
from labctl.sandbox.faults import rules
from tests.matrix import child, forking, judging, points, scenes
from tests.matrix.house import Frozen, House, Killer, Recorder

ASKS = 3
"""How often a person asks again."""

PATIENCE = 5.0
"""Seconds for which one case in three lets the client itself repeat a call; in the others the runner repeats the step."""


@dataclass
class Stage:
    """A scene with what happens in it when nothing goes wrong."""

    scene: scenes.Scene
    begins: Frozen
    ends: Frozen
    calls: list[faults.Call]


@dataclass
class Outcome:
    """How a case went. `wrong` is empty where it settled right; `missed`: the call was never made, so nothing was tried."""

    case: points.Case
    wrong: list[str] = field(default_factory=list)
    missed: bool = False
    root: bool = False
    asked: int = 0
    seconds: float = 0.0


class Matrix:
    """Scenes made once, cases tried side by side."""

    def __init__(self, names: Sequence[str], jobs: int) -> None:
        self._jobs = jobs
        self._names = names
        self._local = threading.local()
        self._all_forks: list[forking.Forks] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self.before = scenes.pristine(self._forks())
        self._pool = futures.ThreadPoolExecutor(self._jobs)
        self.stages = dict(zip(self._names, self._pool.map(self._stage, self._names), strict=True))
        return self

    def __exit__(self, *gone: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        for forks in self._all_forks:
            forks.__exit__(None, None, None)
        for kept in (self.before, *(one for stage in self.stages.values() for one in (stage.begins, stage.ends))):
            kept.drop()

    def _forks(self) -> forking.Forks:
        """One forking process for each thread."""
        if not hasattr(self._local, "forks"):
            self._local.forks = forking.Forks().__enter__()
            with self._lock:
                self._all_forks.append(self._local.forks)
        known: forking.Forks = self._local.forks
        return known

    def _stage(self, name: str) -> Stage:
        scene = scenes.SCENES[name]
        begins = scenes.begin(self._forks(), scene, self.before)
        with House(self._forks(), begins) as house:
            house.here.node.faults = recorder = Recorder()
            life = house.live(until=f"after {scene.step}")
            calls = list(recorder.calls)
            assert life.steps == [scene.step], life
            house.here.follow()
            life = house.live()
            assert (life.state, life.wrong, life.troubles) == (scene.rests, "", []), life
            return Stage(scene, begins, house.freeze(), calls)

    def cases(self) -> list[points.Case]:
        """All of them."""
        return [case for name, stage in self.stages.items() for case in points.cases(name, stage.calls)]

    def play(self, chosen: Sequence[points.Case]) -> Iterator[Outcome]:
        """Try them side by side, outcomes as they come."""
        for done in futures.as_completed([self._pool.submit(self.one, case) for case in chosen]):
            yield done.result()

    def one(self, case: points.Case) -> Outcome:
        """Try one."""
        began = time.monotonic()
        outcome = Outcome(case)
        stage = self.stages[case.scene]
        try:
            with House(self._forks(), stage.begins) as house:
                life = self._kill(house, case, outcome) if case.rule is None else self._fail(house, case.rule, outcome)
                house.rest()
                if case.rule and case.rule.kind.name == "sdn-node-failed":
                    # Proxmox's own network reload failed behind an apply that said OK: the next apply, whoever makes it, mends that.
                    networks.settle(house.cluster())
                outcome.asked = life.asked
                outcome.wrong += self._judge(house, stage, life, case)
                # Where nothing was repeated, what labctl keeps is what it keeps when all goes well, and one removal in eight is enough.
                shaken = case.rule is None or life.troubles or zlib.crc32(str(case).encode()) % 8 == 0
                if shaken and life.state != State.GONE and not outcome.wrong:
                    outcome.wrong += self._removed(house)
        except Exception:
            outcome.wrong.append(f"the test itself failed: {traceback.format_exc()[-1500:]}")
        outcome.seconds = time.monotonic() - began
        return outcome

    def _kill(self, house: House, case: points.Case, outcome: Outcome) -> child.Life:
        killer = Killer(case.call)
        house.here.node.faults = killer
        life = house.begin(asks=0)
        killer.meet(life)
        house.end(life)
        outcome.missed = not killer.killed
        house.here.follow()
        return house.live(asks=0)

    def _fail(self, house: House, rule: rules.Rule, outcome: Outcome) -> child.Life:
        house.here.follow(rules.Rules((rule,)))
        struck = house.here.node.faults
        patience = PATIENCE if zlib.crc32(str(outcome.case).encode()) % 3 == 0 else child.AT_ONCE
        life = house.live(patience=patience, asks=ASKS if points.needs_a_person(outcome.case) else 0)
        outcome.missed = not struck.counts()[1]
        house.rest()
        if _unlock(house):
            # A worker that died hard, or could not finish a removal, leaves the guest's `lock`. Nobody but root takes that away
            # (`client-sequence.md` 3): until then labctl says so and believes nothing that is not true.
            outcome.root = True
            said = any(" is locked (" in line or "is taken by a guest" in line for line in life.troubles) or rule.locked
            assert said, f"nobody was told of the lock: {life}"
            life = house.live(asks=ASKS)
        return life

    def _judge(self, house: House, stage: Stage, life: child.Life, case: points.Case) -> list[str]:
        said = [f"said: {line}" for line in life.troubles[-2:]]
        if life.wrong:
            return [life.wrong[-1500:], *said]
        if life.state == State.GONE and stage.scene.golden and life.troubles and points.needs_a_person(case):
            # A bake that fails for good is removed whole, by itself; whoever needs it opens another.
            crumbs = judging.different(self.before.world, judging.world(house.here.node)) + judging.files(house.home)
            return [*crumbs, *said] if crumbs else []
        if life.state != stage.scene.rests:
            return [f"rests as {life.state}, not {stage.scene.rests}, after {life.asked} asked again", *said]
        wanted, got = stage.ends.world, judging.world(house.here.node)
        # What cannot go back for a reason that nobody knows is made anew, and then nothing of before is kept: labctl says so.
        anew = "build" in life.steps and stage.scene.step == "reset" and points.needs_a_person(case)
        if life.asked or anew:
            wanted, got = judging.without_kept(wanted), judging.without_kept(got)
        wrong = judging.different(wanted, got) + judging.facts_differ(stage.ends.facts, child.facts(house.environment_()))
        wrong += [f"file: {name}" for name in sorted(set(stage.ends.files) ^ set(judging.files(house.home)))]
        return wrong + said if wrong else []

    def _removed(self, house: House) -> list[str]:
        house.here.follow()
        house.wish(wanted=Wanted.GONE)
        life = house.live()
        house.rest()
        if life.wrong or life.troubles or life.state != State.GONE:
            return [f"removal: {life.state} {life.wrong[-800:]} {life.troubles[-2:]}"]
        crumbs = judging.different(self.before.world, judging.world(house.here.node)) + judging.files(house.home)
        return [f"after removal: {crumb}" for crumb in crumbs]


def _unlock(house: House) -> bool:
    """What root does: `qm unlock` and `pct unlock`; guests that are half made, which only root sees, or half removed are destroyed."""
    node, found = house.here.node, False
    with node.state.change() as content:
        for vmid, guest in list(content["guests"].items()):
            lock = guest["config"].pop("lock", None)
            found = found or lock is not None
            if "clone-of" in guest or lock == "destroyed":
                removal.discard(node, int(vmid), volumes.of_guest(node, int(vmid)))
    return found


def draw(known: Sequence[points.Case], number: int, seed: int) -> list[points.Case]:
    """So many of them: one of each scene, method and kind first come, the rest by lot."""
    dice = random.Random(seed)
    shuffled = dice.sample(list(known), len(known))
    seen: set[tuple[str, str]] = set()

    def again(case: points.Case) -> bool:
        key = (case.kind, case.rule.pattern.verb if case.rule else case.scene)
        return key in seen or seen.add(key) is not None

    return sorted(shuffled, key=again)[:number]


def summary(outcomes: Sequence[Outcome], known: int) -> dict[str, object]:
    """The figures."""
    return {
        "cases": len(outcomes),
        "of": known,
        "right": sum(not one.wrong and not one.missed for one in outcomes),
        "missed": sum(one.missed for one in outcomes),
        "wrong": sum(bool(one.wrong) for one in outcomes),
        "asked_again": sum(bool(one.asked) for one in outcomes),
        "unlocked_by_root": sum(one.root for one in outcomes),
    }


def _wanted(options: argparse.Namespace) -> Callable[[points.Case], bool]:
    def wanted(case: points.Case) -> bool:
        return (not options.kind or case.kind.partition(" ")[0] in options.kind) and options.at in str(case)

    return wanted


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 when anything did not settle right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", nargs="*", default=list(scenes.SCENES), choices=list(scenes.SCENES))
    parser.add_argument("--kind", nargs="*", default=[])
    parser.add_argument("--at", default="")
    parser.add_argument("--part", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=3)
    options = parser.parse_args(arguments)
    with Matrix(options.scene, options.jobs) as matrix:
        known = [case for case in matrix.cases() if _wanted(options)(case)]
        chosen = draw(known, options.part, options.seed) if options.part else known
        print(f"{len(chosen)} of {len(known)} cases in {len(options.scene)} scenes", flush=True)
        outcomes = []
        for number, outcome in enumerate(matrix.play(chosen), 1):
            outcomes.append(outcome)
            if outcome.wrong:
                print(f"WRONG {outcome.case}", *outcome.wrong[:8], sep="\n      ", flush=True)
            if number % 50 == 0:
                print(f"... {number}", flush=True)
    by_kind = Counter(one.case.kind for one in outcomes if one.wrong)
    print("wrong by kind:", dict(by_kind.most_common()))
    print("missed:", *sorted({str(one.case) for one in outcomes if one.missed})[:10], sep="\n  ")
    print(json.dumps(summary(outcomes, len(known))))
    return 1 if by_kind else 0


if __name__ == "__main__":
    sys.exit(main())
