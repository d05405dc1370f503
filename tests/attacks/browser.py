"""In Chromium: what a hostile guest prints and what hostile texts hold, at whoever looks. The browser is the victim here."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from tests.attacks import Tried, blueprint, rows
from tests.attacks.world import CLASS, World

_MINE = "the trainer's own words"
_REFUSED = """
window.refused = [];
document.addEventListener('securitypolicyviolation', (event) => window.refused.push(event.violatedDirective + ' ' + event.blockedURI));
"""
_PRINTS = r"""#!/bin/sh
case "$*" in *has-session*) exit 0 ;; esac
printf '\033]52;c;b3duZWQ=\007\033]52;p;b3duZWQ=\007'
printf '\033]0;owned\007\033]2;owned\007\033]1;owned\007\033[21t\033[>c\033[6n'
printf '\033]8;;https://evil.example/\033\\LINK-WEB\033]8;;\033\\ \r\n'
printf '\033]8;;javascript:document.title="owned"\033\\LINK-JS\033]8;;\033\\ \r\n'
printf '<script>document.title="owned"</script><img src=x onerror=alert(1)>\r\n\033]4;1;url(http://evil.example)\007\033P+q544e\033\\END\r\n'
exec sleep 90
"""
"""What stands in place of tmux in a guest whose root wants something of its visitors. The markup is printed as it is."""


@contextlib.contextmanager
def _chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium refuses its own sandbox to root.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def _visitor(browser: Any, world: World, who: str) -> Iterator[Any]:
    """A page of somebody who is signed in."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(20_000)
    context.add_cookies([{"name": one.name, "value": one.value, "url": world.url} for one in world.session(who).cookies])
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=world.url)
    context.add_init_script(_REFUSED)
    page = context.new_page()
    page.dialogs = []
    page.on("dialog", lambda dialog: (page.dialogs.append(dialog.message), dialog.dismiss()))
    try:
        yield page
    finally:
        context.close()


def _until(world: World, page: Any, look: Callable[[], Any], what: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not look():
        world.must(time.monotonic() < end, f"{what}: not within {seconds:.0f} s")
        page.wait_for_timeout(50)


def _shown(page: Any) -> str:
    return "\n".join(page.locator("lab-terminal .xterm-rows > div").all_inner_texts())


def _reports(world: World) -> int:
    """How many reports of refusals by the policy the API has got."""
    return (world.house.home / "log" / "api.log").read_text(errors="replace").count("content security policy:")


def watchers(world: World) -> list[Tried]:
    """Row: trainer's clipboard by OSC 52; title or link tricks. The guest's tmux is not tmux any more."""
    guest, row, before = world.seat("mallory"), rows.TERMINAL_WATCHERS, _reports(world)
    put = "[ -e /usr/bin/tmux.kept ] || mv /usr/bin/tmux /usr/bin/tmux.kept\n"
    world.root(guest.address, f"{put}cat > /usr/bin/tmux <<'END'\n{_PRINTS}END\nchmod 755 /usr/bin/tmux\n")
    try:
        with _chromium() as browser, _visitor(browser, world, "trainer") as page:
            done = _watched(world, page, f"{world.url}/class/{guest.slug}/seat/{guest.number}?mode=watch")
    finally:
        world.root(guest.address, "mv /usr/bin/tmux.kept /usr/bin/tmux\n")
    grown = _reports(world) - before
    return [*done, Tried(row, "reports of the policy after all that", grown == 0, note=f"{grown} reports" if grown else "")]


def _watched(world: World, page: Any, address: str) -> list[Tried]:
    row = rows.TERMINAL_WATCHERS
    page.goto(address)
    title = page.title()
    page.evaluate("text => navigator.clipboard.writeText(text)", _MINE)
    page.locator("lab-terminal").scroll_into_view_if_needed()
    _until(world, page, lambda: "END" in _shown(page), "what the guest prints")
    page.wait_for_timeout(300)
    done = [
        Tried(row, "the clipboard written by OSC 52", page.evaluate("navigator.clipboard.readText()") == _MINE),
        Tried(row, "the page's title set by OSC 0 and 2", page.title() == title, note=page.title() if page.title() != title else ""),
        Tried(row, "markup printed by the guest", page.locator("lab-terminal script, lab-terminal img").count() == 0 and not page.dialogs),
    ]
    pages = page.context.pages
    for what, link in (("to another site", "LINK-WEB"), ("of a script", "LINK-JS")):
        box = page.locator(".xterm-rows span", has_text=link).first.bounding_box()
        world.must(box is not None, f"{link} is not shown")
        page.mouse.move(box["x"] + 12, box["y"] + box["height"] / 2)
        page.wait_for_timeout(300)
        told = page.locator("lab-terminal .lab-line").inner_text()
        page.mouse.down()
        page.mouse.up()
        page.wait_for_timeout(300)
        alone = len(page.context.pages) == len(pages) and page.url == address
        done.append(Tried(row, f"a click on a link {what}", alone))
        if link == "LINK-WEB":
            done.append(Tried(row, "a link that hides where it leads", "https://evil.example/" in told, note=told[:60]))
        page.keyboard.down("Control")
        page.mouse.down()
        page.mouse.up()
        page.keyboard.up("Control")
        page.wait_for_timeout(300)
        opened = [one for one in page.context.pages if one is not page]
        if link == "LINK-JS":
            done.append(Tried(row, "Ctrl and a click on a link of a script", not opened and page.title() == title))
        else:
            # What opens with Ctrl must not reach back to the page it came from.
            back = [one for one in opened if one.evaluate("window.opener !== null")]
            done.append(Tried(row, "the page that a link opened reaches back", not back, note=f"{len(opened)} opened"))
        for one in opened:
            one.close()
    return done


def script(world: World) -> list[Tried]:
    """Row: script in names, guide, hostnames, output: no page runs it, and the reports of the policy stay empty."""
    seat, done = world.seat("ada"), []
    before = _reports(world)
    looked = {
        "ada": (f"/seat/{seat.environment}", f"/seat/{seat.environment}/reset", f"/join/{quote(blueprint.SCRIPT, safe='')}", "/check"),
        "trainer": (f"/class/{CLASS}", f"/class/{CLASS}/seat/1", f"/class/{CLASS}/journal", f"/class/{CLASS}/wall", "/blueprints/hostile"),
        "it": ("/", "/it"),
    }
    with _chromium() as browser:
        for who, paths in looked.items():
            with _visitor(browser, world, who) as page:
                for path in paths:
                    page.goto(world.url + path)
                    page.wait_for_timeout(200)
                    owned = page.title() == "owned" or bool(page.dialogs)
                    refused = page.evaluate("window.refused")
                    note = f"{refused[:2]}" if refused else ""
                    done.append(
                        Tried(rows.TERMINAL_SCRIPT, f"scripts in what {who} sees at {path[:30]}", not owned and not refused, note=note)
                    )
    grown = _reports(world) - before
    return [
        *done,
        Tried(rows.TERMINAL_SCRIPT, "reports of the policy after all pages", grown == 0, note=f"{grown} reports" if grown else ""),
    ]
