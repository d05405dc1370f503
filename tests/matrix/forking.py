"""Workers' processes begin with everything imported: one process imports labctl once (seconds of CPU) and forks a child for each life.

    python -m tests.matrix.forking        reads pickled calls, writes the child's pid, then its exit code

Nothing in it runs a thread before it forks, so a child is as good as a fresh process.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self


class Forks:
    """The importing process, seen from outside. One life at a time. Use as a context manager."""

    def __enter__(self) -> Self:
        root = Path(__file__).parents[2]
        env = {**os.environ, "PYTHONPATH": str(root)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.matrix.forking"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root, env=env
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(300)
        self._process.stdout.close()

    def begin(self, *arguments: Any) -> Life:
        """A life begins: `child.live(*arguments)`."""
        assert self._process.stdin
        assert self._process.stdout
        body = pickle.dumps(arguments)
        self._process.stdin.write(struct.pack("!I", len(body)) + body)
        self._process.stdin.flush()
        return Life(_number(self._process.stdout), self._process.stdout)


class Life:
    """One child."""

    def __init__(self, pid: int, answers: BinaryIO | Any) -> None:
        self._pid = pid
        self._answers = answers

    def kill(self) -> None:
        """kill -9. Nobody else can have its pid: the forking process waits for it."""
        os.kill(self._pid, signal.SIGKILL)

    def join(self) -> int:
        """Its exit code, negative for a signal."""
        return _number(self._answers)


def _number(stream: Any) -> int:
    body = stream.read(4)
    if len(body) < 4:
        raise RuntimeError("the forking process is gone")
    return int(struct.unpack("!i", body)[0])


def _serve() -> None:
    import infra.engines.embedded
    import infra.program
    from tests.matrix import child

    assert infra
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    while head := requests.read(4):
        arguments = pickle.loads(requests.read(struct.unpack("!I", head)[0]))
        pid = os.fork()
        if pid == 0:
            child.only(*arguments)
        answers.write(struct.pack("!i", pid))
        answers.write(struct.pack("!i", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))


if __name__ == "__main__":
    _serve()
