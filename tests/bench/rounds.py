"""One round of `make crumbs`: people press buttons, parts are killed and the node is faulty, all at random moments, while a class is
being opened, while it stands, or while it is being closed.

Then the faults are taken away and whatever was killed is started again. Either the class is closed in the middle of its work, or every
seat comes to rest first: ready, or failed and saying why; those that failed are asked for again, as a trainer would, and must become
ready. In the middle and at the end each seat that says *ready* is tried with plain OpenSSH as its learner.
"""

from __future__ import annotations

import contextlib
import functools
import json
import random
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

from labctl.drivers import ssh_ca
from labctl.ports import Bundle
from labctl.sandbox.faults import watching
from tests.bench import killing, random_faults, traces
from tests.bench.house import House, roster

COURSES = {
    "linux-first-steps": "test -w ~/course && test -s ~/course/letter.txt && systemctl is-active -q heartbeat",
    "web-attack-basics": "curl --silent --fail --max-time 10 http://shop/ | grep -q Lantern",
}
"""Courses, and what a learner who logs in must find: said here again, so that the course's own checks are not taken at their word."""
SPAN = 7.0
"""Seconds in which things happen to a class."""
Act = Callable[[], None]
RESTS = 420.0
"""Seconds in which every seat must have come to rest once nothing disturbs any more; waits after trouble are minutes at most."""


@dataclass
class Found:
    """What rounds have found, one line each."""

    false_ready: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    struck: int = 0
    kills: int = 0


@dataclass
class Round:
    """One class and all that happens to it."""

    house: House
    number: int
    chance: random.Random
    found: Found
    told: list[str] = field(default_factory=list)
    begun: float = 0.0
    down: bool = False

    def __post_init__(self) -> None:
        self.slug = f"round-{self.number}"
        self.course = self.chance.choice(sorted(COURSES))
        self.learners, self.spares = self.chance.randint(1, 2), int(self.chance.random() < 0.35)
        self.under_fire = self.chance.choices(("opening", "standing", "closing"), (5, 3, 2))[0]
        self.to_the_end = self.chance.random() < 0.6

    def run(self) -> None:
        """All of it; afterwards the class is gone, or told as lost."""
        self.begun = time.monotonic()
        there = getattr(self, f"_{self.under_fire}")()
        self._calm()
        if there or self._there():
            if self.to_the_end:
                self._rest()
            self._close()

    def _opening(self) -> bool:
        """The class is opened, baked for, built and configured under fire, and people are impatient."""
        if self.chance.random() < 0.7:
            self._fault()
        there = self._open()
        self._fire(("reset", "undo", "swap", "look"))
        return there

    def _standing(self) -> bool:
        """The class is ready; then people reset, undo and swap under fire."""
        if not (self._open() and self._settled({"ready"})):
            return False
        self._tell("stands")
        self._fire(("reset", "reset", "undo", "swap", "look"))
        return True

    def _closing(self) -> bool:
        """The class is closed under fire, in the middle of its work or when it was ready."""
        self.to_the_end = False
        if not self._open():
            return False
        if self.chance.random() < 0.5:
            self._settled({"ready"})
        self._fire(("close",))
        return True

    def line(self) -> str:
        """What happened."""
        course = f"{self.course} x {self.learners}{'+1' if self.spares else ''}"
        return f"round {self.number:3d}: {self.under_fire}, {course}, {time.monotonic() - self.begun:5.1f} s: {', '.join(self.told)}"

    def _fire(self, words: Sequence[str]) -> None:
        """Kills, faults and buttons, each at its random moment."""
        chance = self.chance
        found: list[tuple[float, Act]] = []
        for _ in range(chance.choices((0, 1, 2, 3), (1, 5, 3, 1))[0]):
            moment, part = chance.uniform(0, SPAN), chance.choice(killing.PARTS)
            found.append((moment, functools.partial(self._kill, part)))
            if chance.random() < 0.4:  # else it stays dead until the calm, as far as it does not come back by itself
                found.append((moment + chance.uniform(0, 3), self._up))
        if chance.random() < 0.7:
            found.append((chance.uniform(0, SPAN / 2), self._fault))
        able = [word for word in words if word != "swap" or self.spares]
        pressed = chance.choices(able, k=1 if able == ["close"] else 3)
        found += [(chance.uniform(0, SPAN), functools.partial(self._press, word)) for word in pressed]
        begun = time.monotonic()
        for moment, act in sorted(found, key=lambda pair: pair[0]):
            time.sleep(max(0.0, begun + moment - time.monotonic()))  # the random moment itself, not a wait for a condition
            act()

    def _open(self) -> bool:
        """Under faults a class may be refused; then there must be none."""
        listed = roster(self.house.home / f"{self.slug}.csv", self.learners).read_text()
        try:
            self.house.post("/classrooms", blueprint=self.course, name=self.slug, roster=listed, spares=self.spares)
        except requests.RequestException as error:
            self._tell(f"open refused ({_why(error)})")
        return self._there()

    def _there(self) -> bool:
        try:
            return bool(self.house.api(f"/classrooms/{self.slug}")["seats"])
        except requests.ConnectionError:
            self._up()  # the API is dead; whether the class is there cannot be known before it lives again
            return bool(self.house.api(f"/classrooms/{self.slug}")["seats"])
        except requests.HTTPError as error:
            if error.response.status_code != 404:
                raise
            return False

    def _kill(self, part: str) -> None:
        self.found.kills += 1
        self.down = True
        self._tell(killing.kill(self.house, part, self.chance))

    def _up(self) -> None:
        self.down = False
        try:
            self.house.up()
        except RuntimeError as error:  # with a faulty node it may; in the calm it may not
            self.down = True
            self._tell(f"up refused ({_last(str(error))})")

    def _fault(self) -> None:
        text = random_faults.file(self.chance)
        watching.put(self.house.home / "sandbox", text, "random faults")
        self._tell(f"{text.count('do:')} faults")

    def _press(self, word: str) -> None:
        """A button on the board. It may be refused, or nobody may be there to hear it."""
        if word == "look":
            self._look()
            return
        try:
            if word == "close":
                self.house.post(f"/classrooms/{self.slug}/close")
            else:
                self.house.post(f"/classrooms/{self.slug}/seats/1/{word}", **({"refill": True} if word == "swap" else {}))
        except requests.RequestException as error:
            self._tell(f"{word} refused ({_why(error)})")
        else:
            self._tell(word)

    def _calm(self) -> None:
        watching.clear(self.house.home / "sandbox")
        log = self.house.home / "sandbox" / "faults.log"
        if log.exists():
            kinds = [json.loads(line)["kind"] for line in log.read_text().splitlines()]
            self.found.struck += len(kinds)
            log.unlink()
            self._tell(f"struck: {' '.join(sorted(set(kinds))) or 'nothing'}")
        if self.down:
            self.house.up()
        self._tell("calm")

    def _rest(self) -> None:
        """Every seat ready, or failed with a reason and ready once it was asked for again."""
        if not self._settled({"ready", "failed"}):
            return
        failed = [seat for seat in self._seats() if seat["status"] == "failed"]
        if failed:
            self._tell(f"{len(failed)} failed ({failed[0]['trouble']['reason'][:120] if failed[0]['trouble'] else 'without a reason'})")
            for seat in failed:
                if not seat["trouble"] or not seat["trouble"]["reason"]:
                    self.found.lost.append(f"round {self.number}: seat {seat['number']} failed and does not say why")
                with contextlib.suppress(TimeoutError):
                    self.house.wait("reset", functools.partial(self._accepted, seat["number"]), RESTS, pause=1.0)
            if not self._settled({"ready"}):
                return
        self._look()
        self._tell("ready")

    def _accepted(self, number: int) -> bool:
        """Whether a reset was taken: it is refused, with the advice to try again, while failed golden machines are being removed."""
        try:
            self.house.post(f"/classrooms/{self.slug}/seats/{number}/reset")
        except requests.HTTPError as error:
            self._tell(f"reset refused ({_why(error)})")
            return False
        return True

    def _settled(self, wanted: set[str]) -> bool:
        try:
            self.house.wait("rest", lambda: all(_rests(seat, wanted) for seat in self._seats()), RESTS)
        except TimeoutError:
            for seat in self._seats():
                if not _rests(seat, wanted):
                    said = f"{seat['status']} ({seat['state']}, doing {seat['doing']}; {seat['trouble'] or seat['note']})"
                    self.found.lost.append(f"round {self.number}: seat {seat['number']} does not come to rest: {said}")
            return False
        return True

    def _close(self) -> None:
        self.house.post(f"/classrooms/{self.slug}/close")
        try:
            self.house.wait("gone", lambda: self.slug not in {env["classroom"] for env in self.house.api("/environments")}, RESTS)
        except TimeoutError:
            left = [env for env in self.house.api("/environments") if env["classroom"] == self.slug]
            self.found.lost += [f"round {self.number}: {env['id']} is not removed: {env['status']}, {env['trouble']}" for env in left]

    def _seats(self) -> list[dict[str, Any]]:
        return self.house.seats(self.slug)

    def _look(self) -> None:
        """Seats that say ready and do not let their learner in, or not to what the course promises."""
        try:
            before = {
                seat["number"]: seat for seat in self._seats() if seat["status"] == "ready" and not seat["spare"] and not seat["aside"]
            }
            enter = self._paper if traces.paper(self.house) else self._enter
            tried = {number: enter(seat) for number, seat in before.items()}
            after = {seat["number"]: seat for seat in self._seats()}
        except requests.RequestException:
            self._tell("look: nobody answers")
            return
        for number, said in tried.items():
            same = all(before[number][key] == after[number][key] for key in ("status", "round", "environment"))
            if said and same:
                self.found.false_ready.append(f"round {self.number}: seat {number} says ready, but its learner finds: {said}")
        self._tell(f"{len(tried)} tried")

    def _paper(self, seat: dict[str, Any]) -> str:
        """Nobody can log in to paper: its guests must be there and run, by the node's own files."""
        guests = traces.node(self.house)["guests"]
        down = [one["name"] for one in seat["machines"] if not guests.get(str(one["vmid"]), {}).get("running")]
        return f"{', '.join(down)} not running" if down else ""

    def _enter(self, seat: dict[str, Any]) -> str:
        """What went wrong; empty when all is well."""
        number = seat["number"]
        made = self.house.post(f"/classrooms/{self.slug}/seats/{number}/bundle")
        folder = self.house.home / "bundles" / self.slug
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        config = ssh_ca.write_bundle(Bundle(files=made["files"], hosts=tuple(made["hosts"])), folder / str(number))
        command = ["ssh", "-F", str(config), "-o", "ConnectTimeout=15", made["hosts"][0], COURSES[self.course]]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            return "no end within 60 s"
        if done.returncode != 0 and not self.house.door_is_open():
            raise requests.ConnectionError("the door was killed a moment ago")
        return f"exit {done.returncode}, {done.stderr.strip()[-200:]}" if done.returncode != 0 else ""

    def _tell(self, text: str) -> None:
        self.told.append(f"{time.monotonic() - self.begun:.0f}s {text}")


def _rests(seat: dict[str, Any], wanted: set[str]) -> bool:
    """What a swap took from a learner is a spare's place now, and is removed."""
    return seat["status"] in wanted or (seat["status"] == "gone" and seat["learner"] is None)


def _why(error: requests.RequestException) -> str:
    if error.response is None:
        return "nobody hears"
    with contextlib.suppress(ValueError):
        return str(error.response.json().get("detail", ""))[:120]
    return str(error.response.status_code)


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:160] if lines else "without a word"
