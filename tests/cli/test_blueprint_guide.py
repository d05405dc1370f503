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


def test_a_translation_is_complete_or_its_mistakes_are_said_by_file_line_and_column(labctl, folder):
    (folder / "guide.fr").mkdir()
    (folder / "guide.fr" / "01-a.md").write_text("# A\n\n:::task said\n:::\n")
    (folder / "guide.fr" / "tasks.yaml").write_text("find: {title: Trouvez, hints: [Non]}\nsaid: {title: Dites-le}\n")
    done = labctl("blueprint", "check", str(folder), "--json")
    assert done.returncode == 1
    for said in ("here is :::task said where guide/01-a.md has :::task find", "the task has 0 hints, and here are 1"):
        assert said in done.stdout
    (folder / "guide.fr" / "01-a.md").write_text("# A\n\n:::task find\n:::\n")
    (folder / "guide.fr" / "tasks.yaml").write_text("find: {title: Trouvez}\nsaid: {title: Dites-le}\n")
    done = labctl("blueprint", "check", str(folder))
    assert done.returncode == 0, done.stderr


def test_references_and_images_of_a_guide_are_held_to_what_there_is(labctl, folder):
    (folder / "guide" / "img").mkdir()
    (folder / "guide" / "img" / "map.png").write_bytes(b"GIF89a")
    (folder / "guide" / "01-a.md").write_text("# A ${lab.nothing}\n\n![A map](img/mop.png)\n\n:::task find\n:::\n")
    done = labctl("blueprint", "check", str(folder))
    said = "".join(done.stderr.split())
    assert done.returncode == 1
    assert "guide/01-a.md:1:5:thereisnovariable'nothing'" in said
    assert "guide/01-a.md:3:1:thereisnoimage'img/mop.png';didyoumean'img/map.png'?" in said
    assert "guide/img/map.png:1:1:thefileisnotimage/png" in said
