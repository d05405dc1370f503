"""Too many who have not said who they are: which of them goes, so that whoever comes to say it finds room. Pure.

To refuse newcomers would let anybody who opens connections and says nothing shut everybody out. A class sits behind one address, so no
address has a cap of its own; but the one that has most of those who wait is the first that loses some.
"""

from __future__ import annotations

import collections
import ipaddress
from collections.abc import Mapping
from typing import TypeVar

One = TypeVar("One")


def address(host: str) -> str:
    """As what somebody who comes from there is counted: of IPv6 the /64, for whoever has one has them all."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network(f"{host}/64", strict=False)) if found.version == 6 else host


def going(waiting: Mapping[One, str]) -> One:
    """Of those who wait (with the address each comes from, in the order in which they came): of the address that has most, the first."""
    crowds = collections.Counter(waiting.values())
    most = max(crowds.values())
    return next(one for one, address in waiting.items() if crowds[address] == most)
