"""Rules for all tests: never the machine's own labctl home; tests that make real guests are skipped, visibly, where they cannot be made;
the same drawn examples on every machine, however slow it is.
"""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest
from hypothesis import HealthCheck, settings

# The same draws each time and no stop-watch (hypothesis' own default is 0.2 s an example): a run says something of the change that it
# tests. `--hypothesis-profile=hunt` draws anew and ten times as much, for whoever looks for what nobody has thought of.
settings.register_profile("labctl", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("hunt", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("labctl")

# Set before anything reads settings: a test must never touch the home of a labctl that is in use on this machine.
_HOME = tempfile.mkdtemp(prefix="labctl-tests-")
os.environ["LABCTL_HOME"] = _HOME


def pytest_collection_modifyitems(items):
    wants_guests = [item for item in items if item.get_closest_marker("guests")]
    if not wants_guests:
        return
    from labctl.sandbox.guests import check

    missing = [f"{finding.name}: {finding.remedy}" for finding in check.findings() if not finding.ok]
    if missing:
        skip = pytest.mark.skip(reason="real guests cannot be made here: " + "; ".join(missing))
        for item in wants_guests:
            item.add_marker(skip)


def pytest_unconfigure():
    shutil.rmtree(_HOME, ignore_errors=True)
