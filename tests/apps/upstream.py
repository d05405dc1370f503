"""A web app as guests have them, as hostile as one may be: it says what it was asked, and answers whatever the path wants."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading

from aiohttp import WSMsgType, web

from tests.world_here import wait_for

PAGES: web.AppKey[dict[str, str]] = web.AppKey("pages", dict)


async def _told(request: web.Request) -> web.Response:
    headers = [[name, value] for name, value in request.headers.items()]
    body = (await request.read()).decode("latin-1")
    return web.json_response({"method": request.method, "path": request.path_qs, "headers": headers, "body": body})


async def _hostile(request: web.Request) -> web.Response:
    """Headers as the query has them: h=NAME:VALUE, as often as one likes."""
    answer = web.Response(text="hostile", content_type="text/html")
    for one in request.query.getall("h", []):
        name, _, value = one.partition(":")
        answer.headers.add(name, value)
    return answer


async def _page(request: web.Request) -> web.Response:
    return web.Response(text=request.app[PAGES].get(request.path, "<p>an app"), content_type="text/html")


async def _script(request: web.Request) -> web.Response:
    return web.Response(text=request.app[PAGES][request.path], content_type="text/javascript")


async def _chunks(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    answer.enable_chunked_encoding()
    await answer.prepare(request)
    for number in range(200):
        await answer.write(f"{number:08}".encode() * 512)
    return answer


async def _socket(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(f"you said {message.data}")
        else:
            await socket.send_bytes(message.data)
    return socket


class Upstream:
    """In a thread with a loop of its own, on 127.0.0.1. `pages`: path -> what stands there."""

    def __init__(self, port: int, sealed: ssl.SSLContext | None = None) -> None:
        self.port = port
        self.pages: dict[str, str] = {}
        self._sealed = sealed
        self._ready = False
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._thread.start()
        wait_for(lambda: self._ready)

    async def _serve(self) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app[PAGES] = self.pages
        app.add_routes([web.route("*", "/told", _told), web.get("/hostile", _hostile), web.get("/chunks", _chunks)])
        app.add_routes([web.get("/ws", _socket), web.get("/worker.js", _script), web.get("/{rest:.*}", _page)])
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=self._sealed).start()
        self._ready = True
        await self._stop.wait()
        await runner.cleanup()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        self._loop.close()


def asked(answer: bytes) -> dict[str, object]:
    """What `/told` says of a request."""
    return json.loads(answer)
