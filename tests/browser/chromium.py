"""Chromium with people in it: each person has a browser of their own (cookies, passkeys), and whatever it complains of is kept.

Nothing here waits by `wait_for_function`, which compiles text and hangs under our policy: looks are repeated instead.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

SANDBOX = ["--no-sandbox"] if os.geteuid() == 0 else []
"""Chromium refuses its own sandbox to root; the pages it sees here are ours."""

_WITHOUT_SERVER = ("net::ERR_", "WebSocket connection to")
"""What Chromium says of its own accord while nobody listens."""

_PASSKEYS = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}

_REFUSED = """
document.addEventListener('securitypolicyviolation', (event) =>
  console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sample));
"""


def lacking() -> str:
    """Why there can be no browser here; nothing where there can."""
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed (infra/deploy/setup.sh)"
    if _program() is None:
        return "Chromium is not installed (infra/deploy/setup.sh --tests)"
    return ""


def _program() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


def until(look: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """What `look` says once it says something; AssertionError else, with `what` it was to be."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.03)
    return found


class Person:
    """One browser with one page. `complaints` are errors on its console, faults of scripts, refusals by the policy, answers >= 500."""

    def __init__(self, name: str, context: Any) -> None:
        self.name = name
        self.context = context
        self.complaints: list[str] = []
        self._alone = False
        context.add_init_script(_REFUSED)
        self.page = self.tab()

    def tab(self) -> Any:
        """One more page of this browser."""
        page = self.context.new_page()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self._complain(f"a script failed: {error}"))
        page.on("response", lambda answer: answer.status >= 500 and self._complain(f"{answer.status} for {answer.url}"))
        return page

    def _said(self, message: Any) -> None:
        # What an answer's status says is looked at where it belongs: a wrong code is answered by 4xx, and that is no mistake.
        if message.type == "error" and not message.text.startswith("Failed to load resource: the server responded with a status of 4"):
            self._complain(message.text)

    def _complain(self, text: str) -> None:
        if not (self._alone and any(words in text for words in (*_WITHOUT_SERVER, "Failed to fetch", "network error", "502", "503"))):
            self.complaints.append(f"{self.name}: {text}")

    @contextlib.contextmanager
    def without_server(self) -> Iterator[None]:
        """While nobody answers, the browser's own words about that are no complaint."""
        self._alone = True
        try:
            yield
        finally:
            self._alone = False

    def passkeys(self) -> None:
        """From now on this browser has an authenticator that answers by itself."""
        wire = self.context.new_cdp_session(self.page)
        wire.send("WebAuthn.enable")
        wire.send("WebAuthn.addVirtualAuthenticator", {"options": _PASSKEYS})

    def screen(self, page: Any = None, machine: str = "") -> str:
        """What the terminal shows."""
        which = f'lab-terminal[machine="{machine}"]' if machine else "lab-terminal"
        rows = (page or self.page).locator(f"{which} .xterm-rows > div").all_inner_texts()
        return "\n".join(row.replace("\xa0", " ").rstrip() for row in rows).rstrip()

    def sees(self, text: str, seconds: float = 60, page: Any = None) -> None:
        """Wait until the terminal shows it."""
        until(lambda: text in self.screen(page), f"{self.name} sees {text!r} in the terminal", seconds)

    def wide(self, page: Any = None) -> int:
        """By how many pixels the page is wider than its window."""
        return int((page or self.page).evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


class Chromium:
    """The program, once. Use as a context manager."""

    def __init__(self) -> None:
        from playwright.sync_api import sync_playwright

        self._open = contextlib.ExitStack()
        self._playwright = sync_playwright()
        self.people: list[Person] = []

    def __enter__(self) -> Self:
        playwright = self._open.enter_context(self._playwright)
        self._browser = playwright.chromium.launch(executable_path=_program(), args=SANDBOX, timeout=180_000)
        self._open.callback(self._browser.close)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def person(self, name: str, origin: str, **more: Any) -> Person:
        """Somebody who comes with an empty browser."""
        how = {"viewport": {"width": 1280, "height": 800}, "base_url": origin, "locale": "en-GB"} | more
        context = self._browser.new_context(**how)
        context.set_default_timeout(60_000)
        made = Person(name, context)
        self.people.append(made)
        return made

    @contextlib.contextmanager
    def without_server(self) -> Iterator[None]:
        """For everybody who is there, see `Person.without_server`."""
        with contextlib.ExitStack() as all_of_them:
            for person in self.people:
                all_of_them.enter_context(person.without_server())
            yield

    @property
    def complaints(self) -> list[str]:
        """Everybody's."""
        return [one for person in self.people for one in person.complaints]
