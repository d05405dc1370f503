"""The board says on which node a seat stands where that tells something: several nodes, or one that failed it."""

from __future__ import annotations

import pytest
from rich.console import Console

from labctl.cli import board


def seat(number, node="pve1", **more):
    machine = {"name": "web", "node": node, "stand_in": False, "instead_of": "", **more}
    facts = {"status": "ready", "trouble": None, "note": "", "doing": None, "doing_since": None, "aside": False}
    return {"number": number, "learner": f"Learner {number}", "machines": [machine], **facts}


def shown(*seats):
    console = Console(width=140, no_color=True)
    with console.capture() as capture:
        console.print(board.table({"seats": list(seats)}))
    return capture.get()


@pytest.mark.parametrize(
    ("seats", "said", "unsaid"),
    [
        ([seat(1), seat(2)], ["web"], ["@", "(not"]),
        ([seat(1), seat(2, "pve2")], ["web @pve1", "web @pve2"], ["(not"]),
        ([seat(1), seat(2, instead_of="pve3")], ["web @pve1 (not pve3)"], []),
    ],
)
def test_nodes_are_named_where_they_tell_something(seats, said, unsaid):
    text = shown(*seats)
    assert all(words in text for words in said)
    assert not any(words in text for words in unsaid)
