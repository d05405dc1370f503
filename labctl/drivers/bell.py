"""The doorbell: Celery carries an environment's id to a worker, and beat asks for the sweep. The only place that imports Celery.

Messages are JSON ids and nothing else. They may be lost, doubled, late or in any order: a ring only says "look". Celery's own
retries are not used (`labctl.runner` turns errors into retries).
"""

from __future__ import annotations

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

LONGEST_STEP = timedelta(hours=12)
"""Above any step's own limits. A message that is not acknowledged for so long is delivered again (Redis transport)."""


Application: TypeAlias = celery.Celery
"""Celery's own kind of thing, for those who pass it on."""


def application(url: str, *, sweep_seconds: int) -> Application:
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
        # A step that hangs is killed with its process while its message is still its own; it is repeated like any killed one.
        task_time_limit=int((LONGEST_STEP - timedelta(hours=1)).total_seconds()),
        worker_hijack_root_logger=True,
        # Workers of one home are started alone; gossip and mingle would only cost time.
        worker_enable_remote_control=True,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": int(LONGEST_STEP.total_seconds()),
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": 5,
        },
        beat_schedule={SWEEP: {"task": SWEEP, "schedule": float(sweep_seconds), "options": {"expires": sweep_seconds}}},
        beat_max_loop_interval=max(1, min(sweep_seconds, 5)),
    )
    return app


def add_tasks(app: Application, turn: Callable[[str], object], sweep: Callable[[], object]) -> None:
    """Give the worker its two tasks. Results are thrown away: what is true stands in the database."""

    @app.task(name=TURN, shared=False)  # type: ignore[untyped-decorator]
    def _turn(environment: str) -> None:
        turn(environment)

    @app.task(name=SWEEP, shared=False)  # type: ignore[untyped-decorator]
    def _sweep() -> None:
        sweep()


def before_children(load: Callable[[], None]) -> None:
    """Call `load` once in the worker's own process, before it forks: what is imported there is there in all children, instead of
    being imported in each of them in the first seconds of the first class.
    """

    def started(**_: object) -> None:
        load()

    signals.worker_init.connect(started, weak=False)


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
            self._celery().send_task(TURN, args=[environment], expires=3 * self._sweep_seconds, retry=False)

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
