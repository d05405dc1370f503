"""`site.yaml`: what IT decided about the cluster and labctl's ranges on it, read and written whole (`labctl.model.site`).

Written by `labctl up` for the sandbox and by IT by hand for a cluster. Holds no secret: those are files of their own.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pydantic
import yaml

from labctl import errors
from labctl.model import marked
from labctl.model import site as site_

_HEAD = "# The site: where the cluster is and which ranges of it are labctl's own. Written by labctl; secrets are not in here.\n"


def read(path: Path) -> site_.Site:
    """The site. Raises NotFound when there is no file, BadInput with every complaint when it is wrong."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise errors.NotFound(f"there is no site file {path}", hint="run `labctl up`, or write one for your cluster") from None
    except OSError as error:
        raise errors.BadInput(f"the site file {path} cannot be read: {error.strerror}") from None
    tree = marked.read(marked.decode(data, str(path)), str(path))
    try:
        return site_.Site.model_validate(_plain(tree.root))
    except pydantic.ValidationError as error:
        found = [_complaint(tree, finding) for finding in error.errors()]
        refusal = marked.refusal(str(path), found)
        raise errors.BadInput(refusal.message, hint="correct the site file and try again", complaints=refusal.complaints) from None


def write(path: Path, site: site_.Site) -> None:
    """Write the site, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = _HEAD + yaml.safe_dump(site.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".site-", encoding="utf-8", delete=False) as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
        Path(stream.name).chmod(0o644)
        Path(stream.name).replace(path)


def _plain(value: Any) -> Any:
    """Texts for pydantic, which turns them into the types of the model; an empty block stays None."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _written(value: Any, loc: marked.Loc) -> marked.Loc:
    """The place as it stands in the file: a single template without a list around it has no number there."""
    place: list[str | int] = []
    for part in loc:
        if isinstance(part, int):
            if not isinstance(value, list):
                continue
            value = value[part]
        else:
            value = value.get(part) if isinstance(value, dict) else None
        place.append(part)
    return tuple(place)


def _complaint(tree: marked.Tree, finding: Any) -> errors.Complaint:
    loc = _written(tree.root, tuple(finding["loc"]))
    if finding["type"] == "extra_forbidden":
        return tree.complaint(tree.key_mark(loc), f"unknown key '{loc[-1]}'")
    if finding["type"] == "missing":
        return tree.complaint(tree.key_mark(loc[:-1]), f"'{loc[-1]}' is missing")
    message = str(finding["msg"]).removeprefix("Value error, ")
    return tree.complaint(tree.value_mark(loc), f"'{loc[-1] if loc else 'the file'}': {message[:1].lower()}{message[1:]}")
