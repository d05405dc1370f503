"""What labctl keeps on its own disk for one environment: a learner's SSH files, and Ansible's folder where a run was cut off.

Both hold secrets, so they go with the environment.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl.model.environment import Environment, Machine


@dataclass(frozen=True)
class Traces:
    """Fills `steps.kit.Traces`. `bundles` and `ansible` are the two folders of the home."""

    bundles: Path
    ansible: Path

    def readdress(self, environment: Environment, machines: Sequence[Machine]) -> None:
        """Key, certificate and known_hosts name the seat and stay as they are; only `config` says where its machines are."""
        config = self.bundles / environment.classroom / str(environment.seat) / "config"
        if config.is_symlink() or not config.is_file():
            return
        where = {machine.name: machine.address for machine in machines}
        lines, host = [], ""
        for line in config.read_text(encoding="utf-8").splitlines():
            if line.startswith("Host "):
                host = line.removeprefix("Host ").strip()
            lines.append(f"    HostName {where[host]}" if line.strip().startswith("HostName ") and host in where else line)
        draft = config.with_name(".config.new")
        draft.touch(mode=0o600)
        draft.write_text("\n".join(lines) + "\n", encoding="utf-8")
        draft.replace(config)

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
