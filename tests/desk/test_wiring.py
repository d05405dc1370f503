"""The composition root: lazy, replaceable by name, and the same for everybody."""

from __future__ import annotations

import subprocess
import sys

import pytest

from labctl import errors, settings, wiring
from tests import fakes


def test_what_is_given_is_used_everywhere(tmp_path):
    clock, bell = fakes.SetClock(), fakes.CountingBell()
    wired = wiring.build(settings.Settings(home=tmp_path))
    assert wired.clock is wired.clock
    given = wiring.Wiring(settings.Settings(home=tmp_path), clock=clock, bell=bell)
    assert given.clock is clock
    assert given.desk.clock is clock
    assert given.desk.bell is bell


def test_a_name_it_does_not_have_is_refused(tmp_path):
    with pytest.raises(TypeError, match="the wiring has no clok"):
        wiring.Wiring(settings.Settings(home=tmp_path), clok=fakes.SetClock())


def test_before_there_is_a_site_it_says_what_to_do(tmp_path):
    wired = wiring.Wiring(settings.Settings(home=tmp_path))
    with pytest.raises(errors.NotFound, match=r"site\.yaml") as caught:
        _ = wired.provisioner
    assert "labctl up" in caught.value.hint


def test_importing_it_does_not_import_what_only_workers_need():
    code = "import sys, labctl.wiring; print(*{'pulumi', 'ansible_runner', 'paramiko', 'celery', 'fastapi', 'alembic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
