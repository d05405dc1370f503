"""A roster as people paste it into a form, made into the CSV that `labctl.model.roster` reads. Line numbers stay those of what was pasted.

Besides CSV with a header: a line for each learner, `Ada Lovelace, ada@example.org` in either order and with `,` `;` or a tab between,
`Ada Lovelace <ada@example.org>` as mail programs copy it, or the address alone. What is wrong with a line is the roster's to say.
"20 seats" alone is a roster of twenty seats for anybody who has the class's code.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

from labctl import errors
from labctl.model import roster
from labctl.model.classroom import Learner

ANYBODY = "@seats.invalid"
"""How the address of a seat ends that nobody was named for ("20 seats and a code"): whoever has the code takes the next free one."""

_SEATS = re.compile(
    r"\s*(?P<number>[0-9]{1,4})\s*(seats?|places?|plätze|platz)?(\s*[+,]?\s*(and |et |und )?(a |un |ein(en)? )?code)?\s*", re.IGNORECASE
)
_MAIL_PROGRAM = re.compile(r'\s*"?(?P<name>[^"<>]*?)"?\s*<(?P<email>[^<>]*)>\s*[,;]?\s*')
_HEADINGS = {"name", "email", "e-mail", "mail", "full name", "login", "username"}
_HEADER = "name,email\n"
_HINT = "Each line is for one learner: Ada Lovelace, ada@example.org. Or say how many seats: 20 seats."


def to_csv(text: str) -> tuple[str, int]:
    """The CSV, and by how many lines it is longer than what was pasted."""
    if counted := for_anybody(text):
        return _HEADER + "".join(f"Seat {number},seat-{number}{ANYBODY}\n" for number in range(1, counted + 1)), 1
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    first = next((line for line in lines if line.strip()), "")
    headings = {cell.strip().strip('"').lower() for cell in re.split(r"[,;\t]", first)}
    if not first or (headings & _HEADINGS and "@" not in first):
        return "\n".join(lines), 0
    return _HEADER + "\n".join(_row(line) for line in lines), 1


def for_anybody(text: str) -> int:
    """How many seats "20 seats + code" asks for; 0 for a list of people."""
    found = _SEATS.fullmatch(text)
    return int(found["number"]) if found else 0


def parse(text: str, file: str) -> tuple[Learner, ...]:
    """The learners. Raises BadInput with every complaint, at the lines that were pasted; CSV is spoken of where it was CSV."""
    if not text.strip():
        raise errors.BadInput("nobody is on the list.", hint=_HINT, complaints=(errors.Complaint(file, 1, 1, "the list is empty"),))
    made, added = to_csv(text)
    try:
        return roster.parse(made.encode(), file, before=added)
    except errors.BadInput as error:
        if not added:
            raise
        alone = for_anybody(text) > 0
        found = tuple(replace(one, line=1) if alone else one for one in error.complaints)
        lines = len({one.line for one in found})
        wrong = "one line of the list is" if lines == 1 else f"{lines} lines of the list are"
        raise errors.BadInput(f"{wrong} not right.", hint=_HINT, complaints=found) from None


def _row(line: str) -> str:
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
