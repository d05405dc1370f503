"""labctl's own end of the management network as the services see it: laid, looked at, taken away."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from labctl import wiring


@runtime_checkable
class Cable(Protocol):
    """What services need of a wire beside `ports.Wire`."""

    def lay(self) -> None:
        """Make it whole. Raises Unreachable."""

    def remove(self) -> None:
        """Take it away."""

    def findings(self) -> tuple[str, ...]:
        """What is not as it should be, one sentence each."""


def of(wired: wiring.Wiring) -> Cable:
    """The wire of this wiring."""
    wire = wired.wire
    assert isinstance(wire, Cable)
    return wire
