"""`labctl account` and `labctl invite`, against a real API."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlencode, urlsplit


def accept(labctl, url, **fields):
    """Send the form of a link's page, as a browser on this machine does."""
    connection = http.client.HTTPConnection("127.0.0.1", labctl.api_port, timeout=300)
    origin = f"http://localhost:{labctl.api_port}"
    headers = {"Host": f"localhost:{labctl.api_port}", "Origin": origin, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", urlsplit(url).path, urlencode(fields), headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_people_are_invited_listed_given_new_links_signed_out_and_closed(served):
    made = served("invite", "person", "eva@example.org", "--role", "trainer", "--role", "author")
    assert made.returncode == 0, made.stderr
    url = made.stdout.splitlines()[0]
    assert url.startswith(f"http://localhost:{served.api_port}/invitation/")
    assert accept(served, url, name="Eva", password="correct horse battery staple") == 303
    (eva,) = json.loads(served("account", "list", "--json").stdout)
    assert (eva["email"], eva["name"], eva["roles"], eva["closed"]) == ("eva@example.org", "Eva", ["author", "trainer"], None)
    assert "eva@example.org" in served("account", "list").stdout
    fresh = json.loads(served("account", "link", "Eva@example.org", "--json").stdout)["url"]
    assert accept(served, fresh, password="another horse, another staple") == 303
    assert "(1 sessions)" in served("account", "sign-out", "eva@example.org").stdout
    assert served("account", "close", "eva@example.org").returncode == 0
    assert json.loads(served("account", "list", "--json").stdout)[0]["closed"]


def test_what_cannot_be_is_refused_in_plain_words(served):
    for words, said in {
        ("invite", "person", "eva"): "not a mail address",
        ("invite", "code", "nowhere"): "there is no class",
        ("invite", "seat", "nowhere/1"): "there is no",
        ("invite", "trainer", "nowhere", "otto@example.com"): "there is no class",
        ("account", "link", "nobody@example.org"): "no account",
    }.items():
        done = served(*words)
        assert (done.returncode, done.stdout) == (1, ""), words
        assert said in done.stderr.lower(), (words, done.stderr)
        assert "Traceback" not in done.stderr
    assert served("invite", "seat", "monday").returncode == 2
    done = served("invite", "person", "eva@example.org", "--role", "king")
    assert (done.returncode, done.stdout) == (2, "")
    assert all(word in done.stderr for word in ("'king'", "'trainer'", "'it'", "'author'"))
