"""What one command on a guest printed and how it ended, read from its channel. Not here: connections (`ssh_connection`)."""

from __future__ import annotations

import contextlib
import select
import threading
import time
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def answered(channel: Any, deadline: float) -> Iterator[None]:
    """Around requests on a new channel: paramiko would wait for their answers for ever, and a guest can keep them back. The channel is
    closed at the deadline, which ends that wait. Raises TimeoutError.
    """
    over = threading.Timer(max(0.0, deadline - time.monotonic()), _close, [channel])
    over.daemon = True
    over.start()
    try:
        yield
    except Exception as error:
        if time.monotonic() >= deadline:
            raise TimeoutError from error
        raise
    finally:
        over.cancel()
    if time.monotonic() >= deadline:  # it may have been closed a moment too late to be noticed here
        raise TimeoutError


def _close(channel: Any) -> None:
    with contextlib.suppress(Exception):  # its connection has ended meanwhile; whoever waits learns that by themselves
        channel.close()


def feed(channel: Any, data: bytes) -> None:
    """Write all of it, and that there is no more. A command may end without having read it: its outputs and status say what became of it.
    Raises TimeoutError.
    """
    try:
        channel.sendall(data)
    except TimeoutError:
        raise
    except OSError:
        if not channel.closed:
            raise
    channel.shutdown_write()


def drain(channel: Any, deadline: float, limit: int) -> tuple[bytes, bytes]:
    """Read both outputs until they end, or until the command has ended and is silent (a daemon may hold them open). `limit`: bytes kept
    of each. Raises TimeoutError.
    """
    kept = bytearray(), bytearray()
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    while True:
        ended = channel.eof_received or channel.closed
        exited = channel.exit_status_ready()
        quiet = True
        for ready, receive, buffer in (
            (channel.recv_ready, channel.recv, kept[0]),
            (channel.recv_stderr_ready, channel.recv_stderr, kept[1]),
        ):
            if ready():
                quiet = False
                data = receive(65536)
                buffer.extend(data[: limit - len(buffer)])
        left = deadline - time.monotonic()
        if quiet and ended:
            return bytes(kept[0]), bytes(kept[1])
        if left <= 0:
            raise TimeoutError
        if quiet and not poll.poll(min(left, 0.25) * 1000) and exited:
            return bytes(kept[0]), bytes(kept[1])


def status(channel: Any, deadline: float) -> int:
    """The exit status. Raises TimeoutError, or EOFError where the connection ended without one."""
    if not channel.status_event.wait(max(0.0, deadline - time.monotonic())):
        raise TimeoutError
    if channel.exit_status < 0:
        raise EOFError("no exit status came")
    return int(channel.exit_status)
