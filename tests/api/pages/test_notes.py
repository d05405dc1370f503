"""What labctl notes down while it works is said in the language of the page: every line that the code can write, by what stands there."""

from __future__ import annotations

import ast
import functools
import re
import string
from pathlib import Path

import pytest

from api import texts
from labctl import errors
from labctl.model import capacity
from labctl.model.environment import Step

TOP = Path(__file__).resolve().parents[3]
ROOMS = [TOP / "infra", *(one for one in (TOP / "labctl").iterdir() if one.name not in {"sandbox", "cli"})]
SOURCES = [file for room in ROOMS for file in ([room] if room.suffix == ".py" else room.rglob("*.py"))]

DATA = {
    "{}: {} ({} s)",  # a task of Ansible's, by the name that its author gave it
    "{}: {}",  # a machine or a task, and another line of ours
}
"""Lines of which nothing is labctl's words."""

PIECES = {
    "class {}, seat {} gets other machines, for {} is away": ("class {}, {}", "seat {} gets other machines, for {} is away"),
    "seat {} gets other machines, for {} is away; what it has there is removed once {} is back": (
        "seat {} gets other machines, for {} is away",
        "{}; what it has there is removed once {} is back",
    ),
    "failed: {} (waits for a person)": ("failed: {} ({})", "waits for a person"),
    "failed: {} (next attempt at {} UTC)": ("failed: {} ({})", "next attempt at {} UTC"),
    "{} is switched off": ("is switched off",),
    "{} is not there any more": ("is not there any more",),
    "{} is not there any more.": ("is not there any more", "{} {}."),
    "{} is on node {}, which does not answer": ("is on node {}, which does not answer",),
    "{} plots": ("plots", "{} {} are free, and this needs {}"),
    "{} plots (by the VNet tags of zone {}, {} each)": ("plots (by the {})", "VNet tags of zone {}, {} each"),
    "{} plots (by the addresses of {})": ("plots (by the addresses of {})",),
    "{} are free, and this needs {}": ("{} {} are free, and this needs {}",),
    "{} nodes have {} of {} free together, and this needs {} on them": (
        "{} nodes have {} {} of {} free together, and this needs {} {} on them",
    ),
    "typing along: allowed": ("typing along: {}", "allowed"),
    "typing along: refused": ("typing along: {}", "refused"),
    "opens the {} of {}": ("{} the {} of {}", "opens"),
    "watches the {} of {}": ("{} the {} of {}", "watches"),
    "joins the {} of {}": ("{} the {} of {}", "joins"),
    "not done yet: {}": ("not done yet", "{}: {}"),
    "could not be looked into: {}": ("could not be looked into", "{}: {}"),
    "{}: check '{}' failed: {}": ("{}: check '{}' failed: {}({})",),
    "{} guests of this installation run": ("{}; {} guests of this installation run",),
    "container {}": ("container", "{} {}"),
    "vm {}": ("vm", "{} {}"),
}
"""Lines put together in two places, by what stands in each."""


def _plain(text):
    return re.sub(r"(\{\})+", "{}", re.sub(r"\{[^{}]+\}", "{}", text))


def _said(node):
    """The texts that an expression can be, with `{}` for what is put in; nothing where that cannot be seen here."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.JoinedStr):
        return {_plain("".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values))}
    if isinstance(node, ast.IfExp):
        return _said(node.body) | _said(node.orelse)
    return _said(node.value) if isinstance(node, ast.DictComp) else set()


@functools.cache
def _trees():
    return [ast.parse(file.read_text()) for file in SOURCES]


def _noted(tree):
    """(line, kind of work) of each call that writes to a journal."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args):
        name = ast.unparse(call.func)
        if name in {"progress", "job.progress", "tell", "work.say"}:
            yield from ((line, None) for line in _said(call.args[0]))
        elif name == "self.tell":
            yield from ((line, None) for line in _said(call.args[1]))
        elif name.endswith("journal.write") and "AUDIT" not in ast.unparse(call.args[0]):
            yield from ((line, call.args[1]) for line in _said(call.args[2]))
        elif name.endswith("journal.write_all"):
            yield from ((line, call.args[1]) for line in _said(call.args[0]))


def _rows():
    return {key: row["en"] for key, row in texts.catalogue().items() if key.startswith("note.")}


def _stands(line, known):
    """Whether the code says it: as a whole, as what happened and what to do next, or in the pieces named above."""
    cuts = [at for at, letter in enumerate(line) if letter == " "]
    pieces = PIECES.get(line, (line,))
    return all(piece in known for piece in pieces) or any(line[:at] in known and line[at + 1 :] in known for at in cuts)


def test_every_line_that_labctl_notes_down_is_translated():
    noted = {line for tree in _trees() for line, _ in _noted(tree)}
    assert len(noted) > 50
    known = {_plain(english) for english in _rows().values()}
    whole = {halves[-1] for halves in PIECES.values()} | {halves[0] for halves in PIECES.values()}
    assert noted - known - whole - DATA == set()


def test_every_note_that_is_translated_is_one_that_the_code_says():
    known = {_plain(line) for tree in _trees() for node in ast.walk(tree) for line in _said(node)}
    known |= {line for file in (TOP / "api").glob("*.py") for node in ast.walk(ast.parse(file.read_text())) for line in _said(node)}
    assert {english for english in map(_plain, _rows().values()) if not _stands(english, known)} == set()


def test_every_kind_of_work_in_a_journal_has_its_word():
    words = {kind.value for tree in _trees() for _, kind in _noted(tree) if isinstance(kind, ast.Constant)} | {step.value for step in Step}
    assert len(words) > 15
    assert {word for word in words if f"step.{word}" not in texts.catalogue()} == set()


def test_every_row_is_found_by_its_own_english_and_no_other_takes_it():
    values = {"number": "3", "vmid": "9001", "seconds": "3.1", "amount": "7 MiB", "needed": "9 MiB", "place": "vm 9001"}
    taken = {}
    for key, english in _rows().items():
        names = [name for _, name, _, _ in string.Formatter().parse(english) if name]
        said = english.format(**{name: values.get(name, f"x{place}") for place, name in enumerate(names)})
        found = texts.index().find(said)
        if found is None or found[0] != key:
            taken[key] = found
    assert taken == {}


@pytest.mark.parametrize(
    ("said", "german"),
    [
        ("begins", "beginnt"),
        ("done after 3.1 s", "fertig nach 3.1 s"),
        ("web: cloning template 9001 as container 12", "web: Vorlage 9001 wird als Container 12 geklont"),
        ("golden machines are being baked: web: starting", "Vorlagenmaschinen werden vorbereitet: web: startet"),
        (
            "web is switched off; db is on node pve2, which does not answer",
            "web ist ausgeschaltet; db ist auf Knoten pve2, der nicht antwortet",
        ),
        (
            "failed: web is not there any more. Reset the seat: it is made anew, without what was on it. (waits for a person)",
            (
                "fehlgeschlagen: web ist nicht mehr da. Setzen Sie den Platz zurück: Die Maschine wird neu gemacht, ohne was darauf war."
                " (wartet auf einen Menschen)"
            ),
        ),
        (
            "web: Proxmox refused POST /a: no; db: vm 7 has vanished",
            "web: Proxmox lehnte POST /a ab: no; db: VM 7 ist verschwunden",
        ),
        (
            (
                "the management interface lab0 does not exist start the sandbox node (`labctl up`), or name the right card as"
                " management_interface in site.yaml"
            ),
            (
                "die Managementkarte lab0 gibt es nicht. Starten Sie den Sandbox-Knoten (`labctl up`), oder nennen Sie die richtige Karte"
                " als management_interface in site.yaml"
            ),
        ),
        ("first: done (answered)", "first: erledigt (beantwortet)"),
        ("step 2: <b>", "Schritt 2: &lt;b&gt;"),
    ],
)
def test_a_note_is_said_in_the_language_of_the_page_with_what_it_is_about(said, german):
    assert texts.Texts("de").note(said) == german


def test_what_ansible_and_proxmox_say_stays_as_it_is():
    assert texts.Texts("fr").note("web: Install <nginx> (3.2 s)") == '<span lang="en">web: Install &lt;nginx&gt; (3.2 s)</span>'
    assert texts.Texts("en").note("web: Install <nginx> (3.2 s)") == "web: Install &lt;nginx&gt; (3.2 s)"
    assert texts.Texts("de").note("") == ""


@pytest.mark.parametrize("odd", ["a: " * 2000, "; " * 2000, "failed: " * 400 + "x", "a: check '" + "' failed: (" * 300, "x " * 100_000])
def test_whatever_a_machine_prints_a_page_can_be_made(odd):
    assert len(texts.Texts("fr").note(odd)) > len(odd), "all of it is shown, in one language or the other"


def test_what_is_long_is_said_too_and_what_is_long_beyond_measure_stays_as_it_is():
    assert texts.Texts("de").note("web: SSH does not answer (" + "x" * 1000 + ")").startswith("web: SSH antwortet nicht (xxx")
    assert texts.Texts("de").note("web: SSH does not answer (" + "x" * 10_000 + ")").startswith('<span lang="en">web: SSH does not')


def test_why_a_class_does_not_fit_is_said_in_every_language():
    short = (
        capacity.Short("plots (by the VNet tags of zone lab, 4 each)", "", 300, 254, "", 254),
        capacity.Short("memory", "node pve1", 2000, 100, "MiB", 3),
        capacity.Short("disk", "storage fast on pve1", 2000, 100, "MiB", 3),
        capacity.Short("disk", "storage fast on pve2", 2000, 100, "MiB", 3),
        capacity.Short("VMIDs", "this site's range", 5, 3, "seats", 3),
    )
    fit = capacity.Fit("web", 300, fits=False, most=3, short=short, nodes=())
    for language in ("fr", "de"):
        speak = texts.Texts(language)
        for reason in capacity.reasons(fit):
            assert "lang=" not in speak.note(reason), reason
        text, hint = capacity.refusal(fit)
        assert "lang=" not in speak.sentence(text)
        assert "lang=" not in speak.sentence(hint, hint=True)
    assert texts.Texts("de").note(str(short[1])) == "Knoten pve1: 100 MiB Speicher frei, gebraucht werden 2000 MiB"


def test_everybody_reads_in_their_language_what_becomes_of_a_seat_and_why_it_does_not(house):
    house.script.failures["configure"] = [errors.PermanentError("box is not there any more.", hint="Reset the seat to start again.")]
    house.open()
    trainer, german = house.client("trainer"), {"Accept-Language": "de"}
    waiting = [trainer.get(path, headers=german).text for path in ("/class/monday", "/class/monday/seat/1", "/class/monday/journal")]
    assert all("Kurs monday, Platz 1: hello" in text for text in waiting)
    assert "class monday, seat 1: hello" in trainer.get("/class/monday").text, "rows are kept for each language"
    house.settle()
    seat = next(seat["number"] for seat in trainer.get("/api/v1/classrooms/monday/seats").json() if seat["trouble"])
    pages = [trainer.get(path, headers=german).text for path in ("/class/monday", f"/class/monday/seat/{seat}")]
    pages += [house.client("it").get("/it", headers=german).text, house.learner(seat=seat).get("", headers=german).text]
    for text in pages:
        assert "box ist nicht mehr da. Setzen Sie den Platz zurück, um neu zu beginnen." in text
    assert "Einrichten: box ist" in pages[2]
    assert "fertig nach" in trainer.get("/class/monday/journal", headers=german).text
    assert "box is not there any more. Reset the seat to start again." in trainer.get("/class/monday").text


@pytest.mark.parametrize("message", ["node pve1 has not taken VNet v17 up after 60 s", "node pve1 has not taken VNet v17 up after 60 s."])
def test_a_reason_that_got_its_full_stop_from_what_follows_is_translated_all_the_same(message):
    said = errors.Unreachable(message, hint="Look at the node's network reload.").told
    german = texts.Texts("de").note(said)
    assert german.startswith("Knoten pve1 hat das VNet v17 nach 60 s nicht übernommen. ")
    assert "lang=" not in german
    assert ".." not in german
