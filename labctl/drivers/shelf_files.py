"""The files of a blueprint's folder: which count, which are not allowed, and which come from the repository's `playbooks/`.

Part of `labctl.drivers.shelf`; `blueprint.md` 4 has the rules. Playbooks are looked through for the roles they use, never run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from labctl import errors
from labctl.model import blueprint as language
from labctl.model import digest, marked, reading

MOST_FILE = 50 * 1024 * 1024
MOST_FOLDER = 200 * 1024 * 1024
_TEXTS = {".yml", ".yaml", ".sh", ".py", ".md", ".j2"}


def executable(file: Path) -> bool:
    """Whether its owner may run it."""
    return bool(file.stat().st_mode & 0o100)


def listing(folder: Path) -> tuple[dict[str, Path], list[errors.Complaint]]:
    """The files that belong to the blueprint (path in the folder -> file), and what is wrong with them."""
    files: dict[str, Path] = {}
    found: list[errors.Complaint] = []
    total = 0
    for file in _walk(folder):
        path = file.relative_to(folder).as_posix()
        if not digest.counts(path):
            continue
        if file.is_symlink():
            found.append(_complaint(file, "symbolic links are not allowed in a blueprint; copy the file"))
            continue
        if not file.is_file():
            found.append(_complaint(file, "this is neither a file nor a folder"))
            continue
        size = file.stat().st_size
        total += size
        if size > MOST_FILE:
            found.append(_complaint(file, f"the file has {size >> 20} MiB; at most 50 MiB. Large data belongs in an image"))
            continue
        if _crlf(file):
            found.append(_complaint(file, "lines end with a carriage return (CRLF); save the file with LF line ends"))
        files[path] = file
    if total > MOST_FOLDER:
        found.append(_complaint(folder / "blueprint.yaml", f"the folder has {total >> 20} MiB; at most 200 MiB"))
    return files, found


def _walk(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry)
        else:
            yield entry


def _crlf(file: Path) -> bool:
    with file.open("rb") as stream:
        head = stream.read(1024 * 1024)
    return (file.suffix in _TEXTS or head.startswith(b"#!")) and b"\r\n" in head


def _scripts(blueprint: language.Blueprint) -> Iterator[tuple[marked.Loc, str]]:
    """The scripts that checks and actions name, with their places."""
    places: list[tuple[marked.Loc, str | None]] = [(("ready", number), check.script) for number, check in enumerate(blueprint.ready)]
    for number, task in enumerate(blueprint.tasks):
        for key in ("checks", "setup", "solve"):
            places += [(("tasks", number, key, place), one.script) for place, one in enumerate(getattr(task, key) or ())]
    return ((loc, path) for loc, path in places if path)


def _complaint(file: Path, text: str) -> errors.Complaint:
    return errors.Complaint(str(file), 1, 1, text)


class Borrowing:
    """What the steps and checks name: found in the folder, else taken from `playbooks/` into `files`, else complained about."""

    def __init__(self, folder: Path, playbooks: Sequence[Path], files: dict[str, Path]) -> None:
        self._folder = folder
        self._playbooks = playbooks
        self._files = files
        self._looked: set[str] = set()
        self._found: list[errors.Complaint] = []

    def wanted(self, read: reading.Reading) -> list[errors.Complaint]:
        """Look for everything the blueprint names. Fills `files`; returns what is wrong."""

        def say(loc: marked.Loc, text: str) -> None:
            self._found.append(read.tree.complaint(read.tree.value_mark(loc), text))

        if "requirements.yml" in self._files:
            self._found.append(_complaint(self._folder / "requirements.yml", "'requirements.yml' is not supported yet"))
        for number, step in enumerate(read.blueprint.configure):
            loc: marked.Loc = ("configure", number, step.kind)
            if step.playbook and not self._playbook(step.playbook):
                say(loc, f"there is no playbook '{step.playbook}' in the blueprint's folder or in playbooks/")
            elif step.role and "." in step.role:
                say(loc, "'roles of collections' is not supported yet")
            elif step.role and not self._role(step.role):
                say(loc, f"there is no role '{step.role}' in the blueprint's roles/ or in playbooks/roles/")
            elif step.script and (complaint := self._script(step.script)):
                say(loc, complaint)
        for where, path in _scripts(read.blueprint):
            if complaint := self._script(path):
                say((*where, "script"), complaint)
        return self._found

    def _script(self, path: str) -> str:
        if path not in self._files:
            return f"there is no file '{path}' in the blueprint's folder"
        with self._files[path].open("rb") as stream:
            first = stream.read(2)
        return "" if first == b"#!" else f"the first line of '{path}' must say what runs it, such as #!/bin/sh"

    def _playbook(self, path: str) -> bool:
        for root in self._playbooks:
            if path not in self._files and (root / path).is_file() and not (root / path).is_symlink():
                self._files[path] = root / path
        if path not in self._files:
            return False
        if path not in self._looked:
            self._looked.add(path)
            for role in self._roles_in(self._files[path]):
                self._role(role)
        return True

    def _role(self, name: str) -> bool:
        """Take a role and the roles it needs. A role that only a playbook names may also come from Ansible itself: no complaint there."""
        place = f"roles/{name}/"
        if not any(path.startswith(place) for path in self._files):
            for root in self._playbooks:
                if not (root / place).is_dir():
                    continue
                files, found = listing(root / place)
                self._found += found
                self._files.update({f"{place}{path}": file for path, file in files.items()})
                if files:
                    break
            else:
                return False
        if place not in self._looked:
            self._looked.add(place)
            inside = [file for path, file in self._files.items() if path.startswith(place) and file.suffix in {".yml", ".yaml"}]
            for role in {role for file in inside for role in self._roles_in(file)}:
                self._role(role)
        return True

    def _roles_in(self, file: Path) -> tuple[str, ...]:
        try:
            node = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        except UnicodeDecodeError:
            self._found.append(_complaint(file, "the file is not UTF-8"))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            self._found.append(errors.Complaint(str(file), line, column, f"this is not YAML: {error.problem}"))
        else:
            return tuple(dict.fromkeys(_named(node)))
        return ()


def _named(node: Any) -> Iterator[str]:
    """Names of roles in a playbook, in tasks (`include_role`, `import_role`) or in a role's `meta` (`dependencies`)."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _named(item)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        word = getattr(key, "value", "")
        word = word.rpartition(".")[2] if isinstance(word, str) else ""
        if word in {"roles", "dependencies"} and isinstance(value, yaml.SequenceNode):
            yield from (name for item in value.value for name in _of(item, {"role", "name"}))
        elif word in {"include_role", "import_role"}:
            yield from _of(value, {"name"})
        yield from _named(value)


def _of(node: Any, keys: set[str]) -> Iterator[str]:
    if isinstance(node, yaml.ScalarNode):
        yield node.value
    elif isinstance(node, yaml.MappingNode):
        yield from (value.value for key, value in node.value if key.value in keys and isinstance(value, yaml.ScalarNode))
