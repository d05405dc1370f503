"""A roster as people paste it into a form, made into the CSV that `labctl.model.roster` reads. Line numbers stay those of what was pasted.

Besides CSV with a header: a line for each learner, `Ada Lovelace, ada@example.org` in either order and with `,` `;` or a tab between,
`Ada Lovelace <ada@example.org>` as mail programs copy it, or the address alone. Names alone will do where nobody on the list has an
address: learners come in by the class's code and their name. What is wrong with a line is the roster's to say.
"20 seats" alone is a roster of twenty seats for anybody who has the class's code.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from dataclasses import replace

from labctl import errors
from labctl.model import roster
from labctl.model.classroom import Learner

ANYBODY = "@seats.invalid"
"""How the address of a seat ends that nobody was named for ("20 seats and a code"): whoever has the code takes the next free one."""

NAMED = "@names.invalid"
"""How the address of a seat ends whose learner is known by name only."""

_SEATS = re.compile(
    r"\s*(?P<number>[0-9]{1,4})\s*(seats?|places?|plätze|platz)?(\s*[+,]?\s*(and |et |und )?(a |un |ein(en)? )?code)?\s*", re.IGNORECASE
)
_MAIL_PROGRAM = re.compile(r'\s*"?(?P<name>[^"<>]*?)"?\s*<(?P<email>[^<>]*)>\s*[,;]?\s*')
_HEADINGS = {"name", "email", "e-mail", "mail", "full name", "login", "username"}
_HEADER = "name,email\n"
_HINT = "Each line is for one learner: Ada Lovelace, ada@example.org. Or names alone, one a line. Or say how many seats: 20 seats."


def to_csv(text: str) -> tuple[str, int]:
    """The CSV, and by how many lines it is longer than what was pasted."""
    if counted := for_anybody(text):
        return _HEADER + "".join(f"Seat {number},seat-{number}{ANYBODY}\n" for number in range(1, counted + 1)), 1
    lines = _lines(text)
    first = next((line for line in lines if line.strip()), "")
    headings = {cell.strip().strip('"').lower() for cell in re.split(r"[,;\t]", first)}
    if not first or (headings & _HEADINGS and "@" not in first):
        return "\n".join(lines), 0
    row = _named if _only_names(text) else _row
    return _HEADER + "\n".join(row(line, number) for number, line in enumerate(lines, 1)), 1


def for_anybody(text: str) -> int:
    """How many seats "20 seats + code" asks for; 0 for a list of people."""
    found = _SEATS.fullmatch(text)
    return int(found["number"]) if found else 0


def by_code(text: str) -> bool:
    """Whether nobody on it can be told by an address, so that they come in by the class's code."""
    return bool(for_anybody(text)) or (bool(text.strip()) and _only_names(text))


def parse(text: str, file: str) -> tuple[Learner, ...]:
    """The learners. Raises BadInput with every complaint, at the lines that were pasted; CSV is spoken of where it was CSV."""
    if not text.strip():
        raise errors.BadInput("nobody is on the list.", hint=_HINT, complaints=(errors.Complaint(file, 1, 1, "the list is empty"),))
    if _only_names(text) and (twice := _twice(text, file)):
        raise _refusal(twice)
    made, added = to_csv(text)
    try:
        return roster.parse(made.encode(), file, before=added)
    except errors.BadInput as error:
        if not added:
            raise
        alone = for_anybody(text) > 0
        raise _refusal(tuple(replace(one, line=1) if alone else one for one in error.complaints)) from None


def _refusal(found: tuple[errors.Complaint, ...]) -> errors.BadInput:
    lines = len({one.line for one in found})
    wrong = "one line of the list is" if lines == 1 else f"{lines} lines of the list are"
    return errors.BadInput(f"{wrong} not right.", hint=_HINT, complaints=found)


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _only_names(text: str) -> bool:
    """Whether every line could be somebody's name: letters of any script, and what stands between the parts of a name."""
    lines = [line.strip() for line in _lines(text) if line.strip()]
    return all(line.lower() not in _HEADINGS and line[0].isalpha() and all(map(_in_a_name, line)) for line in lines)


def _in_a_name(sign: str) -> bool:
    return sign.isalpha() or sign in " .'\u2019·-" or unicodedata.category(sign).startswith("M")


def _twice(text: str, file: str) -> tuple[errors.Complaint, ...]:
    seen: dict[str, int] = {}
    found = []
    for number, line in enumerate(_lines(text), 1):
        name = " ".join(line.split())
        first = seen.setdefault(name.lower(), number)
        if name and first != number:
            found.append(errors.Complaint(file, number, 1, f"the name '{name}' is already on line {first}"))
    return tuple(found)


def _named(line: str, number: int) -> str:
    """The line's number keeps apart whose names read the same in plain letters."""
    name = " ".join(line.split())
    plain = re.sub(r"[^a-z]+", ".", unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()).strip(".")
    return f"{name},{plain[:40].strip('.') or 'learner'}+{number}{NAMED}" if name else ""


def _row(line: str, _number: int) -> str:
    if not line.strip():
        return ""
    found = _MAIL_PROGRAM.fullmatch(line)
    cells = [found["name"], found["email"]] if found else [cell.strip().strip('"') for cell in re.split(r"[,;\t]", line) if cell.strip()]
    email = next((cell for cell in cells if "@" in cell), "")
    rest = [cell.strip() for cell in cells if cell != email and cell.strip()]
    name = " ".join(rest) or _called(email)
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([name, email])
    return out.getvalue()


def _called(email: str) -> str:
    """A name for an address that came alone: grace.hopper@… is Grace Hopper."""
    words = re.split(r"[._+-]+", email.partition("@")[0])
    return " ".join(word.capitalize() for word in words if word)
