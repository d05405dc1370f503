"""A few threads that do small work one after another, so that many askers at once never become many threads. Fills `task_ports.Hands`.

They are daemons: work of minutes in a guest must not hold up the end of a process. What was under way then is taken up by nobody; whoever
began it says in the store until when it counts.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future


class Hands:
    """`number` of threads, begun when there is something to do."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._work: queue.SimpleQueue[tuple[Callable[[], None], Future[None]]] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._begun = 0

    def do(self, work: Callable[[], None]) -> Future[None]:
        """See `task_ports.Hands`."""
        future: Future[None] = Future()
        self._work.put((work, future))
        with self._guard:
            if self._begun < self._number:
                self._begun += 1
                threading.Thread(target=self._serve, name=f"hands-{self._begun}", daemon=True).start()
        return future

    def _serve(self) -> None:
        while True:
            work, future = self._work.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                work()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(None)
            # Nothing of the last one's is kept while waiting for the next.
            del work, future
