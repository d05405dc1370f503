"""The JSON schema of the language, for editors: generated from the models, kept in `blueprints/schema.json`, checked by a test.

Editors see YAML's own types, so text is `string | number | boolean`. Defaults are left out: they are values of the model (MiB,
seconds), not what an author writes. What spans several blocks no schema can say.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from labctl.model import blueprint


def schema() -> dict[str, Any]:
    """The schema as a value."""
    made = _plain(blueprint.Blueprint.model_json_schema(by_alias=True))
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "labctl blueprint, version 1"}
    return {**head, **{key: value for key, value in made.items() if key != "title"}}


def text() -> str:
    """The schema as it is kept in `blueprints/schema.json`."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


_BOUNDS = {"ge": "minimum", "le": "maximum"}


def _plain(value: Any, *, properties: bool = False) -> Any:
    """Without titles, defaults and null, which is never written; keys of the language with these names stay."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if properties:
        return {key: _plain(item) for key, item in value.items()}
    kept = {key: item for key, item in value.items() if key not in {"title", "default"}}
    if "anyOf" in kept:
        one, *others = [item for item in kept.pop("anyOf") if item != {"type": "null"}]
        assert not others, "no key of the language has two types"
        kept.update(one)
    return {_BOUNDS.get(key, key): _plain(item, properties=key in {"properties", "$defs"}) for key, item in kept.items()}


if __name__ == "__main__":
    sys.stdout.write(text())
