"""A fault file read: YAML in, rules out, or every mistake at once with file, line and column.

What a rule may say depends on its kind (`kinds`): a key that its kind does not take, a kind that the named call never has and a path
that Proxmox does not know are mistakes, for a fault that silently never strikes is worse than none.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Any

import yaml

from labctl.sandbox import catalogue
from labctl.sandbox.faults import kinds, rules

_KEYS = (
    "call", "node", "nth", "every", "chance", "times", "do", "after", "in", "for", "message", "status", "lock", "storage", "locked",
)  # fmt: skip
_OF_KIND = frozenset({"for", "message", "status", "lock", "storage", "locked"})
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_VERBS = ("GET", "POST", "PUT", "DELETE")


@dataclass(frozen=True)
class Mistake:
    """`FILE:LINE:COL: text`; lines and columns count from 1."""

    file: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.text}"


class Mistakes(Exception):
    """Everything that is wrong in the file, in its order."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda one: (one.line, one.column)))
        super().__init__("\n".join(str(one) for one in self.mistakes))


def read(text: str, name: str) -> rules.Rules:
    """The rules of a file; `name` is what complaints call it. Raises `Mistakes`."""
    return _Reader(name).file(text)


class _Reader:
    def __init__(self, name: str) -> None:
        self._name = name
        self._wrong: list[Mistake] = []

    def file(self, text: str) -> rules.Rules:
        try:
            top = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            raise Mistakes([Mistake(self._name, line, column, f"this is not YAML: {error.problem or error.context}")]) from None
        except yaml.YAMLError as error:
            raise Mistakes([Mistake(self._name, 1, 1, f"this is not YAML: {' '.join(str(error).split())}")]) from None
        if top is None:
            raise Mistakes([Mistake(self._name, 1, 1, "the file is empty; write 'version: 1' and 'faults:'")])
        found = self._mapping(top, ("version", "seed", "faults"), "the file")
        self._version(found, top)
        seed = self._whole(found["seed"], "seed", least=0) if "seed" in found else 0
        made = self._rules(found.get("faults"), top)
        if self._wrong:
            raise Mistakes(self._wrong)
        return rules.Rules(tuple(made), seed)

    def _version(self, found: dict[str, Any], top: Any) -> None:
        if "version" not in found:
            self._say(top, "'version' is missing; write 'version: 1'")
        elif found["version"].value != "1":
            self._say(found["version"], f"version '{found['version'].value}' is not known; this node reads version 1")

    def _rules(self, node: Any, top: Any) -> list[rules.Rule]:
        if node is None:
            self._say(top, "'faults' is missing; write a list of faults, or 'faults: []' for none")
            return []
        if not isinstance(node, yaml.SequenceNode):
            self._say(node, "'faults' must be a list")
            return []
        made = [self._rule(number, entry) for number, entry in enumerate(node.value, start=1)]
        return [rule for rule in made if rule is not None]

    def _rule(self, number: int, entry: Any) -> rules.Rule | None:
        found = self._mapping(entry, _KEYS, "a fault")
        before = len(self._wrong)
        for needed in ("call", "do"):
            if needed not in found and isinstance(entry, yaml.MappingNode):
                self._say(entry, f"a fault needs '{needed}'")
        pattern = self._pattern(found["call"]) if "call" in found else None
        kind = self._kind(found["do"]) if "do" in found else None
        how_often = self._how_often(found)
        if pattern is None or kind is None:
            return None
        self._fits(found["call"], pattern, kind)
        self._takes(found, kind)
        details = self._details(found, kind)
        return None if len(self._wrong) > before else rules.Rule(number, pattern, kind, **how_often, **details)

    def _fits(self, node: Any, pattern: rules.Pattern, kind: kinds.Kind) -> None:
        meant = [one for one in catalogue.load().methods.values() if pattern.means(one.verb, one.template, pattern.path)]
        if meant and not any(kind.fits(one) for one in meant):
            self._say(node, f"'{kind.name}' never happens to '{pattern}' ({kind.about})")

    def _takes(self, found: dict[str, Any], kind: kinds.Kind) -> None:
        for key in sorted(set(found) & (_OF_KIND - kind.takes)):
            self._say(found[key], f"'{kind.name}' takes no '{key}'" + (f"; it takes {_listed(kind.takes)}" if kind.takes else ""))
        if "after" in found and not kind.follows:
            able = _listed(name for name, one in kinds.KINDS.items() if one.follows)
            self._say(found["after"], f"'{kind.name}' cannot come after the work; these can: {able}")
        if "in" in found and not kind.in_task:
            self._say(found["in"], f"'{kind.name}' shows in one place only and takes no 'in'")

    def _pattern(self, node: Any) -> rules.Pattern | None:
        text = self._text(node, "call")
        if text is None:
            return None
        words = text.split()
        verb, path = ("*", words[0]) if len(words) == 1 else (words[0], " ".join(words[1:])) if words else ("", "")
        if verb not in {*_VERBS, "*"} or not (path == "*" or re.fullmatch(r"(/[^/\s*]+)*(/\*)?", path)):
            self._say(node, f"'{text}' is not a call; write METHOD /path as in Proxmox's API, such as 'POST /nodes/{{node}}/lxc', or '*'")
            return None
        pattern = rules.Pattern(verb, path)
        known = catalogue.load().methods
        if not any(pattern.means(method, template, path) for method, template in known):
            near = difflib.get_close_matches(f"{verb} {path}", [f"{method} {template}" for method, template in known], 1, 0.5)
            self._say(node, f"Proxmox has no '{pattern}'" + (f"; did you mean '{near[0]}'?" if near else ""))
            return None
        return pattern

    def _kind(self, node: Any) -> kinds.Kind | None:
        text = self._text(node, "do")
        if text is None or text in kinds.KINDS:
            return kinds.KINDS.get(text or "")
        near = difflib.get_close_matches(text, kinds.KINDS, 1)
        self._say(node, f"there is no fault '{text}'" + (f"; did you mean '{near[0]}'?" if near else f"; there are {_listed(kinds.KINDS)}"))
        return None

    def _how_often(self, found: dict[str, Any]) -> dict[str, Any]:
        which = [key for key in ("nth", "every", "chance") if key in found]
        if len(which) > 1:
            self._say(found[which[1]], f"a fault has one of 'nth', 'every' and 'chance', not both '{which[0]}' and '{which[1]}'")
        out: dict[str, Any] = {}
        if "nth" in found:
            each = found["nth"].value if isinstance(found["nth"], yaml.SequenceNode) else [found["nth"]]
            out["nth"] = frozenset(self._whole(one, "nth", least=1) for one in each)
            out["times"] = len(out["nth"])
        if "every" in found:
            out["every"] = self._whole(found["every"], "every", least=1)
        if "chance" in found:
            out["chance"] = self._share(found["chance"])
        if "times" in found:
            out["times"] = self._whole(found["times"], "times", least=1)
        return out

    def _details(self, found: dict[str, Any], kind: kinds.Kind) -> dict[str, Any]:
        out: dict[str, Any] = {"in_task": kind.in_task, "seconds": kind.lasts}
        for key in ("node", "message", "lock", "storage"):
            if key in found:
                out[key] = self._text(found[key], key) or ""
        for key in ("after", "locked"):
            if key in found:
                out[key] = self._truth(found[key])
        if "in" in found:
            where = self._text(found["in"], "in")
            if where not in {"task", "answer"}:
                self._say(found["in"], f"'in' is task or answer, not '{where}'")
            out["in_task"] = where == "task"
        if "for" in found:
            out["seconds"] = self._duration(found["for"])
        if "status" in found:
            out["status"] = self._whole(found["status"], "status", least=400, most=599)
        return out

    def _mapping(self, node: Any, known: tuple[str, ...], what: str) -> dict[str, Any]:
        """Its keys and their value nodes; what is not known or comes twice is said."""
        if not isinstance(node, yaml.MappingNode):
            self._say(node, f"{what} must be a block of keys")
            return {}
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = str(key.value)
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                self._say(key, f"{what} has no key '{name}'" + (f"; did you mean '{near[0]}'?" if near else f"; it has {_listed(known)}"))
            elif name in found:
                self._say(key, f"'{name}' is there twice")
            else:
                found[name] = value
        return found

    def _text(self, node: Any, key: str) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.value.strip():
            return str(node.value)
        self._say(node, f"'{key}' must be one value")
        return None

    def _whole(self, node: Any, key: str, *, least: int, most: int = 10**9) -> int:
        text = self._text(node, key)
        if text is not None and re.fullmatch(r"[0-9]{1,9}", text) and least <= int(text) <= most:
            return int(text)
        if text is not None:
            span = f"from {least} to {most}" if most < 10**9 else f"of {least} or more"
            self._say(node, f"'{key}' must be a whole number {span}, not '{text}'")
        return least

    def _share(self, node: Any) -> float:
        text = self._text(node, "chance") or ""
        if re.fullmatch(r"0?\.[0-9]{1,9}|1(\.0+)?", text) and float(text) > 0:
            return float(text)
        self._say(node, f"'chance' must be a number above 0 and at most 1, such as 0.05, not '{text}'")
        return 1.0

    def _truth(self, node: Any) -> bool:
        if isinstance(node, yaml.ScalarNode) and node.value in {"true", "false"}:
            return bool(node.value == "true")
        self._say(node, "write true or false")
        return False

    def _duration(self, node: Any) -> float:
        text = self._text(node, "for") or ""
        if match := re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(ms|s|m|h)", text):
            return float(match[1]) * _SECONDS[match[2]]
        self._say(node, f"'{text}' is not a duration; write a number with ms, s, m or h, such as 5s")
        return 0.0

    def _say(self, node: Any, text: str) -> None:
        self._wrong.append(Mistake(self._name, node.start_mark.line + 1, node.start_mark.column + 1, text))


def _listed(names: Any) -> str:
    return ", ".join(sorted(names))
