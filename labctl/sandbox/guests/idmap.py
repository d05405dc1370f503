"""The range of user and group ids that guests' root and users have on the host: nobody's, so a guest's root is nobody here.

`guests.md` 0: a guest started as real root can set the host's clock. Everything else follows from this range.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

COUNT = 65536
DEFAULT_FIRST = 100000
FILES = (Path("/etc/subuid"), Path("/etc/subgid"))


@dataclass(frozen=True)
class IdMap:
    """Guest id 0..count-1 is host id first..first+count-1, for users and groups alike."""

    first: int
    count: int = COUNT

    def inside(self) -> list[str]:
        """The start of a command that runs as root of that namespace."""
        return ["lxc-usernsexec", "-m", f"b:0:{self.first}:{self.count}", "--"]


def granted(files: tuple[Path, Path] = FILES) -> IdMap | None:
    """The range that /etc/subuid *and* /etc/subgid give to root. newuidmap refuses any other."""
    found = [_ranges(file) for file in files]
    both = [start for start in found[0] if start in found[1]]
    return IdMap(both[0]) if both else None


def _ranges(file: Path) -> list[int]:
    starts = []
    for line in file.read_text(encoding="ascii").splitlines() if file.exists() else []:
        fields = line.split(":")
        if len(fields) == 3 and fields[0] in {"root", "0"} and int(fields[2]) >= COUNT:
            starts.append(int(fields[1]))
    return starts


def grant(files: tuple[Path, Path] = FILES) -> IdMap:
    """Root's range, entered first when there is none. Only root can do that."""
    if (there := granted(files)) is not None:
        return there
    taken = [_end(line) for file in files if file.exists() for line in file.read_text(encoding="ascii").splitlines()]
    first = max([DEFAULT_FIRST, *taken])
    for file in files:
        with file.open("a", encoding="ascii") as lines:
            lines.write(f"root:{first}:{COUNT}\n")
    return IdMap(first)


def _end(line: str) -> int:
    fields = line.split(":")
    return int(fields[1]) + int(fields[2]) if len(fields) == 3 and fields[1].isdigit() and fields[2].isdigit() else 0
