"""Authors hear of mistakes in the guide by file and line, and hide answers."""

from __future__ import annotations

import hashlib

import pytest

TEXT = """\
labctl: 1
about: {title: First steps, area: systems}
machines:
  box: {image: debian-12, kind: container}
tasks:
  - {id: find, title: Find it, answer: here}
  - {id: said, title: Say it, confirm: true}
"""


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "hello"
    (made / "guide").mkdir(parents=True)
    (made / "blueprint.yaml").write_text(TEXT)
    (made / "guide" / "01-a.md").write_text("# A\n\n:::task find\n:::\n")
    return made


def test_a_task_that_stands_nowhere_is_warned_of(labctl, folder):
    done = labctl("blueprint", "check", str(folder))
    assert done.returncode == 0, done.stderr
    assert "guide/01-a.md:1:1: warning: task 'said' stands on no page" in done.stdout.replace("\n", "")


def test_a_mistake_in_the_guide_is_a_mistake(labctl, folder):
    (folder / "guide" / "01-a.md").write_text("# A\n\n:::task fnid\n:::\n")
    done = labctl("blueprint", "check", str(folder), "--json")
    assert done.returncode == 1
    assert "guide/01-a.md" in done.stdout
    assert "there is no task 'fnid'; did you mean 'find'?" in done.stdout


def test_an_answer_is_hidden_as_the_language_compares_it(labctl):
    done = labctl("blueprint", "hash", " Storm  Lantern ")
    assert done.stdout.strip() == hashlib.sha256(b"storm lantern").hexdigest()
    done = labctl("blueprint", "hash", "--case", "Storm")
    assert done.stdout.strip() == hashlib.sha256(b"Storm").hexdigest()
