"""What labctl keeps on its own disk for one environment: a learner's SSH files, and Ansible's folder where a run was cut off.

Both hold secrets, so they go with the environment.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from labctl.model.environment import Environment


@dataclass(frozen=True)
class Traces:
    """Fills `steps.kit.Traces`. `bundles` and `ansible` are the two folders of the home."""

    bundles: Path
    ansible: Path

    def clear(self, environment: Environment) -> tuple[str, ...]:
        """Take them away and say what they were."""
        bundle = self.bundles / environment.classroom / str(environment.seat)
        gone = []
        for path, what in ((self.ansible / environment.id, "Ansible's folder"), (bundle, "the learner's SSH files")):
            if path.is_symlink() or not path.exists():
                continue
            shutil.rmtree(path)
            gone.append(what)
        with contextlib.suppress(OSError):
            # Only when it was the last seat's: rmdir refuses a folder that is not empty.
            bundle.parent.rmdir()
        return tuple(gone)
