"""Handing over: the plan of machines that were made for nobody becomes the plan for a learner. Pure.

What exists stays as it was planned (plot, guests, networks, templates); what differs from learner to learner comes from a new
plan with the learner's own values. Steps that are personal, or come out differently for this learner, are to be done again.
"""

from __future__ import annotations

from labctl.model.plan import Plan, PlannedMachine


def handed(spare: Plan, fresh: Plan) -> Plan:
    """The spare's plan for the learner of `fresh`, which was planned on the spare's plot with the learner's values."""
    machines = tuple(_machine(machine, fresh) for machine in spare.machines)
    # What golden machines hold already is done for good; only personal steps are in a plan that stands on them.
    steps = tuple(step for step in fresh.steps if not step.bake) if spare.stands_on else fresh.steps
    own = {
        "seat": fresh.seat,
        "principal": fresh.principal,
        "machines": machines,
        "steps": steps,
        "checks": fresh.checks,
        "tasks": fresh.tasks,
        "variables": fresh.variables,
        "apps": fresh.apps,
        "personal": tuple(step for number, step in enumerate(steps) if not step.bake or step not in spare.steps[number : number + 1]),
    }
    return spare.model_copy(update=own)


def _machine(machine: PlannedMachine, fresh: Plan) -> PlannedMachine:
    return machine.model_copy(update={"password": fresh.machine(machine.name).password})
