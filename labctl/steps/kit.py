"""What a step may use: the ports, by name. Every step has the shape `Run`; none decides what comes next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from labctl import ports
from labctl.model.environment import Environment, Machine


class Traces(Protocol):
    """Files that labctl itself keeps for an environment on its own disk (learners' keys, left-over Ansible folders)."""

    def clear(self, environment: Environment) -> tuple[str, ...]:
        """Take them away and say what they were. Repeating finds nothing."""

    def readdress(self, environment: Environment, machines: Sequence[Machine]) -> None:
        """Let the seat's SSH files name the addresses of these machines; nothing to do where there are no files."""


@dataclass(frozen=True)
class Kit:
    """The ports a step may use."""

    environments: ports.Environments
    provisioner: ports.Provisioner
    wire: ports.Wire
    configurator: ports.Configurator
    prober: ports.Prober
    shelf: ports.Shelf
    traces: Traces


@dataclass(frozen=True)
class Done:
    """What a step came to, where there is more to say than its machines: whether it left what was there before to go back to,
    and whether it has to begin from nothing (guests are missing that only a build makes).
    """

    machines: tuple[Machine, ...] = ()
    kept: bool = False
    anew: bool = False


Run = Callable[[Kit, Environment, ports.Progress], tuple[Machine, ...] | Done]
"""A step: brings one environment one state on and returns its machines. May be repeated. Raises errors of `labctl.errors`."""
