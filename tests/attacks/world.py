"""The house that is attacked: real services, real guests, a class of three and one of one, and everybody's sessions, files and codes.

Root in a guest is had by labctl's own key: how a learner became root is not the matter here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

from labctl import settings as settings_
from labctl import wiring
from labctl.drivers import ssh_ca
from labctl.services import processes
from tests.api.terminals.conftest import Tab
from tests.attacks import blueprint
from tests.bench.house import House

CLASS, SHORT = "attacked", "brief"
PASSWORD = "correct horse battery staple"
TRAINER = "eva@example.org"


class CannotMeasure(RuntimeError):
    """What must work does not work, so a refusal would prove nothing."""


@dataclass(frozen=True)
class Seat:
    """One seat as attackers see it."""

    slug: str
    number: int
    login: str
    environment: str
    principal: str
    address: str
    store: str


class World:
    """See the module."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.folder = house.home / "attacks"
        self.folder.mkdir(exist_ok=True)
        self.url = f"http://127.0.0.1:{house.environment['LABCTL_API_PORT']}"
        self.door_port = int(house.environment["LABCTL_DOOR_PORT"])
        self.authority = ssh_ca.Authority(house.home / "secrets")
        self._sessions: dict[str, requests.Session] = {}
        self._seats: dict[str, Seat] = {}

    # Making it

    def furnish(self) -> None:
        """Both classes, ready."""
        for slug, text in ((CLASS, blueprint.ROSTER), (SHORT, blueprint.BRIEF)):
            roster = self.folder / f"{slug}.csv"
            roster.write_text(text)
            self.house.run("class", "open", "hostile", "--name", slug, "--roster", str(roster))
        for slug in (CLASS, SHORT):
            self.house.wait(f"class {slug}", lambda slug=slug: all(s["status"] == "ready" for s in self.house.seats(slug)), 240)

    def seat(self, login: str) -> Seat:
        """That learner's."""
        if login not in self._seats:
            slug, number = (SHORT, 1) if login == "bert" else (CLASS, blueprint.LEARNERS.index(login) + 1)
            found = next(one for one in self.house.seats(slug) if one["number"] == number)
            at = {one["name"]: one["address"] for one in self.house.api(f"/environments/{found['environment']}")["machines"]}
            door = (self.bundle_of(slug, number, f"look-{login}") / "config").read_text()
            principal = re.search(r"User (seat-\S+)", door)
            assert principal is not None
            self._seats[login] = Seat(slug, number, login, found["environment"], principal[1], at["box"], at["store"])
        return self._seats[login]

    @property
    def wired(self) -> wiring.Wiring:
        """The house's own parts, for walls that are to be taken away for a control."""
        before = dict(os.environ)
        os.environ.update({name: value for name, value in self.house.environment.items() if name.startswith("LABCTL_")})
        try:
            return wiring.build(settings_.Settings())
        finally:
            os.environ.clear()
            os.environ.update(before)

    # People

    def session(self, who: str) -> requests.Session:
        """A browser of that person's, signed in: a learner's login, `trainer`, `it`, `author`, or `cotrainer`."""
        if who not in self._sessions:
            self._sessions[who] = self._signed_in(who)
        return self._sessions[who]

    def stranger(self) -> requests.Session:
        """A browser of somebody who is not signed in."""
        browser = requests.Session()
        browser.headers["Origin"] = self.url
        return browser

    def _signed_in(self, who: str) -> requests.Session:
        if who in {"trainer", "it", "author"}:
            made = self.house.post("/accounts", name=who, email=f"{who}-{secrets.token_hex(4)}@example.com", roles=[who])
        elif who == "cotrainer":  # of the class of one, and of nothing else
            made = self.house.post(f"/classrooms/{SHORT}/invitations", name="Otto", email=f"otto-{secrets.token_hex(4)}@example.com")
        else:
            seat = self.seat(who)
            made = self.house.post(f"/classrooms/{seat.slug}/seats/{seat.number}/link")
        browser = self.stranger()
        address = f"{self.url}/invitation/{made['url'].partition('/invitation/')[2]}"
        answer = browser.post(address, data={"password": PASSWORD}, allow_redirects=False, timeout=30)
        self.must(answer.status_code == 303 and bool(browser.cookies), f"{who} cannot sign in: {answer.status_code} {answer.text[:300]}")
        return browser

    def must(self, works: bool, what: str) -> None:
        """Raise CannotMeasure unless what is allowed works."""
        if not works:
            raise CannotMeasure(what)

    # Terminals

    def ask_ticket(self, who: str, login: str, **wanted: Any) -> requests.Response:
        """`who` asks for a ticket of `login`'s seat."""
        seat = self.seat(login)
        address = f"{self.url}/api/v1/classrooms/{seat.slug}/seats/{seat.number}/tickets"
        return self.session(who).post(address, json={"machine": "box", **wanted}, timeout=30)

    def allow(self, who: str, login: str) -> int:
        """`who` says on the page of `login`'s seat that trainers may type along; the status."""
        address = f"{self.url}/seat/{self.seat(login).environment}/joining"
        return self.session(who).post(address, data={"answer": "allowed"}, allow_redirects=False, timeout=30).status_code

    def ticket(self, who: str, login: str, **wanted: Any) -> str:
        """One that is given. Raises CannotMeasure."""
        answer = self.ask_ticket(who, login, **wanted)
        self.must(answer.status_code == 201, f"no ticket for {who}: {answer.text[:300]}")
        return str(answer.json()["ticket"])

    def tab(self, who: str, login: str, *, mode: str | None = None, **how: Any) -> contextlib.AbstractContextManager[Tab]:
        """A terminal in a browser's tab."""
        return self.showing(self.ticket(who, login, **({"mode": mode} if mode else {})), **how)

    @contextlib.contextmanager
    def showing(self, ticket: str | None, **how: Any) -> Iterator[Tab]:
        """A tab that shows this ticket, or nothing."""
        tab = Tab(self.url, ticket, **how)
        try:
            yield tab
        finally:
            tab.close()

    def code(self, login: str) -> str:
        """A one-time code for the door."""
        seat = self.seat(login)
        return str(self.house.post(f"/classrooms/{seat.slug}/seats/{seat.number}/code")["code"])

    # SSH

    def bundle_of(self, slug: str, number: int, name: str) -> Path:
        """The seat's files for plain OpenSSH."""
        folder = self.folder / name
        files = self.house.post(f"/classrooms/{slug}/seats/{number}/bundle")["files"]
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)
        for file, text in files.items():
            path = folder / file
            path.write_text(text.replace(ssh_ca.FOLDER, str(folder)))
            path.chmod(0o600)
        return folder

    def bundle(self, login: str) -> Path:
        """Of that learner, made once."""
        seat = self.seat(login)
        folder = self.folder / f"bundle-{login}"
        return folder if folder.exists() else self.bundle_of(seat.slug, seat.number, folder.name)

    def ssh(self, login: str, *words: str, timeout: float = 40, **how: Any) -> subprocess.CompletedProcess[str]:
        """Plain OpenSSH with the learner's files."""
        command = ["ssh", "-F", str(self.bundle(login) / "config"), *words]
        how.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout, check=False, **how)

    def root(self, address: str, script: str, *, timeout: float = 60, check: bool = True) -> str:
        """What root's shell in the guest says to this script. Raises CannotMeasure where it cannot be run."""
        words = ["ssh", "-F", "none", "-i", str(self.authority.deploy_key_file), "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes"]
        words += ["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", f"labctl@{address}", "sudo", "sh", "-s"]
        done = subprocess.run(words, input=script, capture_output=True, text=True, errors="replace", timeout=timeout, check=False)
        self.must(not check or done.returncode == 0, f"root in the guest: {done.returncode}: {done.stderr.strip()[-400:]}")
        return done.stdout

    # Processes

    def process(self, name: str) -> psutil.Process:
        """One of labctl's own."""
        found = processes.Processes(self.house.home).find(name)
        self.must(found is not None, f"{name} does not run")
        assert found is not None
        return found

    def wait(self, what: str, look: Any, seconds: float = 20) -> None:
        """Until it is so. Raises CannotMeasure."""
        end = time.monotonic() + seconds
        while not look():
            self.must(time.monotonic() < end, f"{what}: not within {seconds:.0f} s")
            time.sleep(0.05)


def course(home: Path) -> str:
    """The folder of blueprints with the course that is attacked, as the setting wants it."""
    folder = home / "blueprints" / "hostile"
    (folder / "guide").mkdir(parents=True, exist_ok=True)
    (folder / "blueprint.yaml").write_text(blueprint.BLUEPRINT)
    (folder / "guide" / "01-welcome.md").write_text(blueprint.GUIDE)
    for script in ("screen.sh", "trap.sh"):
        shutil.copy(Path(__file__).parent / script, folder)
    return json.dumps([str(folder.parent)])


def made() -> House:
    """A house for it, not up yet."""
    own = {name: os.environ[name] for name in os.environ if name.startswith("LABCTL_") and name.endswith(("_PORT", "_MANAGEMENT"))}
    house = House("att", **own)
    house.environment["LABCTL_BLUEPRINTS"] = course(house.home)
    return house
