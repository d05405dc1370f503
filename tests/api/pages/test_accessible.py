"""What can be said of a page's markup without a browser: one heading, names for everything, nothing twice. axe has the last word."""

from __future__ import annotations

import itertools
from html.parser import HTMLParser

import pytest

from tests.api.browser import Browser
from tests.api.pages.test_pages import PAGES, filled

VOID = {"meta", "link", "input", "br", "hr", "img"}


class Markup(HTMLParser):
    """Elements with their attributes and text; complains of tags that do not nest."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.wrong = []
        self._open = []
        self.feed(text)
        if self._open:
            self.wrong.append(f"open at the end: {[tag for tag, _ in self._open]}")

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "text": "", **dict(attrs), "inside": [one for one, _ in self._open]}
        self.elements.append(element)
        if tag not in VOID:
            self._open.append((tag, element))

    def handle_endtag(self, tag):
        if not self._open or self._open[-1][0] != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()} closes {self._open[-1][0] if self._open else None}")
        else:
            self._open.pop()

    def handle_data(self, data):
        for _, element in self._open:
            element["text"] += data


def complaints(text):
    page = Markup(text)
    found = list(page.wrong)
    ids = [one["id"] for one in page.elements if "id" in one]
    found += [f"id twice: {one}" for one in ids if ids.count(one) > 1]
    named = {one.get("for") for one in page.elements if one["tag"] == "label"}
    for one in page.elements:
        field = one["tag"] in {"select", "textarea"} or (one["tag"] == "input" and one.get("type") != "hidden")
        if field and one.get("id") not in named and "label" not in one["inside"] and "aria-label" not in one:
            found.append(f"no label: {one}")
        if one["tag"] in {"button", "a", "summary", "th"} and not one["text"].strip():
            found.append(f"no name: {one}")
        for key in ("aria-describedby", "aria-labelledby"):
            found += [f"{key} names nothing: {name}" for name in one.get(key, "").split() if name not in ids]
        if one["tag"] == "form" and "form" in one["inside"]:
            found.append("a form in a form")
    headings = [int(one["tag"][1]) for one in page.elements if one["tag"] in {"h1", "h2", "h3", "h4", "h5", "h6"}]
    found += [] if headings.count(1) == 1 else [f"{headings.count(1)} main headings"]
    found += [f"h{one} to h{two}" for one, two in itertools.pairwise(headings) if two > one + 1]
    html = next(one for one in page.elements if one["tag"] == "html")
    return found + ([] if html.get("lang") else ["no language"])


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_page_names_what_it_has(house, language):
    house.open()
    house.settle()
    house.wiring.helping.raise_hand("monday", 1, "help", who="ada")
    house.wiring.helping.broadcast("monday", "hello", who="trainer")
    house.wiring.helping.note("monday", 1, "slow", who="trainer")
    environment = house.wiring.desk.seat("monday", 1)[1].id
    client = house.client("it")
    client.headers["Accept-Language"] = language
    actions = {
        "/class/{slug}/{action}": ("close", "extend", "message", "retry"),
        "/class/{slug}/seat/{number}/{action}": ("reset", "swap", "undo"),
    }
    wrong = {}
    for path in PAGES:
        if path.endswith(("events", ".css", "{image}")):
            continue
        for action in actions.get(path, ("",)):
            address = filled(house, path, number=1, environment=environment, action=action)
            answer = client.get(address)
            assert answer.status_code == 200, address
            wrong[address] = complaints(answer.text)
    wrong["refused"] = complaints(client.post("/open", data={"learners": "nobody", "blueprint": "hello"}).text)
    wrong["code"] = complaints(client.post(f"/seat/{environment}/code").text)
    wrong["broken"] = complaints(client.get("/blueprints/broken").text)
    wrong["missing"] = complaints(client.get("/class/nowhere").text)
    wrong["watch"] = complaints(client.get("/class/monday/seat/1?mode=watch").text)
    assert {address: found for address, found in wrong.items() if found} == {}


@pytest.mark.parametrize(("language", "said"), [("en", "Sign in"), ("fr", "Connexion"), ("de", "Anmelden")])
def test_the_pages_by_which_people_come_in_name_what_they_have_in_every_language(house, language, said):
    house.open()
    inviting = house.wiring.inviting
    links = {
        "account": inviting.person("", "eva@example.org", [], who="it"),
        "class": inviting.to_class("monday", "Otto", "otto@example.com", who="eva"),
        "seat": inviting.to_seat("monday", 1, who="eva"),
    }
    browser = Browser(house.app)
    browser.headers["Accept-Language"] = language
    assert f"<title>{said} " in browser.get("/sign-in").text
    paths = ["/sign-in", "/join", f"/join/{inviting.class_code('monday', who='eva')}", "/invitation/nonsense"]
    paths += [f"/invitation/{secret}" for secret, _ in links.values()]
    wrong = {path: complaints(browser.get(path).text) for path in paths}
    wrong["refused"] = complaints(browser.form("/sign-in", email="eva@example.org", password="wrong").text)
    wrong["no seat"] = complaints(browser.form("/join", code="aaaaaaaa", who="ada").text)
    weak = browser.form(f"/invitation/{links['account'][0]}", name="Eva", password="short")
    wrong["weak"] = complaints(weak.text)
    assert {address: found for address, found in wrong.items() if found} == {}
