"""Connections that ask nothing, over a real listener: they end, and keep nobody out."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import ClassVar

import httpx2 as httpx
import pytest
import uvicorn

from api import listening
from tests.world_here import wait_for


@pytest.fixture
def kind():
    """How connections are listened to. Time enough for a head on any machine, until a test takes it."""

    class Connection(listening.Connection):
        head_seconds: ClassVar[float] = 60.0
        most = 5
        waiting: ClassVar[dict] = {}

    return Connection


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here"})


@pytest.fixture
def port(kind):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, http=kind, lifespan="off", log_level="error", timeout_keep_alive=60)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        wait_for(lambda: server.started)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(60)


def ended(one):
    one.settimeout(60)
    with contextlib.suppress(ConnectionResetError):
        return one.recv(100) == b""
    return True


@pytest.mark.parametrize("says", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_who_asks_nothing_is_let_go(port, kind, says):
    kind.head_seconds = 1.0
    with socket.create_connection(("127.0.0.1", port)) as one:
        with contextlib.suppress(ConnectionError):  # let go before even that was said
            one.sendall(says)
        assert ended(one)
    wait_for(lambda: not kind.waiting)


def test_who_asked_once_may_wait_and_ask_again_but_not_slowly(port, kind):
    with socket.create_connection(("127.0.0.1", port)) as one:
        for _ in range(2):
            one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert one.recv(1000).startswith(b"HTTP/1.1 200")
            kind.head_seconds = 1.0
            one.settimeout(1.5)  # longer than a head may take from now on
            with contextlib.suppress(TimeoutError):
                while one.recv(1000):
                    continue
            one.settimeout(60)
        one.sendall(b"GET / ")
        assert ended(one)


def test_many_who_ask_nothing_keep_nobody_out(port, kind):
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(20)]
        assert httpx.get(f"http://127.0.0.1:{port}/", trust_env=False, timeout=60).text == "here"
        assert len(kind.waiting) <= kind.most
        assert ended(crowd[0])
