"""Attacks: every row of the table of threats, tried for real from a hostile guest, account or client; what an attack found is a ``Tried``.

Not here: a world of its own for each row. One house is started once (``world``), and the rows share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Tried(NamedTuple):
    """One attack: the row of the table it belongs to (``rows``), what was tried in a few words, and what came of it.

    ``control`` says whether the attack succeeded with its wall removed (None where the table names no control).
    """

    row: str
    attack: str
    refused: bool
    control: bool | None = None
    note: str = ""


def beside(tried: Sequence[Tried], without: Sequence[Tried]) -> list[Tried]:
    """What was tried, each with what became of the same attack without the wall."""
    found = {one.attack: not one.refused for one in without}
    return [one._replace(control=found.get(one.attack, one.control)) for one in tried]
