"""The Pulumi engine of this home: which one works, and how to get the real one."""

from __future__ import annotations

from labctl import errors
from labctl import settings as settings_


def describe(settings: settings_.Settings) -> str:
    """Which engine works here, and why."""
    # Pulumi's SDK takes a second to import: only those who ask pay for it.
    from infra import state
    from infra.engines import choice

    try:
        return choice.describe(settings.engine, state.Backend(settings.home / "state"))
    except errors.LabctlError as error:
        return f"none: {error.message}"
    except OSError as error:
        return f"none: {error.filename}: {error.strerror}"


def install(settings: settings_.Settings) -> str:
    """Get the real CLI from its vendor. Raises Unreachable where that is impossible."""
    from infra import state
    from infra.engines import choice

    return choice.install(state.Backend(settings.home / "state"))
