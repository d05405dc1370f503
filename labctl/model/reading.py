"""From the text of a `blueprint.yaml` to a Blueprint, or to everything that is wrong with it, at once and in order of place.

Three floors, each only when the one below found nothing: YAML (`marked`), blocks and types (`blueprint`, `wording`), what spans several
blocks (`crosschecks`). So no complaint is followed by its own consequences. Files are looked at by `labctl.drivers.shelf`.
"""

from __future__ import annotations

from dataclasses import dataclass

import pydantic

from labctl import errors
from labctl.model import blueprint as language
from labctl.model import crosschecks, marked, references, wording

VERSION = 1
"""The version of the language that this labctl knows."""


@dataclass(frozen=True)
class Reading:
    """A blueprint that is right, its warnings, and the marks for those who find something later (`labctl.drivers.shelf`)."""

    blueprint: language.Blueprint
    warnings: tuple[errors.Complaint, ...]
    tree: marked.Tree


def parse(text: str, file: str) -> language.Blueprint:
    """The blueprint. Raises BadInput with complaints as `file:line:column`."""
    return read(text, file).blueprint


def read(text: str, file: str) -> Reading:
    """The blueprint with its warnings. Raises BadInput with complaints; the warnings found so far are among them."""
    value, tree = validated(text, file)
    found = tree.warnings + [
        tree.complaint(
            tree.key_mark(finding.loc) if finding.at_key else tree.value_mark(finding.loc), finding.text, warning=finding.warning
        )
        for finding in crosschecks.findings(value)
    ]
    if any(not complaint.warning for complaint in found):
        raise marked.refusal(file, found)
    return Reading(value, tuple(sorted(set(found))), tree)


def validated(text: str, file: str) -> tuple[language.Blueprint, marked.Tree]:
    """A blueprint whose blocks and types are right, and its marks."""
    tree = marked.read(text, file)
    _version(tree)
    misplaced = {loc: tree.complaint(tree.value_mark(loc), text) for loc, text in references.misplaced(tree.root)}
    try:
        value = language.Blueprint.model_validate(tree.root)
    except pydantic.ValidationError as error:
        places = {(complaint.line, complaint.column) for complaint in misplaced.values()}
        found = [complaint for complaint in wording.complaints(tree, error) if (complaint.line, complaint.column) not in places]
        raise marked.refusal(file, [*found, *misplaced.values()]) from None
    if misplaced:
        raise marked.refusal(file, list(misplaced.values()))
    return value, tree


def _version(tree: marked.Tree) -> None:
    """A blueprint of another version is not read any further: its keys may mean anything."""
    if tree.root is None:
        raise marked.refusal(tree.file, [tree.complaint(marked.Mark(1, 1), "the file is empty; a blueprint begins with labctl: 1")])
    if not isinstance(tree.root, dict):
        raise marked.refusal(tree.file, [tree.complaint(tree.value_mark(()), "a blueprint is a block of keys; it begins with labctl: 1")])
    version = tree.root.get("labctl")
    if isinstance(version, str) and version != str(VERSION):
        text = f"this is a blueprint of language version {version}; this labctl knows version {VERSION}"
        raise marked.refusal(tree.file, [tree.complaint(tree.value_mark(("labctl",)), text)])
