"""Time that acts take. Real guests take it by themselves, so here nothing happens; on paper `paper.acts` lets modelled time pass.

`spend` is called where Proxmox would be at work: under the storage's lock for a linked clone, outside of it for a full copy.
"""

from __future__ import annotations


class Acts:
    """Of one node."""

    modelled = False
    """Whether what is done under a lock takes modelled time, which the node's pace scales, or only our own."""

    def begin(self) -> None:
        """A task's thread begins its work."""

    def end(self) -> None:
        """It ends."""

    def spend(self, act: str, amount: float = 1.0) -> None:
        """That act takes its time, `amount` times (GiB of a copy, nodes of an apply)."""

    @property
    def moment(self) -> float:
        """When the calling thread is: a lock that it gives back was free from then on."""
        return 0.0

    def follow(self, moment: float) -> None:
        """The calling thread got what another gave back at `moment`."""
