"""A small JSON file that several processes change in turns: locked, read, changed, written back.

The lock is the kernel's (`flock`), so it goes when its process is killed. Held for microseconds only: nobody waits for anything
outside while holding it. A file that a kill or a full disk left torn reads as empty; whoever keeps something here must be able to
begin again. What is kept here is not worth an `fsync`: after a power cut nobody of those named in it lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def turned(path: Path) -> Iterator[dict[str, Any]]:
    """The file's content, to be changed in place; written when the block ends without an error."""
    handle = _opened(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        before = os.pread(handle, os.fstat(handle).st_size, 0)
        content = _read(before)
        yield content
        after = json.dumps(content, separators=(",", ":")).encode()
        if after != before:
            os.pwrite(handle, after, 0)
            os.ftruncate(handle, len(after))
    finally:
        os.close(handle)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)


def _read(text: bytes) -> dict[str, Any]:
    try:
        content = json.loads(text or b"{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
