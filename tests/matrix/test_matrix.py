"""A part of the matrix, drawn by lot: one case of each kind and method first, then as many as fit. `make matrix` tries them all."""

from __future__ import annotations

import os

import pytest

from labctl.sandbox.faults import kinds
from tests.matrix import play, points, scenes

PART = int(os.environ.get("LABCTL_MATRIX_CASES", "120"))
SEED = int(os.environ.get("LABCTL_MATRIX_SEED", "0"))


@pytest.fixture(scope="module")
def matrix():
    with play.Matrix(list(scenes.SCENES), jobs=2) as made:
        yield made


@pytest.fixture(scope="module")
def known(matrix):
    return matrix.cases()


def test_every_step_that_calls_proxmox_has_a_scene(matrix):
    done = {step for stage in matrix.stages.values() for step in [stage.scene.step]}
    assert done == {"build", "configure", "prove", "bake", "reset", "hand_over", "tidy", "resume", "remove"}
    assert all(stage.calls for stage in matrix.stages.values())


def test_every_kind_that_labctls_calls_can_have_is_tried(known):
    tried = {case.rule.kind.name for case in known if case.rule}
    assert set(kinds.KINDS) - tried <= {"digest"} | {"agent-silent"}, "only what none of labctl's calls can have is missing"
    assert {case.scene for case in known if case.rule is None} == set(scenes.SCENES)


def test_whatever_fails_and_whenever_it_is_killed_it_settles_right_and_leaves_nothing(matrix, known, capsys):
    chosen = play.draw(known, PART, SEED)
    outcomes = list(matrix.play(chosen))
    with capsys.disabled():
        print(f"\nmatrix: {len(chosen)} of {len(known)} cases, seed {SEED}")
    wrong = [f"{one.case}: {one.wrong[:4]}" for one in outcomes if one.wrong]
    assert not wrong, "\n".join(wrong)
    missed = [str(one.case) for one in outcomes if one.missed]
    assert len(missed) <= len(outcomes) // 10, f"calls that were never made: {missed}"


def test_a_world_that_lost_something_or_has_a_crumb_is_not_right(matrix):
    """The judge can say no: a guest that stopped, a snapshot too many and a claim that is not true are all seen."""
    stage = matrix.stages["tidy"]
    with play.House(matrix._forks(), stage.begins) as house:
        vmid = house.environment_().facts.machines[0].vmid
        house.here.node.runtime.stop(vmid)
        with house.here.node.state.change() as content:
            content["pools"]["labs/crumb"] = {}
        life = house.live()
        found = matrix._judge(house, stage, life, points.Case("tidy"))
    assert any(line == f"lost: running {vmid}" for line in found), found
    assert any(line.startswith("left: pools labs/crumb") for line in found), found
