"""Every text of the pages, in English, French and German, beside each other in YAML: one catalogue, read once.

What people wrote (names, journals) is not translated and does not belong here; labctl's own refusals are (`errors.yaml`).
Placeholders are `{name}`; a value that is put in is escaped, the catalogue's own text is not, for it is ours.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from markupsafe import Markup

LANGUAGES = ("en", "fr", "de")
"""The first is what is shown where a browser asks for none of them."""


@functools.cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Key -> language -> text, of all files beside this one. A key that stands in two files is a mistake."""
    found: dict[str, dict[str, str]] = {}
    for file in sorted(importlib.resources.files(__package__).iterdir(), key=lambda one: one.name):
        if file.name.endswith(".yaml"):
            read = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
            if twice := found.keys() & read.keys():
                raise ValueError(f"{file.name} says again: {', '.join(sorted(twice))}")
            found.update(read)
    return found


@dataclass(frozen=True)
class Texts:
    """The catalogue in one language. Templates call it: `t('open.title')`, `t('class.left', time=...)`."""

    language: str

    def __call__(self, key: str, **values: Any) -> Markup:
        """The text with its values, ready for a page. Raises KeyError for a key that nobody wrote."""
        # Markup escapes what is put in; the text itself stands in our own file.
        return Markup(catalogue()[key][self.language]).format(**values) if values else _plain(key, self.language)  # noqa: S704

    def count(self, key: str, number: int, **values: Any) -> Markup:
        """The same for a number of things: `key.one` or `key.other`, with `{number}`."""
        few = (0, 1) if self.language == "fr" else (1,)
        return self(f"{key}.{'one' if number in few else 'other'}", number=number, **values)

    def word(self, family: str, value: str) -> Markup:
        """A word of a closed set, such as `status.ready`; as it is where the set grew and the catalogue did not."""
        key = f"{family}.{value}"
        return self(key) if key in catalogue() else Markup("{}").format(value)

    def sentence(self, said: str, *, hint: bool = False) -> Markup:
        """A refusal's sentence, which is raised in English, in this language; untranslated, it says that it is English."""
        if not hint:
            # A hint may begin with a command.
            said = said[:1].upper() + said[1:]
        if self.language == LANGUAGES[0] or not said:
            return Markup("{}").format(said)
        for key, pattern in _sentences():
            if found := pattern.fullmatch(said[:1].upper() + said[1:]):
                values = {name: self.word(name, value) if name == "status" else value for name, value in found.groupdict().items()}
                text = self(key, **values)
                return text[:1].upper() + text[1:]
        return Markup('<span lang="en">{}</span>').format(said)

    def known(self, family: str, value: str) -> Markup:
        """The same, but nothing for a word that is none of ours: it came from an address."""
        key = f"{family}.{value}"
        return self(key) if key in catalogue() else Markup()


@functools.cache
def _sentences() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The English of refusals, with what is put in. Those that are longest without it come first: they say most."""
    found = []
    for key, row in catalogue().items():
        if key.startswith("error."):
            english = row[LANGUAGES[0]]
            parts = [(text, name) for text, name, _, _ in string.Formatter().parse(english[:1].upper() + english[1:])]
            pattern = "".join(re.escape(text) + (f"(?P<{name}>.+?)" if name else "") for text, name in parts)
            found.append((sum(len(text) for text, _ in parts), key, re.compile(pattern, re.DOTALL)))
    return tuple((key, pattern) for _, key, pattern in sorted(found, key=lambda one: -one[0]))


@functools.cache
def _plain(key: str, language: str) -> Markup:
    """A text without values, made once: a board has ten of them in each row."""
    return Markup(catalogue()[key][language]).format()  # noqa: S704


def best(wanted: str, chosen: str | None = None) -> str:
    """The language to speak: the one chosen before, else the best of `Accept-Language` (RFC 9110 12.5.4), else English."""
    if chosen in LANGUAGES:
        return str(chosen)
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate(wanted.split(",")[:20]):
        name, _, quality = part.strip().partition(";")
        ranked.append((-_quality(quality), place, name.strip().lower().partition("-")[0]))
    return next((name for weight, _, name in sorted(ranked) if name in LANGUAGES and weight < 0), LANGUAGES[0])


def _quality(text: str) -> float:
    name, _, value = text.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
