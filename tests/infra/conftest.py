"""One sandbox node with paper guests for all tests of this room; each test has a plot, and so a range, of its own."""

from __future__ import annotations

import itertools

import pytest

from tests.infra import node_plans
from tests.sandbox_node import SandboxNode

_PLOTS = itertools.count(10)


@pytest.fixture(scope="session")
def node():
    with SandboxNode() as running:
        yield running


@pytest.fixture
def plot():
    return next(_PLOTS)


@pytest.fixture
def site(node):
    return node_plans.site(node)


@pytest.fixture
def provisioner(node, tmp_path):
    return node_plans.provisioner(node, tmp_path / "state")


@pytest.fixture
def said():
    return []
