"""The embedded engine: runs our program through Pulumi's SDK, calls our provider directly, keeps Pulumi's own state file.

It needs no installation and costs some hundredths of a second per update. What it can do is exactly what our program
asks for; everything else it refuses (`monitor`).
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent import futures

import pulumi.runtime
from pulumi.runtime import settings as sdk_settings
from pulumi.runtime import stack as sdk_stack

from infra import program as program_
from infra import provider as provider_
from infra import state
from infra.engines import engine, records, steps
from infra.engines import monitor as monitor_
from infra.work import Work
from labctl import errors

PARALLEL = 16
"""Resources of one stack at work at once; each mostly waits for Proxmox."""


class Embedded:
    """See the module."""

    name = "embedded"

    def __init__(self, backend: state.Backend, make: engine.MakeProvider = provider_.Labctl) -> None:
        self._make = make
        self._backend = backend

    def up(self, program: program_.Program, work: Work) -> engine.Outcome:
        """See `engine.Engine`. Deletions are skipped when anything failed."""
        outcome = engine.Outcome()
        with self._backend.lock(program.stack):
            books = records.Records(self._backend, program.stack)
            step = steps.Steps(self._make(work), books, outcome)
            monitor = monitor_.Monitor(program.stack, program_.PROJECT, books, step)
            contextvars.copy_context().run(_run, program, monitor, outcome)
            if outcome.well:
                _delete(books.olds(), step)
            elif monitor.skipped:
                outcome.failures.append(f"not started, for what they need is missing: {', '.join(sorted(monitor.skipped))}")
            books.save()
        return outcome

    def destroy(self, stack: str, work: Work) -> engine.Outcome:
        """See `engine.Engine`. What a killed run may have made without recording it is removed too: its VMID is in the inputs."""
        outcome = engine.Outcome()
        with self._backend.lock(stack):
            books = records.Records(self._backend, stack)
            step = steps.Steps(self._make(work), books, outcome)
            _delete(books.interrupted, step)
            _delete(books.olds(), step)
            books.save()
        return outcome

    def recover(self, stack: str) -> None:
        """See `engine.Engine`."""
        self._backend.break_dead_locks(stack)


def _run(program: program_.Program, monitor: monitor_.Monitor, outcome: engine.Outcome) -> None:
    """The program in an event loop of its own, with threads of its own, in a context of its own (the SDK's settings are
    context variables).
    """
    log = monitor_.Log()
    sdk_settings.ROOT.set(None)
    pulumi.runtime.configure(
        sdk_settings.Settings(project=program_.PROJECT, stack=program.stack, monitor=monitor, engine=log, parallel=PARALLEL, dry_run=False)
    )

    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(futures.ThreadPoolExecutor(PARALLEL, thread_name_prefix="resource"))
        await sdk_stack.run_in_stack(lambda: program_.register(program))

    try:
        asyncio.run(main())
    except errors.LabctlError:
        raise
    except Exception as error:
        raise errors.PermanentError(f"the program of {program.stack} failed: {error}") from error
    outcome.failures += log.errors


def _delete(rows: list[records.Record], step: steps.Steps) -> None:
    """Last made first: a resource goes when nothing that needs it is left; independent ones go at once."""
    left = {row["urn"]: row for row in rows}
    stuck: set[str] = set()
    with futures.ThreadPoolExecutor(PARALLEL, thread_name_prefix="removal") as pool:
        while left:
            needed = {urn for row in left.values() for urn in _needs(row)}
            ready = [row for urn, row in left.items() if urn not in needed and urn not in stuck]
            if not ready:
                return
            for row, gone in zip(ready, pool.map(_attempt(step), ready), strict=True):
                if gone:
                    del left[row["urn"]]
                else:
                    stuck.add(row["urn"])


def _needs(row: records.Record) -> set[str]:
    provider = row.get("provider", "").rpartition("::")[0]
    return {
        *row.get("dependencies", []),
        row.get("parent", ""),
        provider,
        *(u for urns in (row.get("propertyDependencies") or {}).values() for u in urns),
    }


def _attempt(step: steps.Steps) -> Callable[[records.Record], bool]:
    def attempt(row: records.Record) -> bool:
        try:
            step.delete(row)
        except steps.Failed:
            return False
        return True

    return attempt
