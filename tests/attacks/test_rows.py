"""The table of threats and what is tried belong together: each row has an attack, and each attack a row."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.attacks import Tried, beside, rows

FOLDER = Path(rows.__file__).parent
DOORS = {"management network": 4, "guest": 3, "door": 4, "relay": 1, "terminal": 4, "desktop": 2, "apps": 3, "pages": 1}
"""How many rows the table of threats has for each way in."""


def named():
    """The rows that modules of attacks name."""
    found = set()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "rows" and node.attr.isupper():
                found.add(node.attr)
    return found


def test_the_table_has_all_its_rows():
    counted = dict.fromkeys(DOORS, 0)
    for row in rows.ROWS:
        counted[row.partition(":")[0]] += 1
    assert counted == DOORS


def test_every_row_is_tried_and_no_other():
    assert named() - {"ROWS"} == {name for name in vars(rows) if name.isupper() and name != "ROWS"}


def test_a_control_is_the_same_attack_without_its_wall():
    with_wall = [Tried("row", "a", refused=True), Tried("row", "b", refused=True)]
    without = [Tried("row", "a", refused=False), Tried("row", "b", refused=True)]
    assert [one.control for one in beside(with_wall, without)] == [True, False]
