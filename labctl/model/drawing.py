"""Drawing the values of variables, once per seat; they are kept with the plan and change only when somebody asks (`blueprint.md` 8).

The chooser is handed in: `secrets.SystemRandom()` for real classes, `random.Random(seed)` for tests and dry runs.
"""

from __future__ import annotations

import random
import string
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from labctl import errors
from labctl.model import blueprint as language
from labctl.model import blueprint_variables, words

_CLEAR = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1lI")))
"""Letters and digits that nobody confuses on a screen."""

_TRIES = 1000


def draw(blueprint: language.Blueprint, answers: Mapping[str, Any], chooser: random.Random) -> dict[str, Any]:
    """A value for every variable, in file order. `answers` holds what the trainer said to `ask` variables.

    Raises BadInput naming every answer that is missing, unknown or not possible.
    """
    wrong = [*_strangers(blueprint, answers), *_unanswered(blueprint, answers)]
    if wrong:
        raise errors.BadInput("; ".join(wrong), hint="give the answers as NAME=VALUE when opening the class")
    values: dict[str, Any] = {}
    for name, variable in blueprint.variables.items():
        if variable.random:
            values[name] = _drawn(name, variable, chooser)
        elif variable.ask:
            values[name] = answer(variable, answers.get(name))
        else:
            values[name] = variable.value
    return values


def questions(blueprint: language.Blueprint) -> dict[str, blueprint_variables.Variable]:
    """What a trainer is asked when a class is opened."""
    return {name: variable for name, variable in blueprint.variables.items() if variable.ask}


def answer(variable: blueprint_variables.Variable, given: Any) -> Any:
    """An answer with the type of its question; the default where none was given."""
    if given is None:
        return variable.default
    if variable.ask == "number" and isinstance(given, str) and given.lstrip("-").isdecimal():
        return int(given)
    for choice in variable.choices or ():
        if str(choice) == str(given):
            return choice
    return given


def _strangers(blueprint: language.Blueprint, answers: Mapping[str, Any]) -> list[str]:
    asked = questions(blueprint)
    return [
        f"the blueprint does not ask for '{name}'" + (f"; it asks for {', '.join(asked)}" if asked else "")
        for name in answers
        if name not in asked
    ]


def _unanswered(blueprint: language.Blueprint, answers: Mapping[str, Any]) -> list[str]:
    found = []
    for name, variable in questions(blueprint).items():
        given = answer(variable, answers.get(name))
        if given is None:
            found.append(f"'{name}' has no answer ({variable.label})")
        elif complaint := variable.refuses(given):
            found.append(f"{name}: {complaint}")
    return found


def _drawn(name: str, variable: blueprint_variables.Variable, chooser: random.Random) -> Any:
    avoided = set(variable.avoid)
    for _ in range(_TRIES):
        value = _once(variable, chooser)
        if str(value) not in avoided:
            return value
    raise errors.BadInput(f"variable '{name}' has no value left besides those to avoid", hint="shorten 'avoid' or widen the range")


def _once(variable: blueprint_variables.Variable, chooser: random.Random) -> Any:
    kind = variable.random or ""
    usual = blueprint_variables.USUAL.get(kind, {})
    length = variable.length or int(usual.get("length", 0))
    prefix = variable.prefix or usual.get("prefix")
    draws: dict[str, Callable[[], Any]] = {
        "password": lambda: _password(length, chooser),
        "hex": lambda: _from("0123456789abcdef", length, chooser),
        "flag": lambda: f"{prefix}{{{_from(_CLEAR, length, chooser)}}}",
        "port": lambda: chooser.randint(*variable.range()),
        "number": lambda: chooser.randint(*variable.range()),
        "choice": lambda: chooser.choice(variable.choices or (None,)),
        "uuid": lambda: str(uuid.UUID(int=chooser.getrandbits(128), version=4)),
        "words": lambda: " ".join(chooser.choice(words.WORDS) for _ in range(length)),
        "username": lambda: f"{chooser.choice(words.WORDS)}{chooser.randint(100, 999)}",
    }
    return draws[kind]()


def _from(alphabet: str, length: int, chooser: random.Random) -> str:
    return "".join(chooser.choice(alphabet) for _ in range(length))


def _password(length: int, chooser: random.Random) -> str:
    """Windows asks for three of four kinds of sign: there is always a capital, a small letter and a digit."""
    while True:
        text = _from(_CLEAR, length, chooser)
        if any(map(str.isupper, text)) and any(map(str.islower, text)) and any(map(str.isdigit, text)):
            return text
