"""The summary of a plan: sums and names, never a value of a variable."""

import pytest

from labctl.model import reading, summary
from tests.model import cases
from tests.model.test_planning import WHOLE, lab, plan


def test_a_class_is_that_many_times_a_seat():
    made = summary.of(WHOLE, plan(WHOLE), seats=3)
    assert made.seat == summary.Totals(machines=4, networks=3, cpus=12, busy_cpus=1.2, memory_mib=256 + 1024 + 512 + 512, disk_gib=40)
    assert made.classroom == summary.Totals(machines=12, networks=9, cpus=36, busy_cpus=3.6, memory_mib=3 * 2304, disk_gib=120)


def test_machines_networks_and_steps_are_named():
    made = summary.of(WHOLE, plan(WHOLE))
    assert [line.name for line in made.machines] == ["edge", "web", "desk-1", "desk-2"]
    assert made.machines[0].addresses == ("outside 10.66.0.1/24", "dmz 10.66.10.1/24", "link none")
    assert made.networks[1].machines == ("edge", "web", "desk-1", "desk-2")
    assert [step.kind for step in made.steps] == ["packages", "playbook", "role", "script", "write"]
    assert made.variables[0] == summary.VariableLine(name="password", made="random: password", shown=True)


@pytest.mark.parametrize("seed", range(5))
def test_no_drawn_value_is_in_a_summary(seed):
    drawn = plan(WHOLE, seed=seed)
    text = summary.of(WHOLE, drawn).model_dump_json()
    for variable in drawn.variables:
        if variable.name in {"password", "token", "flag", "id", "phrase", "user"}:
            assert str(variable.value) not in text


def test_a_value_in_a_command_is_masked():
    blueprint = lab("  a: {}", 'variables: {t: {random: hex}}\nready: [{run: "test ${lab.t}"}]\n')
    assert summary.of(blueprint, plan(blueprint)).checks == (f"run test {summary.MASK} on a",)


def test_the_smallest_lab_has_the_defaults_of_the_language():
    blueprint = reading.parse((cases.CASES / "minimal" / "blueprint.yaml").read_text(), "f")
    assert summary.of(blueprint, plan(blueprint)).seat == summary.Totals(
        machines=1, networks=1, cpus=1, busy_cpus=0.3, memory_mib=1024, disk_gib=0
    )
