"""What a step may use: the ports, by name. Every step has the shape `Run`; none decides what comes next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from labctl import ports
from labctl.model.environment import Environment, Machine


class Traces(Protocol):
    """Files that labctl itself keeps for an environment on its own disk (learners' keys, left-over Ansible folders)."""

    def clear(self, environment: Environment) -> tuple[str, ...]:
        """Take them away and say what they were. Repeating finds nothing."""


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


Run = Callable[[Kit, Environment, ports.Progress], tuple[Machine, ...]]
"""A step: brings one environment one state on and returns its machines. May be repeated. Raises errors of `labctl.errors`."""
