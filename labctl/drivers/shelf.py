"""Blueprints as folders: found by name, read with every complaint about their files, frozen when a class is opened.

What the YAML means is `labctl.model.reading`'s matter; here are the files beside it (`blueprint.md` 4): do the paths exist, are there
links that lead out, is anything too large. A frozen folder is a complete copy under the home, with the roles and playbooks it takes from
the repository's `playbooks/`, and never changes. Nothing is run here.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from labctl import errors
from labctl.drivers import shelf_files, site_file
from labctl.model import blueprint as language
from labctl.model import digest, marked, reading, references, scalars

FILE = "blueprint.yaml"
MOST_KEPT = 64
"""Frozen blueprints that are kept as they were read: more than a centre has classes of at once."""

read_site = site_file.read
write_site = site_file.write


@dataclass(frozen=True)
class Book:
    """A blueprint with its folder: what it says, what was warned of, and which file lies where (path in the folder -> file)."""

    name: str
    folder: Path
    blueprint: language.Blueprint
    warnings: tuple[errors.Complaint, ...]
    files: dict[str, Path]
    digests: digest.Digests


@dataclass(frozen=True)
class Entry:
    """A line of the list of blueprints. `broken` says why it cannot be used; then the rest is empty."""

    name: str
    title: str = ""
    area: str = ""
    level: str = ""
    summary: str = ""
    digest: str = ""
    machines: int = 0
    broken: str = ""


class Shelf:
    """Blueprint folders in `roots`, earlier roots first; frozen copies in `frozen`. `playbooks` beside a root are shared by its folders."""

    def __init__(self, roots: Sequence[Path], frozen: Path, playbooks: Sequence[Path] | None = None) -> None:
        self._roots = tuple(roots)
        self._frozen = frozen
        self._playbooks = tuple(root.parent / "playbooks" for root in roots) if playbooks is None else tuple(playbooks)
        self._kept: dict[str, Book] = {}

    def names(self) -> tuple[str, ...]:
        """All blueprints, sorted."""
        return tuple(sorted({file.parent.name for root in self._roots for file in root.glob(f"*/{FILE}")}))

    def list(self) -> tuple[Entry, ...]:
        """All blueprints with what people choose by; broken ones say why."""
        return tuple(self._entry(name) for name in self.names())

    def blueprint(self, name: str) -> language.Blueprint:
        """Raises NotFound, or BadInput with all complaints."""
        return self.book(name).blueprint

    def read(self, name: str | Path) -> tuple[language.Blueprint, tuple[errors.Complaint, ...]]:
        """A blueprint by name or by path (of the folder or of the file in it), and its warnings. Raises NotFound or BadInput."""
        book = self.book(name)
        return book.blueprint, book.warnings

    def book(self, name: str | Path) -> Book:
        """A blueprint by name or by path, with its files and digests. Raises NotFound or BadInput with all complaints."""
        return self._read(self._find(name))

    def frozen(self, source: str) -> Book:
        """The blueprint of "<name>@<digest>" as it was frozen. Raises NotFound."""
        folder = self.folder(source)
        # What is frozen never changes, and every page of a guide asks for it.
        book = self._kept.get(source)
        if book is None:
            while len(self._kept) >= MOST_KEPT:
                self._kept.pop(next(iter(self._kept)), None)
            book = self._kept[source] = self._read(folder, source.partition("@")[0])
        return book

    def _read(self, folder: Path, name: str = "") -> Book:
        name = name or folder.name
        file = folder / FILE
        read = reading.read(marked.decode(file.read_bytes(), str(file)), str(file))
        files, found = shelf_files.listing(folder)
        if not re.fullmatch(scalars.NAME, name):
            text = f"the folder's name is the blueprint's: '{name}' is not a name: small letters, digits and '-', at most 24"
            found.append(read.tree.complaint(marked.Mark(1, 1), text))
        borrowed = shelf_files.Borrowing(folder, self._playbooks, files)
        found += borrowed.wanted(read)
        if found:
            raise marked.refusal(str(file), [*found, *read.warnings])
        return Book(name, folder, read.blueprint, read.warnings, files, digest.of(read.blueprint, _digested(files)))

    def freeze(self, name: str | Path) -> str:
        """Keep the folder as it is now: "<name>@sha256:...". Raises NotFound or BadInput. May be repeated.

        The digest is that of the copy, so that an edit at this very moment cannot make the two differ.
        """
        book = self.book(name)
        self._frozen.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{book.name}-", dir=self._frozen) as made:
            copy = Path(made) / book.name
            for path, file in {FILE: book.folder / FILE, **book.files}.items():
                place = copy / path
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)
                place.chmod(0o755 if shelf_files.executable(file) else 0o644)
            source = f"{book.name}@{self.book(copy).digests.blueprint}"
            _settle(copy, self._target(source))
        return source

    def folder(self, source: str) -> Path:
        """Where the frozen folder of "<name>@<digest>" is. Raises NotFound."""
        target = self._target(source)
        if not target.is_dir():
            raise errors.NotFound(
                f"the frozen blueprint {source.partition('@')[0]} ({target.name}) is not in {self._frozen}",
                hint="somebody removed it; close the class and open it again",
            )
        return target

    def prune(self, keep: Iterable[str], rest: timedelta = timedelta(minutes=10)) -> tuple[str, ...]:
        """Remove frozen folders that no class in `keep` ("<name>@<digest>" each) uses, and what a killed freeze left behind.

        What was frozen within `rest` stays: its class may not be written yet. Returns the names of the removed folders.
        """
        kept = {self._target(source).name for source in keep}
        removed = []
        for folder in sorted(self._frozen.iterdir()) if self._frozen.is_dir() else ():
            if folder.name not in kept and folder.stat().st_mtime < time.time() - rest.total_seconds():
                shutil.rmtree(folder)
                removed.append(folder.name)
        return tuple(removed)

    def _target(self, source: str) -> Path:
        name, at, rest = source.partition("@")
        if not at or not re.fullmatch(scalars.NAME, name) or not re.fullmatch(r"sha256:[0-9a-f]{64}", rest):
            raise errors.NotFound(f"'{source}' does not name a frozen blueprint")
        return self._frozen / f"{name}-{digest.short(rest)}"

    def _find(self, name: str | Path) -> Path:
        text = str(name)
        if "/" not in text:
            for root in self._roots:
                if re.fullmatch(r"[^./][^/]*", text) and (root / text / FILE).is_file():
                    return root / text
        path = Path(name)
        folder = path.parent if path.name == FILE else path
        if (isinstance(name, Path) or "/" in text or text in {".", FILE}) and (folder / FILE).is_file():
            return folder.resolve()
        known = self.names()
        raise errors.NotFound(references.absent("blueprint", text, known), hint="`labctl blueprint list` shows all blueprints")

    def _entry(self, name: str) -> Entry:
        try:
            book = self.book(name)
        except errors.BadInput as error:
            first = next((complaint for complaint in error.complaints if not complaint.warning), None)
            return Entry(name, broken=str(first or error))
        about = book.blueprint.about
        machines = sum(machine.count for machine in book.blueprint.machines.values())
        return Entry(name, about.title, about.area, about.level or "", about.summary or "", digest.short(book.digests.blueprint), machines)


def _settle(copy: Path, target: Path) -> None:
    """Whole or not at all; whoever was first wins, both have the same content."""
    if target.is_dir():
        os.utime(target)
        return
    try:
        copy.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def _digested(files: dict[str, Path]) -> Iterator[digest.File]:
    for path, file in files.items():
        mode = "100755" if shelf_files.executable(file) else "100644"
        yield digest.File(path, mode, hashlib.sha256(file.read_bytes()).hexdigest())
