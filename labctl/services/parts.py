"""Which processes labctl is made of, in the order in which they start. Secrets are in files, never in arguments."""

from __future__ import annotations

import http.client
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from labctl import settings as settings_
from labctl import wiring
from labctl.drivers import broker as broker_
from labctl.services import node, processes

ORDER = ("node", "broker", "worker", "beat", "api", "door", "apps")
"""Start order; they stop in reverse."""

GRACE = {"node": 20.0, "broker": 10.0, "worker": 30.0, "beat": 10.0, "api": 10.0, "door": 10.0, "apps": 10.0}
"""Seconds between asking a part to end and ending it by force. A worker may finish what it writes."""


def answers(host: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def sandbox_node(settings: settings_.Settings) -> processes.Part:
    """The Proxmox-speaking node on this machine."""
    return processes.Part(
        "node",
        [sys.executable, "-m", "labctl.sandbox", "serve", "--home", str(node.home(settings))],
        ready=lambda: answers("127.0.0.1", node.port(settings)),
        env=_env(settings),
        grace=GRACE["node"],
        tree=False,
        # Guests' directories below the node's home are searched by mapped uids.
        umask=0o022,
    )


def broker(settings: settings_.Settings) -> processes.Part:
    """Our own broker, where none is configured."""
    own = broker_of(settings)
    own.prepare()
    return processes.Part("broker", own.command(), ready=own.answers, grace=GRACE["broker"])


def broker_of(settings: settings_.Settings) -> broker_.Broker:
    """The broker of these settings."""
    return broker_.Broker(settings.home / "run", settings.broker)


def worker(settings: settings_.Settings) -> processes.Part:
    """Celery's worker: does steps."""
    from labctl.drivers import bell

    names = [bell.worker_name(settings.installation, number) for number in range(1, settings.processes + 1)]
    argv = [sys.executable, "-m", "labctl.worker"]
    return processes.Part("worker", argv, ready=_pong(settings, names), env=_env(settings), grace=GRACE["worker"])


def beat(settings: settings_.Settings) -> processes.Part:
    """Celery's clock: asks for the sweep."""
    # A folder of its own: which files the schedule becomes depends on the dbm that this Python has.
    folder = settings.home / "run" / "schedule"
    folder.mkdir(parents=True, exist_ok=True)
    argv = [*_celery(), "beat", "--loglevel", "INFO", "--schedule", str(folder / "beat"), "--pidfile", ""]

    def ready() -> bool:
        # Beat writes its schedule when it begins to tick; that of an earlier run is older than the process.
        process = processes.Processes(settings.home).find("beat")
        return process is not None and any(_written(path) >= process.create_time() - 1 for path in folder.iterdir())

    return processes.Part("beat", argv, ready=ready, env=_env(settings), grace=GRACE["beat"])


def _written(path: Path) -> float:
    """When a file was last written to; 0.0 where another has just taken its place."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def api(settings: settings_.Settings) -> processes.Part:
    """The HTTP API."""
    return processes.Part(
        "api",
        [sys.executable, "-m", "api"],
        ready=lambda: healthy(f"http://{settings.api_host}:{settings.api_port}"),
        env=_env(settings),
        grace=GRACE["api"],
    )


def healthy(url: str) -> bool:
    """Whether labctl's API answers there, and not some other program."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=2)
    try:
        connection.request("GET", "/api/v1/health")
        answer = connection.getresponse()
        return answer.status == 200 and answer.headers.get("X-Labctl") is not None
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _env(settings: settings_.Settings) -> dict[str, str]:
    # Each part reads the same settings again; only the home has to be told, for it is where the rest is found.
    return {"LABCTL_HOME": str(settings.home), "PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"}


def _celery() -> list[str]:
    return [sys.executable, "-m", "celery", "--app", "labctl.worker", "--quiet"]


def _pong(settings: settings_.Settings, names: list[str]) -> Callable[[], bool]:
    control = wiring.build(settings).celery().control

    def ready() -> bool:
        try:
            return len(control.ping(destination=names, timeout=1, limit=len(names))) == len(names)
        except Exception:
            # A broker that is not there yet raises errors of Celery, of kombu or of its transport: all mean not ready.
            return False

    return ready
