"""Tabs beside the guide in a browser, over a real API and a real OpenSSH server: by the keyboard alone, narrow, and without scripts."""

from __future__ import annotations

import pytest

from labctl import ports
from tests import world_here
from tests.browser import axe, chromium

pytestmark = pytest.mark.skipif(bool(chromium.lacking()), reason=chromium.lacking() or "there is a browser")

BLUEPRINT = """\
labctl: 1
about: {title: Three machines, area: systems}
machines:
  first: {image: debian-12, kind: container, access: [terminal]}
  box: {image: debian-12, kind: container, access: [terminal]}
  last: {image: debian-12, kind: container, access: [terminal]}
ready:
  - {run: "true", machine: box}
"""
PAGES = {
    "01-all.md": "# All of them\n\n![A tree](img/tree.svg)\n\n```run box\necho typed-$((6*7))\n```\n",
    "03-long.md": "# A long one\n\n" + "Much is to be read here.\n\n" * 90,
    "02-one.md": "---\ntabs: [last]\n---\n# One of them\n\n```run box\necho again-$((6*7))\n```\n",
}
TREE = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><path d="M4 8V0"/></svg>'


@pytest.fixture
def world(tmp_path):
    guide = tmp_path / "blueprints" / "hello" / "guide"
    (guide / "img").mkdir(parents=True)
    (guide / "img" / "tree.svg").write_text(TREE)
    for name, text in PAGES.items():
        (guide / name).write_text(text)
    made = world_here.World(tmp_path, BLUEPRINT)
    yield made
    made.close()


def came(world, browser, **more):
    environment = world.wiring.desk.seat("monday", 1)[1].id
    secret = world.wiring.tokens.create(ports.Token("ada", "learner", environment))
    person = browser.person("ada", world.api.url, extra_http_headers={"Authorization": f"Bearer {secret}"}, **more)
    person.page.goto(f"/seat/{environment}")
    return person


def tabs(person):
    """Those that are shown, the chosen one in brackets."""
    every = person.page.get_by_role("tab").all()
    return [f"[{one.inner_text()}]" if one.get_attribute("aria-selected") == "true" else one.inner_text() for one in every]


def test_the_keyboard_alone_goes_from_tab_to_tab_and_a_block_brings_its_machine_to_the_front(world, browser):
    ada = came(world, browser)
    page = ada.page
    assert tabs(ada) == ["[first]", "box", "last"]
    page.get_by_role("button", name="Type it on box").focus()
    page.keyboard.press("Enter")
    chromium.until(lambda: "typed-42" in ada.screen(machine="box"), "the block is typed on its machine")
    assert tabs(ada) == ["first", "[box]", "last"]
    page.get_by_role("tab", name="box").focus()
    seen = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "Home", "End", " "):
        page.keyboard.press(key)
        seen.append((tabs(ada).index(f"[{page.evaluate('document.activeElement.innerText')}]"), page.get_by_role("tabpanel").count()))
    assert seen == [(2, 1), (0, 1), (2, 1), (0, 1), (2, 1), (2, 1)]
    assert page.evaluate("[...document.querySelectorAll('[role=tab]')].filter((one) => one.tabIndex === 0).length") == 1
    assert axe.both(page) == []
    page.locator("#terminal-last textarea").wait_for(state="attached")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#terminal-last') !== null"), (
        "one press leads out of the list and into what it shows"
    )
    assert ada.complaints == []


def measured(page):
    box = page.locator('lab-terminal[machine="box"]').bounding_box()
    return box["width"], box["height"]


def test_a_terminal_behind_another_tab_stays_connected_keeps_its_size_and_loses_nothing(world, browser):
    ada = came(world, browser)
    page = ada.page
    page.get_by_role("tab", name="box").click()
    chromium.until(lambda: "$" in ada.screen(machine="box"), "the shell")
    page.locator('lab-terminal[machine="box"] .xterm-screen').click()
    page.keyboard.type("mine=$((6*7)); stty size; echo half-")
    size = measured(page)
    with page.expect_event("websocket", predicate=lambda one: "terminal" in one.url):
        page.get_by_role("tab", name="last").click()
    page.get_by_role("tab", name="box").click()
    assert measured(page) == size
    page.locator('lab-terminal[machine="box"] .xterm-helper-textarea').focus()
    page.keyboard.type("typed-$mine\n")
    chromium.until(lambda: "half-typed-42" in ada.screen(machine="box"), "the same line of the same shell")
    assert world.api.made.state.policy_reports == 0


def test_a_page_that_names_its_tabs_shows_those_and_the_rest_when_asked_or_needed(world, browser):
    ada = came(world, browser)
    page = ada.page
    page.get_by_role("tab", name="box").click()
    page.get_by_role("button", name="Next").click()
    page.wait_for_url("**page=2**")
    assert tabs(ada) == ["[last]"]
    page.get_by_role("button", name="Type it on box").click()
    chromium.until(lambda: "again-42" in ada.screen(machine="box"), "typed on a machine whose tab was not shown")
    assert tabs(ada) == ["[box]", "last"] or tabs(ada) == ["last", "[box]"]
    page.get_by_role("button", name="Show all").click()
    assert sorted(one.strip("[]") for one in tabs(ada)) == ["box", "first", "last"]
    page.get_by_role("link", name="Back").click()
    page.wait_for_url("**page=1**")
    assert tabs(ada) == ["first", "[box]", "last"], "what was looked at last is there again"
    assert ada.complaints == []


def test_at_360_pixels_nothing_is_wider_than_the_window_and_images_fit(world, browser):
    ada = came(world, browser, viewport={"width": 360, "height": 740})
    chromium.until(lambda: ada.page.evaluate("document.querySelector('.guide img').naturalWidth") == 8, "the image is there")
    assert ada.wide() == 0
    assert len(tabs(ada)) == 3
    assert axe.both(ada.page) == []


def touch(page, link):
    """Where it is seen; Playwright's own click would scroll the page first."""
    box = link.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def test_a_narrow_window_has_a_bar_to_its_parts_and_each_is_where_it_was_left(world, browser):
    ada = came(world, browser, viewport={"width": 360, "height": 740})
    page = ada.page
    page.goto(f"{page.url}?page=3")
    bar = page.get_by_role("navigation", name="Parts of this page")
    page.evaluate("scrollTo({top: 1500, behavior: 'instant'})")
    chromium.until(lambda: bar.locator("[aria-current=true]").all_inner_texts() == ["Guide"], "the bar says where one is")
    touch(page, bar.get_by_role("link", name="Machines"))
    chromium.until(lambda: bar.locator("[aria-current=true]").all_inner_texts() == ["Machines"], "it leads to the machines")
    assert page.get_by_role("heading", name="Machines", exact=True).is_visible()
    touch(page, bar.get_by_role("link", name="Guide"))
    chromium.until(lambda: page.evaluate("scrollY") == 1500, "back where one read")
    touch(page, bar.get_by_role("link", name="Guide"))
    chromium.until(lambda: page.evaluate("scrollY") < 300, "pressed again, at the beginning")

    def at_the_end():
        # Terminals that begin on the way may make the page longer.
        page.evaluate("scrollTo({top: document.body.scrollHeight, behavior: 'instant'})")
        return bar.locator("[aria-current=true]").all_inner_texts() == ["Help"]

    chromium.until(at_the_end, "at the end it is the last part")
    assert axe.both(page) == []
    assert ada.complaints == []


def test_in_a_wide_window_the_machines_stay_in_sight_of_who_reads(world, browser):
    ada = came(world, browser, viewport={"width": 1280, "height": 800})
    page = ada.page
    page.goto(f"{page.url}?page=3")
    page.evaluate("scrollTo({top: 1500, behavior: 'instant'})")
    chromium.until(lambda: page.evaluate("scrollY") == 1500, "far down in the guide")
    top, bottom = page.evaluate("(({top, bottom}) => [top, bottom])(document.querySelector('[role=tablist]').getBoundingClientRect())")
    assert 0 <= top < bottom <= 800
    assert not page.get_by_role("navigation", name="Parts of this page").is_visible()


def test_without_scripts_there_are_links_to_every_machine_and_all_of_them_are_shown(world, browser):
    ada = came(world, browser, java_script_enabled=False)
    page = ada.page
    assert [one.get_attribute("href") for one in page.locator(".tabs a").all()] == ["#terminal-first", "#terminal-box", "#terminal-last"]
    page.get_by_role("link", name="last", exact=True).click()
    page.wait_for_url("**#terminal-last")
    # Switched off this way, Chromium still treats <noscript> as a page with scripts does.
    assert "A terminal in the browser needs scripts" in page.locator("#terminal-last noscript").text_content()
    assert page.get_by_role("heading", name="first").is_visible()
    assert not page.locator("lab-terminal").first.is_visible()
    assert page.get_by_role("tab").count() == 0
