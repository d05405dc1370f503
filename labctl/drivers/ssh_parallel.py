"""The same work on all machines of an environment at once, with progress told from the caller's thread only.

Callers write progress into a database session that belongs to their thread, so lines travel through a queue. All machines
are waited for before an error is raised: no work goes on behind the caller's back, and a permanent error wins over a
temporary one, because trying again would not help.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from labctl import errors, ports
from labctl.model.environment import Machine

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class _Done:
    index: int
    result: object = None
    error: BaseException | None = None


def each(items: Sequence[Item], work: Callable[[Item, ports.Progress], Result], progress: ports.Progress) -> list[Result]:
    """`work(item, progress)` for all items at once; results in the order of the items."""
    lines: queue.SimpleQueue[str | _Done] = queue.SimpleQueue()

    def one(index: int, item: Item) -> None:
        try:
            lines.put(_Done(index, result=work(item, lines.put)))
        except BaseException as error:
            if isinstance(error, errors.LabctlError) and isinstance(item, Machine):
                error.machine = error.machine or item.name
            lines.put(_Done(index, error=error))

    threads = [threading.Thread(target=one, args=pair, name=f"ssh-{pair[0]}", daemon=True) for pair in enumerate(items)]
    for thread in threads:
        thread.start()
    done: dict[int, _Done] = {}
    try:
        while len(done) < len(items):
            line = lines.get()
            if isinstance(line, _Done):
                done[line.index] = line
            else:
                progress(line)
    finally:
        for thread in threads:
            thread.join()
    _raise_worst([done[index].error for index in range(len(items))])
    return [done[index].result for index in range(len(items))]  # type: ignore[misc]


def _raise_worst(found: Sequence[BaseException | None]) -> None:
    failures = [error for error in found if error is not None]
    for kind in (errors.PermanentError, Exception):
        for error in failures:
            if isinstance(error, kind) or not isinstance(error, errors.LabctlError):
                raise error
