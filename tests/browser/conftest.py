"""What tests in a browser begin with; those that need more of it have fixtures of the same names."""

from __future__ import annotations

import pytest

from tests import world_here
from tests.browser import chromium


@pytest.fixture
def world(tmp_path):
    made = world_here.World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def browser():
    with chromium.Chromium() as made:
        yield made
