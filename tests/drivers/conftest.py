"""Real guests for this room, made once a session: `guests` is the runtime, `lab` an enrolled pair of machines."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session")
def guests():
    from tests.drivers import guests_here

    made = guests_here.GuestsHere(f"t{os.getpid() % 1_000_000}")
    yield made
    made.close()


@pytest.fixture(scope="session")
def lab(guests):
    from tests.drivers import guests_here

    return guests_here.Lab(guests)
