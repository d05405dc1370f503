"""Every blueprint of the house: reads without a warning, plans, and its files are what they should be."""

from __future__ import annotations

import ast
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.blueprints import courses
from tests.drivers import guests_here

PLAYBOOKS = sorted(courses.FOLDER.glob("*/plays/*.yml"))
PAGES = sorted(courses.FOLDER.glob("*/guide/*.md"))


def test_there_are_courses_to_look_at():
    assert {"linux-first-steps", "web-attack-basics"} <= set(courses.NAMES)
    assert PLAYBOOKS
    assert PAGES


@pytest.mark.parametrize("name", courses.NAMES)
def test_a_course_reads_without_a_warning_and_says_what_one_learns(name):
    found = courses.read(name)
    assert found.warnings == ()
    assert found.blueprint.about.outcomes
    assert found.blueprint.ready


@pytest.mark.parametrize("name", courses.NAMES)
def test_a_course_plans_the_same_for_everyone_but_for_what_is_drawn(name):
    site = guests_here.site()
    first, second = courses.plan(name, site, 1, 5), courses.plan(name, site, 2, 6)
    assert [machine.nics[1].address for machine in first.machines] == [machine.nics[1].address for machine in second.machines]
    assert {machine.address for machine in first.machines}.isdisjoint(machine.address for machine in second.machines)
    assert [variable.value for variable in first.variables] != [variable.value for variable in second.variables]


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_a_playbook_parses(playbook, tmp_path):
    ansible = str(Path(sys.executable).parent / "ansible-playbook")
    home = {"ANSIBLE_HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"], "ANSIBLE_LOCALHOST_WARNING": "False"}
    inventory = "box,shop,attacker,"
    done = subprocess.run(
        [ansible, "--syntax-check", "-i", inventory, str(playbook)], capture_output=True, text=True, env=home, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_a_guides_page_has_front_matter_and_only_known_blocks(page):
    text = page.read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    assert set(yaml.safe_load(front)) <= {"title", "minutes", "requires", "tabs"}
    assert re.match(r"\n*# \S", body)
    assert set(re.findall(r"^:::(\w+)", body, re.MULTILINE)) <= {"hint", "note", "warning", "task"}
    assert body.count("```") % 2 == 0


def test_scripts_of_checks_can_be_run():
    scripts = sorted(courses.FOLDER.glob("*/checks/*"))
    assert scripts
    for script in scripts:
        assert os.access(script, os.X_OK), script
        assert script.read_text(encoding="utf-8").startswith("#!"), script


def test_no_file_is_a_link_or_has_windows_line_ends():
    for path in courses.FOLDER.rglob("*"):
        assert not path.is_symlink()
        if path.is_file():
            assert b"\r\n" not in path.read_bytes(), path


@pytest.fixture(scope="module")
def shop():
    return runpy.run_path(str(courses.FOLDER / "web-attack-basics" / "files" / "shop.py"), run_name="shop")


def test_the_shop_finds_goods_and_hides_its_secrets(shop):
    page = shop["goods"](shop["database"](), "lantern")
    assert "Storm lantern" in page
    assert "Candle" not in page
    assert "flag" not in page
    assert "Nothing found" in shop["goods"](shop["database"](), "zzz")
    assert "Wrong login" in shop["staff"](shop["database"](), "martha", "guess")


def test_the_shop_falls_to_what_the_course_teaches(shop):
    db = shop["database"]
    assert "near" in shop["goods"](db(), "'") or "unrecognized token" in shop["goods"](db(), "'")
    assert "secrets" in shop["goods"](db(), "zzz' UNION SELECT name, sql, 0 FROM sqlite_master --")
    assert "not yet set" in shop["goods"](db(), "zzz' UNION SELECT name, value, 0 FROM secrets --")
    assert "Welcome, martha" in shop["staff"](db(), "martha' --", "")


def test_the_shop_writes_what_visitors_type_only_escaped(shop):
    page = shop["goods"](shop["database"](), "<script>'")
    assert "<script>" not in page


def test_the_port_scanner_is_short_enough_to_be_read():
    source = (courses.FOLDER / "web-attack-basics" / "files" / "ports").read_text(encoding="utf-8")
    ast.parse(source)
    assert len(source.splitlines()) <= 40
