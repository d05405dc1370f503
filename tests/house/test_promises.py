"""The house is tested too: what the README, the settings and the rooms say of themselves is true."""

from __future__ import annotations

import ast
import random
import re
import subprocess
from pathlib import Path

import pytest

from labctl import errors
from labctl.drivers import shelf
from labctl.model import planning, roster, site
from labctl.model.plan import SeatRef

TOP = Path(__file__).resolve().parents[2]
README = (TOP / "README.md").read_text()
SITE = site.Site(
    cluster=site.Cluster(secret_file="secret", ca_file="ca"),
    images={"debian-12": site.Image(vm=(site.Template(node="n", vmid=9000),), container=(site.Template(node="n", vmid=9001),))},
)


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_smallest_example_of_the_readme_plans(tmp_path):
    folder = tmp_path / "hello"
    folder.mkdir()
    (folder / "blueprint.yaml").write_text(_blocks("yaml")[0])
    lab, warnings = shelf.Shelf((tmp_path,), tmp_path / "frozen").read("hello")
    assert not warnings
    seat = SeatRef(number=1, name="Ada", login="ada")
    plan = planning.plan(lab, SITE, environment="a123456789", plot=1, classroom="monday", seat=seat, source="hello@sha256:0", values={})
    assert [machine.name for machine in plan.machines] == ["box"]


def test_the_roster_of_the_readme_is_a_roster():
    (text,) = _blocks("csv")
    assert [learner.name for learner in roster.parse(text.encode(), "roster.csv")] == ["Ada Lovelace"]


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`?make ([a-z-]+)", README))))
def test_every_make_target_the_readme_names_is_there(target):
    assert re.search(rf"^{target}:.*##", (TOP / "Makefile").read_text(), flags=re.MULTILINE)


def test_every_course_of_the_house_plans():
    books = shelf.Shelf((TOP / "blueprints",), TOP / "nowhere")
    names = books.names()
    assert names
    for name in names:
        lab, warnings = books.read(name)
        assert not warnings, name
        values = planning.draw(lab, {}, random.Random(1))
        planning.plan(
            lab,
            SITE,
            environment="a123456789",
            plot=1,
            classroom="monday",
            seat=SeatRef(number=1, name="Ada", login="ada"),
            source=f"{name}@sha256:0",
            values=values,
        )


def test_every_setting_is_described():
    tree = ast.parse((TOP / "labctl/settings.py").read_text())
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Settings").body
    for field, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign):
            described = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str)
            assert described, f"setting {ast.unparse(field.target)} has no docstring"


def test_every_error_stands_in_the_tree_drawn_above_them():
    drawn = errors.__doc__ or ""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) > 10
    for kind in kinds:
        assert kind.__name__ in drawn


def test_every_room_says_who_may_live_in_it():
    for folder in ("labctl", "api", "infra"):
        for room in (TOP / folder).rglob("__init__.py"):
            assert ast.get_docstring(ast.parse(room.read_text())), room


def _tracked() -> list[str]:
    return subprocess.run(["git", "ls-files"], cwd=TOP, capture_output=True, text=True, check=True).stdout.splitlines()


def test_lock_files_name_no_address():
    for name in _tracked():
        if name.endswith((".lock", "lock.json")):
            assert "://" not in (TOP / name).read_text(), name


def test_nothing_turns_host_key_checking_off():
    wrong = re.compile(r"StrictHostKeyChecking[= ]+(no|off|accept-new)|verify(_ssl)?=False|AutoAddPolicy")
    for name in _tracked():
        if name.endswith((".py", ".sh", ".yml", ".yaml", ".cfg")) and not name.startswith("tests/"):
            found = [line for line in (TOP / name).read_text().splitlines() if wrong.search(line)]
            assert not found, (name, found)
