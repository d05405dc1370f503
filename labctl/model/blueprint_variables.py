"""The block `variables` (`blueprint.md` 8): what differs per learner or is asked when a class is opened.

Values are drawn in `labctl.model.drawing`, references to them are read in `labctl.model.references`.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from labctl.model import free, refusals, scalars
from labctl.model.block import Block
from labctl.model.scalars import FreeScalar, Maybe, Scope, Several, Text, Truth, Whole

KINDS = ("random", "ask", "value")

RANDOM_TAKES = {
    "password": ("length", "avoid"),
    "hex": ("length", "avoid"),
    "flag": ("length", "prefix", "avoid"),
    "port": ("min", "max", "avoid"),
    "number": ("min", "max", "avoid"),
    "choice": ("choices", "avoid"),
    "uuid": (),
    "words": ("length", "avoid"),
    "username": ("avoid",),
}
ASK_TAKES = {
    "text": ("label", "default", "pattern"),
    "number": ("label", "default", "min", "max"),
    "choice": ("label", "default", "choices"),
    "secret": ("label", "pattern"),
}
LENGTHS = {"password": (8, 128), "hex": (2, 256), "flag": (4, 128), "words": (1, 16)}
"""Least and most `length` of what has one; `words` counts words."""

USUAL: dict[str, dict[str, int | str]] = {
    "password": {"length": 14},
    "hex": {"length": 32},
    "flag": {"length": 16, "prefix": "FLAG"},
    "port": {"min": 1024, "max": 60000},
    "words": {"length": 2},
}
"""What a random variable's options are when they are not written."""

_OPTIONS = ("length", "min", "max", "choices", "prefix", "avoid", "scope", "label", "default", "pattern")


def _prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", text):
        raise refusals.wrong(f"'{text}' is not a prefix: letters, digits, '_' and '-', at most 32")
    return text


class Variable(Block):
    """A value with a name: drawn for each learner, asked of the trainer, or constant."""

    random: Maybe[
        Annotated[
            Literal["password", "hex", "flag", "port", "number", "choice", "uuid", "words", "username"], BeforeValidator(scalars.text_of)
        ]
    ] = None
    """Drawn for each learner."""
    ask: Maybe[Annotated[Literal["text", "number", "choice", "secret"], BeforeValidator(scalars.text_of)]] = None
    """Asked of the trainer when a class is opened; the same for all."""
    value: FreeScalar = None
    """A constant."""
    length: Maybe[Annotated[Whole, Field(ge=1)]] = None
    """Signs, or words."""
    min: Maybe[Whole] = None
    """Least number or port."""
    max: Maybe[Whole] = None
    """Largest number or port."""
    choices: Maybe[Several[FreeScalar]] = None
    """What is drawn or answered from."""
    prefix: Maybe[Annotated[Text, AfterValidator(_prefix)]] = None
    """What stands before the braces of a flag; FLAG."""
    avoid: Several[Text] = ()
    """Values not to draw."""
    scope: Scope = "learner"
    """One per learner; team and classroom later."""
    label: Maybe[Text] = None
    """The question."""
    default: FreeScalar = None
    """The answer when none is given."""
    pattern: Maybe[scalars.Regex] = None
    """Regular expression that the whole answer matches."""
    shown: Truth = False
    """Whether the learner may see the value."""

    @property
    def personal(self) -> bool:
        """Whether the value is known only when a class is planned (so no baked step can see it)."""
        return self.value is None

    @model_validator(mode="after")
    def _one_kind(self) -> Variable:
        said = [key for key in KINDS if self.said(key)]
        if len(said) != 1:
            has = " and ".join(said) if said else "none"
            raise refusals.wrong(f"a variable has exactly one of random, ask, value; this one has {has}")
        kind = said[0]
        word = getattr(self, kind)
        takes: tuple[str, ...] = ()
        if kind == "random":
            takes = (*RANDOM_TAKES[word], "scope")
        elif kind == "ask":
            takes = ASK_TAKES[word]
        name = "value" if kind == "value" else f"{kind}: {word}"
        rest = f"; {name} takes {', '.join(takes)}" if takes else f"; {name} takes no options"
        strangers = [(key, f"'{key}' does not go with '{name}'{rest}") for key in _OPTIONS if self.said(key) and key not in takes]
        if strangers:
            refusals.wrong_keys(strangers)
        self._complete(name)
        return self

    def _complete(self, name: str) -> None:
        needs = {"random: number": ("min", "max"), "random: choice": ("choices",), "ask: choice": ("label", "choices")}.get(name, ())
        if self.ask and "label" not in needs:
            needs = (*needs, "label")
        for key in needs:
            if not self.said(key):
                raise refusals.wrong(f"'{name}' needs '{key}'")
        if self.choices is not None and not self.choices:
            refusals.wrong_keys([("choices", "'choices' is empty")])
        low, high = LENGTHS.get(self.random or "", (1, 1))
        if self.length is not None and not low <= self.length <= high:
            refusals.wrong_keys([("length", f"'length' of '{name}' is {low} to {high}")])
        least, most = self.range()
        if least > most:
            refusals.wrong_keys([("max", f"'max' ({most}) is less than 'min' ({least})")])
        if self.random == "port" and not (least >= 1 and most <= 65535):
            refusals.wrong_keys([("min" if least < 1 else "max", "a port is 1 to 65535")])
        if self.default is not None and (complaint := self.refuses(self.default)):
            refusals.wrong_keys([("default", complaint)])

    def range(self) -> tuple[int, int]:
        """The least and the most of a number or port."""
        usual = USUAL.get(self.random or "", {})
        low, high = int(usual.get("min", -free.MOST_EXACT)), int(usual.get("max", free.MOST_EXACT))
        return low if self.min is None else self.min, high if self.max is None else self.max

    def refuses(self, answer: object) -> str:
        """Why this answer cannot be taken for an `ask` variable; empty when it can."""
        if self.ask == "number":
            least, most = self.range()
            if isinstance(answer, bool) or not isinstance(answer, int):
                return f"'{answer}' is not a whole number"
            return "" if least <= answer <= most else f"{answer} is not between {least} and {most}"
        if self.ask == "choice" and answer not in (self.choices or ()):
            return f"'{answer}' is not possible; one of {', '.join(str(choice) for choice in self.choices or ())}"
        if not str(answer).isprintable():
            return "the answer holds a line break or another sign that cannot be printed"
        if self.pattern is not None and not re.fullmatch(self.pattern, str(answer)):
            return (
                "the answer does not match the pattern" if self.ask == "secret" else f"'{answer}' does not match the pattern {self.pattern}"
            )
        return ""
