"""How the command line speaks to the API: against a small server that answers what it is told to."""

from __future__ import annotations

import http.server
import json
import socket
import threading

import pytest

from labctl import errors, settings
from labctl.cli import client

PROBLEM = {"type": "urn:labctl:not-found", "detail": "there is no class 'x'.", "hint": "Look with `labctl class list`."}


class Answering(http.server.BaseHTTPRequestHandler):
    """Tells what it was asked; a path that ends in a number is answered with that status."""

    def do_GET(self):
        length = int(self.headers.get("Content-Length", 0))
        asked = {"method": self.command, "path": self.path, "body": self.rfile.read(length).decode()}
        status = int(self.path[-3:]) if self.path[-3:].isdigit() else 200
        content = b"" if status == 204 else json.dumps(PROBLEM if status >= 400 else asked).encode()
        if self.path.endswith("events"):
            content = b': hello\n\nevent: board\ndata: {"n": 1}\n\ndata: {"n":\r\ndata: 2}\r\n\r\ndata: cut off'
        if self.path.endswith("page"):
            status, content = 500, b"<html>"
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_DELETE = do_GET  # noqa: N815 -- the names http.server looks for

    def log_message(self, *args):
        pass


@pytest.fixture
def api(tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "cli-token").write_text("labctl_secret\n")
    yield client.Client(settings.Settings(home=tmp_path, api_port=server.server_address[1]))
    server.shutdown()
    server.server_close()
    thread.join()


def test_paths_and_parameters_travel_as_they_are_meant(api):
    assert api.get("/classrooms", closed=True, after=None)["path"] == "/api/v1/classrooms?closed=true"
    assert api.get("/classrooms/my class\r\nX: y/ä")["path"] == "/api/v1/classrooms/my%20class%0D%0AX:%20y/%C3%A4"
    asked = api.post("/tokens", {"name": "ä"})
    assert (asked["method"], json.loads(asked["body"])) == ("POST", {"name": "ä"})
    assert api.delete("/tokens/204") is None


def test_problems_become_our_errors(api):
    with pytest.raises(errors.NotFound) as caught:
        api.get("/classrooms/404")
    assert (caught.value.message, caught.value.hint) == (PROBLEM["detail"], PROBLEM["hint"])
    with pytest.raises(errors.PermanentError, match=r"is not labctl's API \(HTTP 500\)"):
        api.get("/page")
    with pytest.raises(errors.NotFound):
        list(api.events("/404"))


def test_events_come_with_their_names_and_a_half_one_is_none(api):
    assert list(api.events("/events")) == [("board", {"n": 1}), ("message", {"n": 2})]


def test_nobody_there_and_somebody_silent_are_told_apart(tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "cli-token").write_text("labctl_secret\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def hang_up():
            server.accept()[0].close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        with pytest.raises(errors.Unreachable, match="did not answer"):
            client.Client(settings.Settings(home=tmp_path, api_port=port)).get("/classrooms")
        thread.join()
    with pytest.raises(errors.Unreachable, match="labctl is not running"):
        client.Client(settings.Settings(home=tmp_path, api_port=port)).get("/classrooms")


def test_without_a_token_it_says_what_to_do(tmp_path):
    with pytest.raises(errors.Unreachable, match="not set up yet"):
        client.Client(settings.Settings(home=tmp_path)).get("/classrooms")
