"""Rules for all tests: never the machine's own labctl home; tests that make real guests are skipped, visibly, where they cannot be made."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest

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
