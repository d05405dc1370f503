"""Digests: change with meaning, never with spelling."""

import hashlib

import pytest

from labctl.model import digest, reading

TEXT = """labctl: 1
about: {title: A lab, area: systems}
machines:
  web: {image: debian-12, cpus: 2, access: []}
  desk: {image: debian-12, cpus: 2}
variables: {flag: {random: flag}}
configure:
  - {write: /x, content: "${lab.flag}", hosts: [web], bake: false}
ready:
  - {tcp: "web:80", machine: desk}
times: {lease: 4h}
"""
FILES = [
    digest.File("plays/web.yml", "100644", "a" * 64),
    digest.File("checks/web.sh", "100755", "b" * 64),
    digest.File("guide/01.md", "100644", "c" * 64),
    digest.File("guide.fr/01.md", "100644", "d" * 64),
]


def of(text=TEXT, files=FILES):
    return digest.of(reading.parse(text, "f"), files)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("labctl: 1\n", "# a comment\nlabctl: 1\n"),
        ("cpus: 2", "cpus: '2'"),
        ("area: systems", "area: systems, language: en"),
        ("access: []", "access: [], sudo: true, memory: 1G, kind: vm, scope: learner, hidden: false, nics: {lan: auto}, hostname: web"),
        ("memory: 1G", "memory: 1024M"),
        ("image: debian-12, cpus: 2}", "cpus: 2, image: debian-12}"),
        ("machines:", "networks: {lan: {cidr: 10.10.10.0/24, egress: none, gateway: auto}}\nmachines:"),
        ("{random: flag}", "{random: flag, length: 16, prefix: FLAG, shown: false, scope: learner}"),
        ("bake: false", "bake: false, mode: 600, owner: root, timeout: 30m"),
        ("machine: desk", "machine: desk, timeout: 10s"),
        ("lease: 4h", "lease: 240m"),
    ],
)
def test_spelling_changes_no_digest(old, new):
    assert of(TEXT.replace(old, new)) == of()


def test_it_does_not_matter_whether_a_key_stands_in_defaults():
    shared = TEXT.replace("machines:", "defaults: {image: debian-12, cpus: 2}\nmachines:").replace(
        "image: debian-12, cpus: 2, access", "access"
    )
    assert of(shared) == of()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("cpus: 2", "cpus: 3"),
        ("access: []", "access: [], sudo: false"),
        ("{random: flag}", "{random: flag, length: 17}"),
        ('content: "${lab.flag}"', 'content: "${lab.flag} "'),
        ('tcp: "web:80"', 'tcp: "web:81"'),
        (
            "  web: {image: debian-12, cpus: 2, access: []}\n  desk: {image: debian-12, cpus: 2}\n",
            "  desk: {image: debian-12, cpus: 2}\n  web: {image: debian-12, cpus: 2, access: []}\n",
        ),
    ],
)
def test_meaning_changes_the_machines_digest_only(old, new):
    assert old in TEXT
    changed = of(TEXT.replace(old, new))
    assert changed.machines != of().machines
    assert changed.teaching == of().teaching
    assert changed.blueprint != of().blueprint


TASKS = """tasks:
  - {id: web, title: Find it, answer: "${lab.flag}", hints: [{text: Look}]}
"""


@pytest.mark.parametrize(
    "change", [("Find it", "Find it now"), ("Look", "Look again"), ("id: web", "id: wab"), ("id: web", "points: 5, id: web")]
)
def test_a_word_of_a_task_changes_the_teaching_digest_only(change):
    before, after = of(TEXT + TASKS), of(TEXT + TASKS.replace(*change))
    assert of().machines == before.machines == after.machines
    assert len({of().teaching, before.teaching, after.teaching}) == 3


def test_what_a_task_says_by_default_changes_nothing():
    usual = "id: web, points: 1, requires: [], setup: [], solve: [], checkpoint: false, skills: [], optional: false"
    assert of(TEXT + TASKS.replace("id: web", usual)) == of(TEXT + TASKS)
    assert of(TEXT + TASKS.replace('"${lab.flag}"', '{is: ["${lab.flag}"], case: false}')) == of(TEXT + TASKS)


@pytest.mark.parametrize(("old", "new"), [("A lab", "The lab"), ("lease: 4h", "lease: 5h")])
def test_what_only_people_read_changes_the_teaching_digest_only(old, new):
    changed = of(TEXT.replace(old, new))
    assert changed.machines == of().machines
    assert changed.teaching != of().teaching
    assert changed.blueprint != of().blueprint


@pytest.mark.parametrize(("place", "kind"), [(0, "machines"), (1, "teaching"), (2, "teaching"), (3, "teaching")])
@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"mode": "100600"}, {"path": "%s.new"}])
def test_a_file_counts_where_it_belongs(place, kind, change):
    file = FILES[place]
    other = digest.File(
        change.get("path", "%s") % file.path if "path" in change else file.path,
        change.get("mode", file.mode),
        change.get("sha256", file.sha256),
    )
    changed = of(files=[*FILES[:place], other, *FILES[place + 1 :]])
    same = {"machines": "teaching", "teaching": "machines"}[kind]
    assert getattr(changed, kind) != getattr(of(), kind)
    assert getattr(changed, same) == getattr(of(), same)


@pytest.mark.parametrize("path", ["README.md", ".gitignore", "plays/.hidden", "blueprint.yaml", "roles/x/__pycache__/a.pyc"])
def test_some_files_do_not_count(path):
    assert of(files=[*FILES, digest.File(path, "100644", "e" * 64)]) == of()


def test_the_order_of_files_does_not_matter():
    assert of(files=FILES[::-1]) == of()


def test_the_blueprint_digest_is_made_of_the_two_others():
    made = of()
    parts = (made.machines + made.teaching).replace("sha256:", "")
    assert made.blueprint == "sha256:" + hashlib.sha256(f"labctl-blueprint-1\n{parts}".encode()).hexdigest()
    assert digest.short(made.blueprint) == made.blueprint[7:19]


def test_the_canonical_form_is_rfc_8785():
    # Key order by UTF-16: U+1F600 (a surrogate pair) before U+FB33, as in RFC 8785, 3.2.3.
    made = digest.canonical({"b": 1, "\ufb33": 2, "\U0001f600": 3, "a": ["\xe9", None, True, 0.5]})
    assert made.decode() == '{"a":["\xe9",null,true,0.5],"b":1,"\U0001f600":3,"\ufb33":2}'


def test_a_digest_stays_what_it_is():
    """Saved digests name frozen folders: if this changes, every class that is open loses its blueprint."""
    assert of().blueprint == "sha256:ed931356fe2ad1531b5466aa15bd1e475c14e72709c79fd3984361baa9abfde7"
