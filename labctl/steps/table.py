"""Which file does which step. Suspend is in the lifecycle's table, but nobody offers it yet."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.model.environment import Step
from labctl.steps import bake, build, configure, hand_over, prove, remove, reset, resume, tidy
from labctl.steps.kit import Run

STEPS: Mapping[Step, Run] = {
    Step.BUILD: build.run,
    Step.CONFIGURE: configure.run,
    Step.BAKE: bake.run,
    Step.PROVE: prove.run,
    Step.RESET: reset.run,
    Step.HAND_OVER: hand_over.run,
    Step.TIDY: tidy.run,
    Step.RESUME: resume.run,
    Step.REMOVE: remove.run,
}
