"""At the SSH door without a key: guessed, used and stolen codes, and names that try to mean another machine."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncssh

from labctl.door import limits
from tests.attacks import Tried, blueprint, rows
from tests.attacks.door import relay
from tests.attacks.world import World
from tests.door import guessing

GUESSES = 27


class _Guesser(asyncssh.SSHClient):
    """Answers each prompt with another code."""

    def __init__(self, codes: list[str]) -> None:
        self.codes = codes
        self.asked = 0

    def kbdint_auth_requested(self) -> str:
        """Whatever is asked."""
        return ""

    def kbdint_challenge_received(self, name: str, instructions: str, lang: str, prompts: Any) -> list[str] | None:
        """The next guess, until there is none left."""
        del name, instructions, lang
        if not prompts:
            return []
        if self.asked >= len(self.codes):
            return None
        self.asked += 1
        return [self.codes[self.asked - 1]]


async def _guess(world: World, user: str, codes: list[str]) -> tuple[bool, int]:
    """Whether somebody got in, and how many guesses were taken."""
    guesser = _Guesser(codes)
    try:
        async with asyncio.timeout(60):
            conn, _ = await asyncssh.create_connection(
                lambda: guesser, "127.0.0.1", world.door_port, username=user, known_hosts=None, config=None, agent_path=None,
                client_keys=None, preferred_auth="keyboard-interactive",
            )  # fmt: skip
    except (asyncssh.Error, OSError, TimeoutError):
        return False, guesser.asked
    conn.abort()
    return True, guesser.asked


def codes(world: World) -> list[Tried]:
    """Row: guess codes; reuse; another's code."""
    row = rows.DOOR_CODES
    good = world.code("ada")
    world.must("uid=" in relay(world, "ada", good, "id").stdout, "a good code does not open the door")
    done = [Tried(row, "a code used a second time", "uid=" not in relay(world, "ada", good, "id").stdout)]
    for what, user in (("grace's code under mallory's name", "mallory+box"), ("grace's code under mallory's name alone", "mallory")):
        stolen = relay(world, "mallory", world.code("grace"), "id", user=user)
        done.append(Tried(row, what, "uid=" not in stolen.stdout))
    burnt = world.code("grace")
    relay(world, "mallory", burnt, "id")
    done.append(Tried(row, "a code once it was shown under a wrong name", "uid=" not in relay(world, "grace", burnt, "id").stdout))
    last = world.code("bert")
    inside, asked = asyncio.run(_guess(world, "bert+box", ["aaaaaaaa", "bbbbbbbb", "cccccccc", *["dddddddd"] * (GUESSES - 4), last]))
    done.append(
        Tried(row, f"{GUESSES} guesses on one connection, the last of them right", not inside and asked <= 3, note=f"{asked} taken")
    )
    return [*done, *_pace(world)]


SECONDS = 5.0


def _pace(world: World) -> list[Tried]:
    """Guesses under ada's name on many connections at once: no faster than the door looks at them, and ada comes in all the same."""
    with guessing.Guessers(world.door_port, "ada+box", 20) as guessers:
        begun = time.monotonic()
        ada = relay(world, "ada", world.code("ada"), "id")
        while time.monotonic() < begun + SECONDS:
            time.sleep(0.1)
        rate = guessers.said / (time.monotonic() - begun)
    most = limits.Limits().looked_at / limits.Limits().pause
    # Each connection has one code under way when the time is over.
    slow = rate <= most + 20 / SECONDS and not guessers.inside
    return [
        Tried(rows.DOOR_CODES, "guesses on twenty connections at once", slow, note=f"{rate:.0f} a second"),
        Tried(rows.DOOR_CODES, "guesses under ada's name from ada's address keep ada out", "uid=" in ada.stdout),
    ]


_NAMES = (
    "{me}+store", "{me}+theirs", "{me}+../box", "{me}+box/../store", "{me}+box+store", "{me}+{theirs}", "{me}+{address}", "{me}+127.0.0.1",
    "{me}+localhost", "{me}+BOX", "{me}+ box", "{me}+box.{principal}.lab", "{me}+*", "{me}++box", "{me}+box@{address}", "+box", "root+box",
    "{principal}+box", "{principal}", "{upper}+box", "{me}+b%6fx", "{me}+" + "x" * 4000,
)  # fmt: skip


def paths(world: World) -> list[Tried]:
    """Row: path tricks in user+machine. Each with a code that is good, by three learners in turn."""
    theirs = world.seat("bert")
    done = []
    for number, name in enumerate(_NAMES):
        me = blueprint.LEARNERS[number % 3]
        words = {"me": me, "upper": me.upper(), "theirs": theirs.environment, "address": theirs.address, "principal": theirs.principal}
        inside, _ = asyncio.run(_guess(world, name.format(**words), [world.code(me)]))
        done.append(Tried(rows.RELAY_PATHS, f"sign in as {name[:24]!r}", not inside))
    done.append(
        Tried(
            rows.RELAY_PATHS,
            "a code of mallory's for grace's machine",
            not asyncio.run(_guess(world, "grace+box", [world.code("mallory")]))[0],
        )
    )
    for me in blueprint.LEARNERS:
        world.must(asyncio.run(_guess(world, f"{me}+box", [world.code(me)]))[0], f"a good code does not let {me} in")
    return done
