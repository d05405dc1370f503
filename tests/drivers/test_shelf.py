"""The shelf: blueprints found, checked with their files, and frozen so that no edit reaches a running class."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from labctl import errors
from labctl.drivers import shelf

TEXT = """labctl: 1
about: {title: A lab, area: systems, level: beginner, summary: Short.}
machines:
  box: {image: debian-12, kind: container, count: 2}
configure:
  - {playbook: plays/own.yml, hosts: [all]}
  - {playbook: shared.yml, hosts: [all]}
  - {role: motd, hosts: [all]}
  - {script: scripts/once.sh, hosts: [all]}
ready:
  - {script: checks/up.sh, machine: box-1}
"""


def put(root, files):
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.fixture
def root(tmp_path):
    put(
        tmp_path,
        {
            "blueprints/lab/blueprint.yaml": TEXT,
            "blueprints/lab/plays/own.yml": "- hosts: all\n  roles: [own_role, {role: shared_role}]\n",
            "blueprints/lab/roles/own_role/tasks/main.yml": "- ansible.builtin.include_role: {name: deep}\n",
            "blueprints/lab/scripts/once.sh": "#!/bin/sh\ntrue\n",
            "blueprints/lab/checks/up.sh": "#!/bin/sh\ntrue\n",
            "blueprints/lab/README.md": "for authors",
            "blueprints/lab/.notes": "mine",
            "playbooks/shared.yml": "- hosts: all\n  tasks: []\n",
            "playbooks/unused.yml": "- hosts: all\n",
            "playbooks/roles/motd/tasks/main.yml": "- ansible.builtin.command: 'true'\n",
            "playbooks/roles/motd/files/motd.sh": "echo hello\n",
            "playbooks/roles/shared_role/meta/main.yml": "dependencies: [{role: needed}]\n",
            "playbooks/roles/needed/tasks/main.yml": "[]\n",
            "playbooks/roles/deep/tasks/main.yml": "[]\n",
            "playbooks/roles/unused/tasks/main.yml": "[]\n",
        },
    )
    (tmp_path / "blueprints/lab/scripts/once.sh").chmod(0o755)
    return tmp_path


def made(root):
    return shelf.Shelf((root / "blueprints",), root / "home" / "shelf")


def complaints(root, name="lab"):
    with pytest.raises(errors.BadInput) as caught:
        made(root).blueprint(name)
    return [str(complaint).removeprefix(f"{root}/blueprints/lab/") for complaint in caught.value.complaints]


def tree(folder):
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


FROZEN = [
    "blueprint.yaml",
    "checks/up.sh",
    "plays/own.yml",
    "roles/deep/tasks/main.yml",
    "roles/motd/files/motd.sh",
    "roles/motd/tasks/main.yml",
    "roles/needed/tasks/main.yml",
    "roles/own_role/tasks/main.yml",
    "roles/shared_role/meta/main.yml",
    "scripts/once.sh",
    "shared.yml",
]


def test_a_frozen_folder_has_everything_it_uses_and_nothing_else(root):
    made_shelf = made(root)
    source = made_shelf.freeze("lab")
    folder = made_shelf.folder(source)
    assert source.startswith("lab@sha256:")
    assert folder.name == "lab-" + source.partition("sha256:")[2][:12]
    assert tree(folder) == FROZEN
    assert (folder / "scripts/once.sh").stat().st_mode & 0o777 == 0o755
    assert (folder / "shared.yml").stat().st_mode & 0o777 == 0o644
    assert made_shelf.read(folder)[0] == made_shelf.blueprint("lab")


def test_freezing_again_changes_nothing(root):
    made_shelf = made(root)
    source = made_shelf.freeze("lab")
    before = (made_shelf.folder(source) / "blueprint.yaml").stat().st_mtime_ns
    assert made_shelf.freeze("lab") == source
    assert (made_shelf.folder(source) / "blueprint.yaml").stat().st_mtime_ns == before
    assert [entry.name for entry in (root / "home" / "shelf").iterdir()] == [made_shelf.folder(source).name]


@pytest.mark.parametrize(
    "path",
    ["blueprints/lab/plays/own.yml", "playbooks/shared.yml", "playbooks/roles/needed/tasks/main.yml", "blueprints/lab/scripts/once.sh"],
)
def test_an_edit_after_freezing_changes_the_next_class_only(root, path):
    made_shelf = made(root)
    source = made_shelf.freeze("lab")
    old = {file: (made_shelf.folder(source) / file).read_bytes() for file in FROZEN}
    with (root / path).open("a") as file:
        file.write("# edited\n")
    other = made_shelf.freeze("lab")
    assert other != source
    assert {file: (made_shelf.folder(source) / file).read_bytes() for file in FROZEN} == old


def test_an_edit_of_what_is_not_used_changes_nothing(root):
    made_shelf = made(root)
    source = made_shelf.freeze("lab")
    put(root, {"blueprints/lab/README.md": "new", "blueprints/lab/.notes": "new", "playbooks/unused.yml": "# new\n"})
    (root / "blueprints/lab/blueprint.yaml").write_text("# a comment\n" + TEXT)
    assert made_shelf.freeze("lab") == source


def test_many_at_once_freeze_one_whole_folder(root):
    sources = []
    threads = [threading.Thread(target=lambda: sources.append(made(root).freeze("lab"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sources) == 8
    assert len(set(sources)) == 1
    assert tree(made(root).folder(sources[0])) == FROZEN
    assert len(list((root / "home" / "shelf").iterdir())) == 1


@pytest.mark.parametrize("source", [f"lab@sha256:{'0' * 64}", "lab", "lab@", "../lab@sha256:" + "0" * 64, f"lab@sha256:{'0' * 63}/"])
def test_what_was_never_frozen_is_not_found(root, source):
    with pytest.raises(errors.NotFound):
        made(root).folder(source)


def test_a_blueprint_is_found_by_name_folder_and_file(root):
    made_shelf = made(root)
    folder = root / "blueprints" / "lab"
    for name in ("lab", folder, str(folder), folder / "blueprint.yaml", str(folder / "blueprint.yaml")):
        assert made_shelf.book(name).name == "lab"


@pytest.mark.parametrize("name", ["lba", "..", "", "lab/../lab2", "/nowhere", "../playbooks"])
def test_what_is_not_there_is_not_found(root, name):
    with pytest.raises(errors.NotFound) as caught:
        made(root).blueprint(name)
    if name == "lba":
        assert str(caught.value) == "there is no blueprint 'lba'; did you mean 'lab'?"


def test_the_list_names_what_is_broken(root):
    put(root, {"blueprints/bad/blueprint.yaml": "labctl: 1\nabout: {title: Bad, area: x}\nmachines: {a: {image: b}}\n"})
    bad, good = made(root).list()
    assert (bad.name, bad.title) == ("bad", "")
    assert bad.broken.startswith(f"{root}/blueprints/bad/blueprint.yaml:2:27: 'x' is not possible; one of cybersecurity")
    assert (good.name, good.title, good.area, good.level, good.machines, good.broken) == ("lab", "A lab", "systems", "beginner", 2, "")
    assert made(root).freeze("lab").partition("sha256:")[2].startswith(good.digest)


def test_an_earlier_root_wins(root, tmp_path):
    put(tmp_path, {"mine/lab/blueprint.yaml": "labctl: 1\nabout: {title: Mine, area: systems}\nmachines: {a: {image: b}}\n"})
    assert shelf.Shelf((tmp_path / "mine", root / "blueprints"), root / "home").blueprint("lab").about.title == "Mine"


def test_files_that_are_not_there_are_named_at_their_place(root):
    for path in ("plays/own.yml", "scripts/once.sh", "checks/up.sh"):
        (root / "blueprints/lab" / path).unlink()
    (root / "playbooks/shared.yml").unlink()
    (root / "playbooks/roles/motd/tasks/main.yml").unlink()
    (root / "playbooks/roles/motd/files/motd.sh").unlink()
    assert complaints(root) == [
        "blueprint.yaml:6:16: there is no playbook 'plays/own.yml' in the blueprint's folder or in playbooks/",
        "blueprint.yaml:7:16: there is no playbook 'shared.yml' in the blueprint's folder or in playbooks/",
        "blueprint.yaml:8:12: there is no role 'motd' in the blueprint's roles/ or in playbooks/roles/",
        "blueprint.yaml:9:14: there is no file 'scripts/once.sh' in the blueprint's folder",
        "blueprint.yaml:11:14: there is no file 'checks/up.sh' in the blueprint's folder",
    ]


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        (
            "plays/own.yml",
            "- hosts: all\r\n",
            "plays/own.yml:1:1: lines end with a carriage return (CRLF); save the file with LF line ends",
        ),
        ("plays/own.yml", "- hosts: [all\n", "plays/own.yml:2:1: this is not YAML: did not find expected ',' or ']'"),
        ("plays/own.yml", b"- hosts: \xe9\n", "plays/own.yml:1:1: the file is not UTF-8"),
        (
            "scripts/once.sh",
            "echo no interpreter\n",
            "blueprint.yaml:9:14: the first line of 'scripts/once.sh' must say what runs it, such as #!/bin/sh",
        ),
        ("requirements.yml", "collections: []\n", "requirements.yml:1:1: 'requirements.yml' is not supported yet"),
        (
            "blueprint.yaml",
            TEXT.replace("role: motd", "role: community.general.x"),
            "blueprint.yaml:8:12: 'roles of collections' is not supported yet",
        ),
    ],
)
def test_wrong_files_are_refused(root, path, content, expected):
    put(root / "blueprints/lab", {path: content})
    assert complaints(root) == [expected]


def test_links_are_refused_wherever_they_lead(root):
    folder = root / "blueprints/lab"
    (folder / "files").symlink_to("/etc")
    (folder / "plays/other.yml").symlink_to(folder / "plays/own.yml")
    refusal = "symbolic links are not allowed in a blueprint; copy the file"
    assert complaints(root) == [f"files:1:1: {refusal}", f"plays/other.yml:1:1: {refusal}"]


def test_a_file_that_is_too_large_is_refused(root):
    with (root / "blueprints/lab/image.iso").open("wb") as file:
        file.truncate(51 * 1024 * 1024)
    assert complaints(root) == ["image.iso:1:1: the file has 51 MiB; at most 50 MiB. Large data belongs in an image"]


def test_a_folder_that_is_too_large_is_refused(root):
    for number in range(5):
        with (root / f"blueprints/lab/data-{number}").open("wb") as file:
            file.truncate(45 * 1024 * 1024)
    assert complaints(root) == ["blueprint.yaml:1:1: the folder has 225 MiB; at most 200 MiB"]


def test_the_name_of_the_folder_is_a_name(root):
    (root / "blueprints/lab").rename(root / "blueprints/My Lab")
    (complaint,) = complaints(root, root / "blueprints/My Lab")
    assert "'My Lab' is not a name" in complaint


def test_pruning_removes_what_no_class_uses(root):
    made_shelf = made(root)
    used, unused = made_shelf.freeze("lab"), None
    (root / "blueprints/lab/plays/own.yml").write_text("- hosts: all\n")
    unused = made_shelf.freeze("lab")
    gone = made_shelf.folder(unused).name
    left = root / "home" / "shelf" / ".lab-killed"
    left.mkdir()
    assert made_shelf.prune([used]) == ()
    assert made_shelf.prune([used], timedelta(seconds=-1)) == (".lab-killed", gone)
    assert made_shelf.folder(used).is_dir()
    with pytest.raises(errors.NotFound):
        made_shelf.folder(unused)


def test_pruning_an_empty_shelf_is_fine(root):
    assert made(root).prune([]) == ()


def test_nothing_is_frozen_when_something_is_wrong(root):
    (root / "blueprints/lab/plays/own.yml").unlink()
    with pytest.raises(errors.BadInput):
        made(root).freeze("lab")
    assert not (root / "home").exists()


def test_a_copy_that_fails_leaves_nothing(root):
    class Edited(shelf.Shelf):
        """Somebody breaks the folder between the look at it and the copy."""

        def book(self, name):
            found = super().book(name)
            (root / "blueprints/lab/checks/up.sh").write_text("no interpreter\n")
            return found

    with pytest.raises(errors.BadInput, match="1 error"):
        Edited((root / "blueprints",), root / "home" / "shelf").freeze("lab")
    assert list((root / "home" / "shelf").iterdir()) == []


def test_every_blueprint_of_this_repository_is_right():
    blueprints = Path(__file__).parents[2] / "blueprints"
    entries = shelf.Shelf((blueprints,), blueprints / "nowhere").list()
    assert [entry.broken for entry in entries if entry.broken] == []
