"""The JSON schema for editors is fresh, and agrees with the reader where a schema can."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from labctl.model import schema, wording
from tests.model import cases

FILE = Path(__file__).parents[2] / "blueprints" / "schema.json"
PLANNED = [name for name in cases.names() if "plan.json" in cases.expected(name)]


def valid(value):
    return jsonschema_rs.validator_for(schema.schema()).is_valid(value)


def test_the_schema_is_fresh():
    remedy = """python -c "from labctl.model import schema; print(schema.text(), end='')" > blueprints/schema.json"""
    assert FILE.read_text() == schema.text(), f"write it again: {remedy}"


@pytest.mark.parametrize("name", PLANNED)
def test_what_plans_is_valid(name):
    assert valid(yaml.load((cases.CASES / name / "blueprint.yaml").read_text(), Loader=yaml.CSafeLoader))


def box(**keys):
    return {"labctl": 1, "about": {"title": "A lab", "area": "systems"}, "machines": {"box": {"image": "debian-12", **keys}}}


@pytest.mark.parametrize(
    "keys",
    [
        {"memmory": "1G"},
        {"memory": 46},
        {"memory": "4GB"},
        {"cpus": 0},
        {"kind": "lxc"},
        {"sudo": "no"},
        {"volumes": []},
        {"groups": "web"},
    ],
)
def test_what_no_machine_may_say_is_not_valid(keys):
    assert valid(box())
    assert not valid(box(**keys))


def test_keys_are_written_as_authors_write_them():
    check = schema.schema()["$defs"]["Check"]["properties"]
    assert "as" in check
    assert "as_" not in check


def test_every_block_and_key_of_the_schema_is_closed():
    made = schema.schema()
    blocks = [made, *made["$defs"].values()]
    assert len(blocks) == len(wording.BLOCKS)
    assert all(block["additionalProperties"] is False for block in blocks)
    assert '"default"' not in json.dumps(made).replace('"default": {"type"', "")
