"""A guide in other languages: who gets which, and that all say the same."""

from __future__ import annotations

import pytest

from labctl import errors
from labctl.model import guide, guide_languages, guide_reader, task_words
from labctl.model.plan import PlannedChoice, PlannedHint, PlannedTask

OWN = {
    "guide/01-a.md": "---\nminutes: 5\ntabs: [web]\n---\n# One\n\n```run web\nls\n```\n\n:::task find\n:::\n",
    "guide/02-b.md": "---\nrequires: [find]\n---\n# Two\n",
}
KNOWN = guide_reader.Known(("web", "db"), ("find", "fix"))
TASKS = (
    PlannedTask(
        id="find", title="Find it", proof="confirm", hints=(PlannedHint(text="Look"), PlannedHint(text="Look again")), explain="There."
    ),
    PlannedTask(
        id="fix", title="Fix it", proof="choices", choices=(PlannedChoice(text="one", right=True), PlannedChoice(text="two", right=False))
    ),
)


def translated(changed):
    files = {path.replace("guide/", "guide.fr/"): text for path, text in OWN.items()} | changed
    return guide_languages.translated(guide.read(OWN, ("web", "db"), ("find", "fix")), {k: v for k, v in files.items() if v}, "fr", KNOWN)


@pytest.mark.parametrize(
    ("spoken", "found"),
    [("fr", "fr"), ("fr-BE", "fr"), ("de", "de-AT"), ("DE-at", "de-AT"), ("en", ""), ("en-GB", ""), ("it", ""), ("", "")],
)
def test_a_translation_is_chosen_by_language_and_else_the_guide_itself(spoken, found):
    assert guide_languages.best(("de-AT", "fr", "fr-CA"), "en-US", spoken) == found


def test_folders_that_are_no_translation_are_said():
    paths = ("guide/01-a.md", "guide.fr/01-a.md", "guide.french/01-a.md", "guide.en-GB/01-a.md", "guide.md")
    assert guide_languages.languages(paths) == ("en-GB", "fr")
    assert [(one.file, one.text.partition(":")[0]) for one in guide_languages.misnamed(paths, "en")] == [
        ("guide.en-GB/01-a.md", "the guide itself is in 'en' (about.language); 'guide.en-GB' is no translation of it"),
        ("guide.french/01-a.md", "'guide.french' is no translation"),
    ]


def test_a_translation_gives_its_words_and_keeps_what_the_guide_says():
    one, two = translated({"guide.fr/01-a.md": "---\ntitle: Un\n---\nTexte\n\n```run web\nls -l\n```\n:::task find\n:::\n"})
    assert (one.file, one.title, one.minutes, one.tabs) == ("guide/01-a.md", "Un", 5, ("web",))
    assert one.pieces[0] == guide.Text("Texte")
    assert (two.requires, two.tasks) == (("find",), ("fix",)), "what stands nowhere follows on the last page here too"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"guide.fr/02-b.md": ""}, "guide.fr/02-b.md:1:1: there is no such file; guide/02-b.md is not translated"),
        ({"guide.fr/03-c.md": "x"}, "guide.fr/03-c.md:1:1: the guide itself has no page of this name"),
        ({"guide.fr/01-a.md": "# Un\n```run db\nls\n```"}, "guide.fr/01-a.md:2:1: here is ```run db where guide/01-a.md has ```run web"),
        ({"guide.fr/01-a.md": ":::task find\n:::"}, "guide.fr/01-a.md:1:1: here is :::task find where guide/01-a.md has ```run web"),
        ({"guide.fr/01-a.md": "```run web\n```"}, "guide.fr/01-a.md:1:1: :::task find is missing, which stands at guide/01-a.md:11"),
        ({"guide.fr/02-b.md": ":::task fix\n:::"}, "guide.fr/02-b.md:1:1: here is :::task fix where guide/02-b.md has nothing more"),
        ({"guide.fr/02-b.md": "---\nminutes: 7\n---\n"}, "guide.fr/02-b.md:1:1: 'minutes' is not what guide/02-b.md says"),
        ({"guide.fr/02-b.md": "x\n:::hint y"}, "guide.fr/02-b.md:2:1: this :::hint does not end"),
    ],
)  # fmt: skip
def test_a_translation_that_is_not_what_the_guide_is_is_said_with_its_place(changed, said):
    with pytest.raises(errors.BadInput) as refused:
        translated(changed)
    assert any(str(one).startswith(said) for one in refused.value.complaints), [str(one) for one in refused.value.complaints]


GOOD = "find:\n  title: Trouvez\n  hints: [Regardez, Encore]\n  explain: Là.\nfix:\n  title: Réparez\n  choices: [un, deux]\n"


def words(text):
    return task_words.read(text, "guide.fr/tasks.yaml", TASKS, lambda path: f"'{path[0]}' is secret" if path == ("flag",) else "")


def test_tasks_get_the_words_of_their_translation():
    found = words(GOOD)
    assert found["find"] == task_words.Words("Trouvez", ("Regardez", "Encore"), "Là.")
    assert found["fix"].choices == ("un", "deux")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Encore]", "Encore, Non]", "3:3: the task has 2 hints, and here are 3"),
        ("  hints: [Regardez, Encore]\n", "", "1:1: the task has 2 hints, and here are 0"),
        ("[un, deux]", "[un]", "7:3: the task has 2 choices, and here are 1"),
        ("  explain: Là.\n", "", "1:1: 'explain' is missing"),
        ("  choices", "  explain: Non\n  choices", "7:3: the task has no 'explain' to be translated"),
        ("  title: Réparez\n", "", "5:1: 'title' is missing"),
        ("fix:", "fixx:", "5:1: there is no task 'fixx'; did you mean 'fix'?"),
        ("fix:", "fixx:", "1:1: task 'fix' is missing here; every task is translated"),
        ("  title: Réparez", "  titre: Réparez", "6:3: there is no key 'titre' here; there are: title, hints, explain, choices"),
        ("Là.", "${lab.flag}", "4:12: 'flag' is secret"),
        ("Là.", "${lab.flag", "4:12: '${lab.flag' is not closed with }"),
        ("Trouvez", "Trouvez ${lab.word}", "2:10: a reference is not possible here"),
        ("[Regardez, Encore]", "Regardez", "3:3: 'hints' is a list of texts"),
        ("Là.", "[a]", "4:12: 'explain' is a text"),
        (GOOD, "- find\n", "1:1: tasks in another language are a block"),
        (GOOD, "", "1:1: task 'find' is missing here"),
        (GOOD, GOOD + "fix: {title: x}\n", "8:1: 'fix' is written twice"),
    ],
)
def test_a_mistake_in_the_tasks_words_is_said_with_its_place(old, new, said):
    with pytest.raises(errors.BadInput) as refused:
        words(GOOD.replace(old, new))
    found = [str(one) for one in refused.value.complaints]
    assert any(one.startswith(f"guide.fr/tasks.yaml:{said}") for one in found), found
