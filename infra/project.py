"""The Pulumi project beside the state, for people who run the CLI by hand (`by_hand`) and for the real engine's settings files.

Written anew whenever it differs: it names the Python that labctl runs in.
"""

from __future__ import annotations

import sys
from pathlib import Path

from infra import state

_MAIN = '"""See infra/by_hand.py."""\n\nfrom infra import by_hand\n\nby_hand.run()\n'


def folder(backend: state.Backend) -> Path:
    """The project's folder, complete."""
    place = backend.root / "project"
    place.mkdir(mode=0o700, exist_ok=True)
    for name, text in (("Pulumi.yaml", _settings()), ("__main__.py", _MAIN)):
        file = place / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            state.write_whole(file, text)
    return place


def _settings() -> str:
    lines = ["# Made by labctl. How to run `pulumi` here: see infra/by_hand.py.", "name: labctl", "runtime:", "  name: python"]
    if sys.prefix != sys.base_prefix:
        lines += ["  options:", f"    virtualenv: {sys.prefix}"]
    return "\n".join([*lines, "main: .", ""])
