"""Too many who have not said who they are: which of them goes, so that whoever comes to say it finds room. Pure.

To refuse newcomers would let anybody who opens connections and says nothing shut everybody out. A class sits behind one address, so no
address has a cap of its own; but the one that has most of those who wait is the first that loses some.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import TypeVar

One = TypeVar("One")


def going(waiting: Mapping[One, str]) -> One:
    """Of those who wait (with the address each comes from, in the order in which they came): of the address that has most, the first."""
    crowds = collections.Counter(waiting.values())
    most = max(crowds.values())
    return next(one for one, address in waiting.items() if crowds[address] == most)
