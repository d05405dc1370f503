"""Every text of the pages, in English, French and German, beside each other in YAML: one catalogue, read once.

What people wrote (names, messages) is not translated and does not belong here; labctl's own refusals are (`errors.yaml`), and what it notes
down while it works (`notes.yaml`). Placeholders are `{name}`; a value that is put in is escaped, the catalogue's own text is not, for it
is ours.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from markupsafe import Markup, escape

from api.texts import sentences

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
        return self(f"{key}.{'one' if self._is_one(number) else 'other'}", number=number, **values)

    def word(self, family: str, value: str, number: int = 1) -> Markup:
        """A word of a closed set, such as `status.ready`; as it is where the set grew and the catalogue did not. Of several (`number`), the
        form `status.ready.other` where there is one.
        """
        key = f"{family}.{value}"
        if not self._is_one(number) and f"{key}.other" in catalogue():
            key += ".other"
        return self(key) if key in catalogue() else Markup("{}").format(value)

    def _is_one(self, number: int) -> bool:
        return number in ((0, 1) if self.language == "fr" else (1,))

    def sentence(self, said: str, *, hint: bool = False) -> Markup:
        """A refusal's sentence, which is raised in English, in this language; untranslated, it says that it is English."""
        given = said
        if not hint:
            # A hint may begin with a command.
            said = said[:1].upper() + said[1:]
        if self.language == LANGUAGES[0] or not said:
            return Markup("{}").format(said)
        said_so = (_said(self.language, one) for one in (said, said[:1].lower() + said[1:], given))
        text = next(filter(None, said_so), Markup())
        return text[:1].upper() + text[1:] if text else _english(said)

    def note(self, said: str) -> Markup:
        """The same for what labctl notes down while it works, and why something went wrong: not made a sentence of."""
        if self.language == LANGUAGES[0] or not said:
            return escape(said)
        return _said(self.language, said) or _english(said)

    def known(self, family: str, value: str) -> Markup:
        """The same, but nothing for a word that is none of ours: it came from an address."""
        key = f"{family}.{value}"
        return self(key) if key in catalogue() else Markup()


WITHIN = frozenset({"note", "what", "where", "place"})
"""Placeholders that hold labctl's words again."""

_DEEP, _MANY = 6, 20
"""A line may repeat what a machine said, so it is taken apart so often, and into so many parts, and no more."""

_SHORT = 500
"""Characters of a line whose translation is kept."""

_ABOUT = re.compile(r"([\w.-]+): (.+)", re.DOTALL)


def _said(language: str, said: str, deep: int = 0) -> Markup:
    """What labctl said in this language; empty for what nobody translated."""
    # Boards say the same of a thousand seats, again and again. What is long is mostly somebody's own words, and would only fill the memory.
    return _kept(language, said, deep) if len(said) <= _SHORT else _made(language, said, deep)


def _made(language: str, said: str, deep: int) -> Markup:
    speak, found, parts = Texts(language), index().find(said), said.split("; ", _MANY)
    told = [_said(language, part, deep + 1) for part in parts] if len(parts) > 1 and deep < _DEEP else []
    # Several lines in one, unless one of ours is around them all.
    if told and all(told) and not (found and "note" in found[1] and not catalogue()[found[0]][LANGUAGES[0]].startswith("{")):
        return _plain("notes.next", language).join(told)
    if found:
        return speak(found[0], **{name: _value(speak, deep, name, value) for name, value in found[1].items()})
    return _apart(language, said, told, deep + 1) if deep < _DEEP else Markup()


_kept = functools.lru_cache(maxsize=8192)(_made)


def _apart(language: str, said: str, told: list[Markup], deep: int) -> Markup:
    """What happened with what to do about it; several lines of which some are translated; a line about one thing."""
    for row in index().endings:
        if not said.endswith(row.english):
            continue
        happened = said.removesuffix(row.english).rstrip()
        # Its full stop may have been put there when the two were joined (`errors.LabctlError.told`).
        if first := _said(language, happened, deep) or _said(language, happened.removesuffix("."), deep):
            return first + ("" if first.endswith(".") else ".") + " " + Texts(language)(row.key)
    if any(told):
        return _plain("notes.next", language).join(one or _english(part) for one, part in zip(told, said.split("; ", _MANY), strict=True))
    if (about := _ABOUT.fullmatch(said)) and (text := _said(language, about[2], deep)):
        return Texts(language)("notes.about", about=about[1], note=text)
    return Markup()


def _value(speak: Texts, deep: int, name: str, value: str) -> str:
    if name in WITHIN:
        return (_said(speak.language, value, deep + 1) if deep < _DEEP else Markup()) or _english(value)
    return speak.word(name, value) if name == "status" else value


def _english(said: str) -> Markup:
    return Markup('<span lang="en">{}</span>').format(said)


@functools.cache
def index() -> sentences.Index:
    """The English of refusals and notes."""
    rows = [(key, row[LANGUAGES[0]]) for key, row in catalogue().items() if key.startswith(("error.", "note."))]
    return sentences.Index(rows, "note.")


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
