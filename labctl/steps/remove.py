"""Remove: the one undo for everything. Needs the environment's id and plot only, and ends with a search for leftovers."""

from __future__ import annotations

from labctl import errors, ports
from labctl.model.environment import Environment, Machine
from labctl.steps.kit import Kit


def run(kit: Kit, env: Environment, progress: ports.Progress) -> tuple[Machine, ...]:
    """Any state to GONE. Raises TemporaryError when something is left: guests may need a moment to let go of their disks."""
    removal = kit.provisioner.remove(env.id, env.plot, progress)
    kit.wire.close(env.plot)
    gone = (*removal.removed, *kit.traces.clear(env))
    for line in gone:
        progress(f"removed {line}")
    if removal.left:
        raise errors.TemporaryError(
            f"still there after removing: {', '.join(removal.left)}.", hint="It is tried again; look at the cluster if it stays."
        )
    progress(f"{len(gone)} removed, and a search found nothing left" if gone else "a search found nothing to remove")
    return ()
