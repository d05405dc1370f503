"""What a step may use: the ports, by name. Every step has the shape `Run`; none decides what comes next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from labctl import ports
from labctl.model.environment import Environment, Machine
from labctl.model.plan import Plan


class Traces(Protocol):
    """Files that labctl itself keeps for an environment on its own disk (learners' keys, left-over Ansible folders)."""

    def clear(self, environment: Environment) -> tuple[str, ...]:
        """Take them away and say what they were. Repeating finds nothing."""


class Elsewhere(Protocol):
    """Another node for what one failed. Filled by `labctl.elsewhere`."""

    def away(self, plan: Plan) -> str:
        """The node of this plan, if it is away while others are up; else empty."""

    def elsewhere(self, plan: Plan, node: str) -> Plan:
        """The plan on another node than this one and those it avoids already. Raises what a preflight raises: there is none, or
        nobody can say.
        """

    def replace(self, env: Environment, plan: Plan, node: str) -> bool:
        """Give the seat of this environment another one elsewhere, and want this one gone; False where it has no seat. Raises as
        `elsewhere`, and Conflict.
        """


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
    places: Elsewhere


@dataclass(frozen=True)
class Done:
    """What a step came to, where there is more to say than its machines: whether it left what was there before to go back to,
    and whether it has to begin from nothing (guests are missing that only a build makes), perhaps with a new plan.
    """

    machines: tuple[Machine, ...] = ()
    kept: bool = False
    anew: bool = False
    plan: Plan | None = None


Run = Callable[[Kit, Environment, ports.Progress], tuple[Machine, ...] | Done]
"""A step: brings one environment one state on and returns its machines. May be repeated. Raises errors of `labctl.errors`."""
