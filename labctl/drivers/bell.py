"""The doorbell: Celery carries an environment's id to a worker, and beat asks for the sweep. The only place that imports Celery.

Messages are JSON ids and nothing else. They may be lost, doubled, late or in any order: a ring only says "look". Celery's own
retries are not used (`labctl.runner` turns errors into retries).
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeAlias

import celery
from celery import signals
from kombu import exceptions as kombu_errors

from labctl import errors

TURN = "labctl.turn"
SWEEP = "labctl.sweep"
WATCH = "labctl.watch"

LONGEST_TURN = timedelta(hours=12)
"""Above any turn's own limits. A message that is not acknowledged for so long is delivered again (Redis transport): one look more."""

SHORTEST_LIFE = 30
"""Seconds for which a ring is worth something, however often is swept."""


_SERVING = (
    "celery.apps.worker",
    "celery.concurrency.thread",
    *(f"celery.worker.{part}" for part in ("autoscale", "components", "consumer", "control", "loops", "strategy")),
    "kombu.transport.redis",
)
"""Imported by Celery itself when a worker starts."""


Application: TypeAlias = celery.Celery
"""Celery's own kind of thing, for those who pass it on."""


def application(url: str, *, sweep_seconds: int, watch_seconds: int = 15) -> Application:
    """Celery on this broker. A ring that waited for three sweeps has been rung again since, so it is dropped unread: the queue
    cannot grow while all workers are busy.
    """
    app = celery.Celery("labctl", broker=url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=True,
        task_default_queue="labctl",
        task_send_sent_event=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=True,
        # Workers of one home are started alone; gossip and mingle would only cost time.
        worker_enable_remote_control=True,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": int(LONGEST_TURN.total_seconds()),
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": 5,
        },
        beat_schedule={
            task: {"task": task, "schedule": float(seconds), "options": {"expires": seconds}}
            for task, seconds in ((SWEEP, sweep_seconds), (WATCH, watch_seconds))
        },
        beat_max_loop_interval=max(1, min(sweep_seconds, 5)),
    )
    return app


def add_tasks(app: Application, turn: Callable[[str], object], sweep: Callable[[], object], watch: Callable[[], object]) -> None:
    """Give the worker its tasks. Results are thrown away: what is true stands in the database."""

    @app.task(name=TURN, shared=False)  # type: ignore[untyped-decorator]
    def _turn(environment: str) -> None:
        turn(environment)

    @app.task(name=SWEEP, shared=False)  # type: ignore[untyped-decorator]
    def _sweep() -> None:
        sweep()

    @app.task(name=WATCH, shared=False)  # type: ignore[untyped-decorator]
    def _watch() -> None:
        watch()


def load() -> None:
    """Import what `serve` needs, and build nothing: before processes are forked, so that they share it."""
    for module in _SERVING:
        importlib.import_module(module)


def when_told_to_end(tell: Callable[[], None]) -> None:
    """Call `tell` when this process's worker is asked to end: what runs is finished, and nothing more is begun."""

    def ending(**_: object) -> None:
        tell()

    signals.worker_shutting_down.connect(ending, weak=False)


def worker_name(installation: str, number: int) -> str:
    """What Celery calls a process of this installation's worker."""
    return f"labctl-{installation}-{number}@localhost"


def serve(app: Application, name: str, threads: int) -> None:
    """Serve the tasks in this process, so many at once, until told to end. Only in a process's first thread."""
    # As `celery worker` does, without the four hundred modules of its command line.
    # Nobody listens to its heartbeats, which cost a publication every two seconds; a ping is answered all the same.
    alone = {"without_mingle": True, "without_gossip": True, "without_heartbeat": True}
    worker = app.Worker(hostname=name, pool_cls="threads", concurrency=threads, loglevel="INFO", quiet=True, **alone)
    worker.start()
    if worker.exitcode:
        raise SystemExit(worker.exitcode)


class CeleryBell:
    """Fills the port Bell."""

    def __init__(self, url: str, *, sweep_seconds: int) -> None:
        self._url = url
        self._sweep_seconds = sweep_seconds
        self._app: Application | None = None
        self._pid = 0

    def ring(self, environment: str) -> None:
        """Raises Unreachable where the broker does not answer: the sweep will ring instead."""
        with _translated():
            self._celery().send_task(TURN, args=[environment], expires=max(SHORTEST_LIFE, 3 * self._sweep_seconds), retry=False)

    def listen(self) -> None:
        """Raises Unreachable where the broker does not answer."""
        with _translated(), self._celery().connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0.1)

    def _celery(self) -> Application:
        if self._app is None or self._pid != os.getpid():
            # Connections are not carried over a fork.
            self._app, self._pid = application(self._url, sweep_seconds=self._sweep_seconds), os.getpid()
            # One more try for a connection that idled away; a person waits for the answer.
            self._app.conf.broker_transport_options |= {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}
        return self._app


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (kombu_errors.OperationalError, OSError) as error:
        # The address may hold a password, so only the kind of error is told.
        raise errors.Unreachable(
            f"the broker does not answer ({type(error).__name__}).",
            hint="`labctl status` shows whether it runs; `labctl up` starts it.",
        ) from None
