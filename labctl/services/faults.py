"""A fault file for a run (`LABCTL_FAULTS`): looked at before anything is begun, then given to the sandbox node of this home.

Only labctl's own node does things wrong on purpose; a real cluster is never given faults. What a file may say is the node's matter
(`labctl.sandbox.faults`), asked on its command line like everything else.
"""

from __future__ import annotations

import re
import subprocess

from labctl import errors
from labctl import settings as settings_
from labctl.services import node


def check(settings: settings_.Settings) -> None:
    """Raises BadInput with file, line and column for each mistake; nothing to do without a file."""
    if settings.faults is None:
        return
    if not node.in_use(settings):
        raise errors.BadInput(
            f"faults were given ({settings.faults}), but this home's cluster is not labctl's sandbox node: a real one is given none.",
            hint="Unset LABCTL_FAULTS.",
        )
    _run(settings, "check")


def follow(settings: settings_.Settings) -> None:
    """From now on the node follows the file. Without one it goes on with what it was told before."""
    if settings.faults is not None:
        _run(settings, "set")


def _run(settings: settings_.Settings, verb: str) -> None:
    words = node.command(settings, "faults", "--home", str(node.home(settings)), verb, str(settings.faults))
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode == 0:
        return
    found = (re.fullmatch(r"(.+?):(\d+):(\d+): (.*)", line) for line in done.stderr.splitlines())
    complaints = tuple(errors.Complaint(one[1], int(one[2]), int(one[3]), one[4]) for one in found if one)
    if complaints:
        raise errors.BadInput(f"the fault file {settings.faults} has mistakes; nothing was started.", complaints=complaints)
    raise errors.BadInput(f"the fault file {settings.faults} cannot be used: {done.stderr.strip()[-300:]}")
