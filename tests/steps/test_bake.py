"""The steps of golden machines: no snapshot, sealed before they are frozen, and their place on the management network freed last."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labctl.model.environment import Environment, Facts, Lease, State, Step, Wanted, Wishes
from labctl.steps import bake, configure, table
from tests import fakes
from tests.steps.test_steps import MACHINE, script, tools

__all__ = ["script", "tools"]


@pytest.fixture
def golden(tools):
    wishes = Wishes(Wanted.READY, Lease(fakes.NOON, fakes.NOON.replace(year=9999)))
    facts = Facts(State.BUILT, machines=(MACHINE,))
    return Environment("g1", "golden.1", 1, 1, wishes, facts, golden=True)


def test_configuring_golden_machines_keeps_no_state_for_resets(tools, golden, script):
    configure.run(tools, golden, lambda _line: None)
    assert [verb for verb, _ in script.calls] == ["open", "enrol", "configure"]


def test_baking_seals_then_freezes_then_lets_go_of_the_wire(tools, golden, script):
    made = configure.run(tools, golden, lambda _line: None)
    script.calls.clear()
    golden = replace(golden, facts=Facts(State.CONFIGURED, machines=made))
    assert bake.run(tools, golden, lambda _line: None) == made
    assert [verb for verb, _ in script.calls] == ["open", "seal", "freeze", "close"]
    script.calls.clear()
    bake.run(tools, golden, lambda _line: None)
    assert [verb for verb, _ in script.calls] == ["open", "freeze", "close"]


def test_the_step_stands_in_the_table():
    assert table.STEPS[Step.BAKE] is bake.run
