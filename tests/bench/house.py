"""A whole labctl of its own for a bench: own home, ports, names and management range, real services, real guests.

`House` drives it as people do: through the `labctl` command. It is taken away again at the end, whatever happened.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import requests

from labctl import errors, settings
from labctl.services import up
from tests.free_ports import free_port

REPOSITORY = Path(__file__).resolve().parents[2]


def _free_range() -> str:
    """A management range that no other bench on this machine uses now."""
    shown = subprocess.run(["ip", "-j", "-4", "addr"], capture_output=True, text=True, check=True).stdout
    taken = {entry["local"].rpartition(".")[0] for link in json.loads(shown) for entry in link["addr_info"]}
    free = [second for second in range(124, 127) if f"100.{second}.0" not in taken]
    return f"100.{random.choice(free or [124])}.0.0/16"


def roster(path: Path, learners: int) -> Path:
    """A roster of that many made-up learners."""
    lines = ["name,email", *(f"Learner {number},learner{number}@example.org" for number in range(1, learners + 1))]
    path.write_text("\n".join(lines) + "\n")
    return path


def _up(environment: dict[str, str], log: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    log.parent.mkdir(exist_ok=True)
    with log.open("a") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)

        @contextlib.contextmanager
        def timed(what: str) -> Iterator[list[str]]:
            said.write(f"{what}\n")
            yield []

        try:
            up.up(settings.Settings(), timed, lambda line: print(line, file=said))
        except errors.LabctlError as error:
            said.write(f"{error}\n")
            said.flush()
            os._exit(1)


class House:
    """See the module. Use as a context manager."""

    def __init__(self, name: str, **settings: str) -> None:
        """`settings` are more of labctl's own, by the name of their variable."""
        # /var/tmp, not /tmp: guests' directories lie below, and a tmpfs would count them as memory.
        self.home = Path(tempfile.mkdtemp(prefix=f"labctl-{name}-", dir="/var/tmp"))
        self.home.chmod(0o755)
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("LABCTL_")} | {
            "LABCTL_HOME": str(self.home),
            "LABCTL_INSTALLATION": f"{name[:5]}{random.randrange(36**4):x}"[:9],
            "LABCTL_MANAGEMENT": _free_range(),
            "LABCTL_API_PORT": str(free_port()),
            "LABCTL_DOOR_PORT": str(free_port()),
            "LABCTL_APPS_PORT": str(free_port()),
            "LABCTL_SANDBOX_PORT": str(free_port()),
            "NO_COLOR": "1",
            "COLUMNS": "200",
            **settings,
        }
        for passed in ("LABCTL_ENGINE", "LABCTL_PULUMI", "LABCTL_CACHE", "LABCTL_WORKERS"):
            if passed in os.environ:
                self.environment[passed] = os.environ[passed]

    def run(self, *arguments: str, check: bool = True, timeout: float = 1800) -> subprocess.CompletedProcess[str]:
        """One `labctl` command."""
        command = [sys.executable, "-m", "labctl.cli", *arguments]
        done = subprocess.run(command, env=self.environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=timeout, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"labctl {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def up(self) -> None:
        """What `labctl up` does, in a child of this process: two seconds of imports less, for benches that do it hundreds of times.
        Raises RuntimeError; what it said is in the home's log/bench-up.log.
        """
        child = multiprocessing.get_context("fork").Process(target=_up, args=(self.environment, self.home / "log" / "bench-up.log"))
        child.start()
        child.join(300)
        if child.is_alive():
            child.kill()
            child.join()
        if child.exitcode != 0:
            raise RuntimeError((self.home / "log" / "bench-up.log").read_text()[-400:])

    def json(self, *arguments: str) -> Any:
        """A command's data."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def open(self, slug: str, blueprint: str, learners: int) -> None:
        """Open a class of that many learners; returns when it was accepted."""
        listed = roster(self.home / f"{slug}.csv", learners)
        self.run("class", "open", blueprint, "--name", slug, "--roster", str(listed))

    def seats(self, slug: str) -> list[dict[str, Any]]:
        """The seats of a class as the board shows them."""
        # By the API, not by the command: looking often must not cost the machine what is being measured.
        return list(self.api(f"/classrooms/{slug}")["seats"])

    def api(self, path: str, **parameters: object) -> Any:
        """A GET on the API, with the command line's own token."""
        return self._call("GET", path, params=parameters)

    def post(self, path: str, **body: object) -> Any:
        """A POST on the API."""
        return self._call("POST", path, json=body or None)

    def delete(self, path: str) -> Any:
        """A DELETE on the API."""
        return self._call("DELETE", path)

    def _call(self, method: str, path: str, **how: Any) -> Any:
        token = (self.home / "secrets" / "cli-token").read_text().strip()
        url = f"http://127.0.0.1:{self.environment['LABCTL_API_PORT']}/api/v1{path}"
        answer = requests.request(method, url, headers={"Authorization": f"Bearer {token}"}, timeout=30, **how)
        answer.raise_for_status()
        return answer.json()

    def journal(self, slug: str) -> list[dict[str, Any]]:
        """All lines of a class, oldest first."""
        lines: list[dict[str, Any]] = []
        while part := self.api(f"/classrooms/{slug}/journal", after=lines[-1]["number"] if lines else 0, limit=1000):
            lines += part
        return lines

    def wait(self, what: str, look: Callable[[], bool], seconds: float, *, pause: float = 0.25) -> None:
        """Until `look` says so; TimeoutError else."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if look():
                return
            time.sleep(pause)
        raise TimeoutError(f"{what}: not within {seconds:.0f} s")

    def door_is_open(self) -> bool:
        """Whether the SSH door answers at all."""
        try:
            socket.create_connection(("127.0.0.1", int(self.environment["LABCTL_DOOR_PORT"])), timeout=2).close()
        except OSError:
            return False
        return True

    def __enter__(self) -> Self:
        try:
            self.run("up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.run("down", "--yes", "--wipe", check=False)
        node = self.home / "sandbox"
        if node.exists():  # `down` could not
            subprocess.run([sys.executable, "-m", "labctl.sandbox", "wipe", "--home", str(node)], cwd=REPOSITORY, check=False)
        shutil.rmtree(self.home, ignore_errors=True)
