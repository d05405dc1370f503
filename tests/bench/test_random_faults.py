"""What chance makes up for `make crumbs` is what a node reads, and is different each time."""

import random

from labctl.sandbox.faults import reading
from tests.bench import random_faults


def test_every_fault_file_made_by_chance_is_one_that_a_node_reads():
    made = [random_faults.file(random.Random(seed)) for seed in range(150)]
    assert all(reading.read(text, "faults.yaml").rules for text in made)
    assert len(set(made)) > 100


def test_all_kinds_but_those_without_a_call_of_ours_come_up():
    named = {rule.kind.name for seed in range(400) for rule in reading.read(random_faults.file(random.Random(seed)), "f")}
    # labctl asks no guest agent for anything, so nobody can be silent.
    assert named == set(reading.kinds.KINDS) - {"agent-silent"}
