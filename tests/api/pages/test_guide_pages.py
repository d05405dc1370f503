"""The guide on a learner's page: what stands beside it, its images, and its language."""

from __future__ import annotations

import re

import pytest

from api.pages import tabs
from labctl import task_ports
from labctl.model.plan import PlannedApp
from labctl.model.tasks import Outcome
from tests.api.conftest import TREE

FR = {
    "01-begin.md": "---\ntitle: Regarder\n---\nBonjour **${lab.seat.login}**.\n\n![Un arbre](img/tree.svg)\n\n"
    "```run box\nls <home>\n```\n\n:::task look\n:::\n\n:::task file\n:::\n",
    "02-end.md": "# La fin\n\nBravo.\n",
    "tasks.yaml": "look: {title: Quel est le mot ?, hints: ['Regardez la mer, ${lab.seat.login}.'], explain: Il brille.}\n"
    "file: {title: Faites le fichier}\nquiz: {title: Lesquels ?, choices: [vingt-deux, quatre cents, soixante-dix mille]}\n"
    "read: {title: Lu}\n",
}


@pytest.fixture
def folder(house):
    return house.wiring.settings.blueprints[0] / "hello"


@pytest.fixture
def translated(house, folder):
    (folder / "guide.fr").mkdir()
    for name, text in FR.items():
        (folder / "guide.fr" / name).write_text(text)
    house.open()
    house.settle()
    return house


def seat(house, number=1):
    return f"/seat/{house.wiring.desk.seat('monday', number)[1].id}"


def learner(house, language="fr"):
    client = house.client("learner-monday-1") if "learner-monday-1" in house.secrets else house.learner()
    client.headers["Accept-Language"] = language
    return client


def box(text, task):
    found = re.search(rf'<section [^>]*id="task-{task}".*?</section>', text, re.DOTALL)
    return re.sub(r"\s+", " ", found[0]) if found else ""


def test_beside_the_guide_stand_terminals_desktops_and_apps_or_what_its_page_names():
    app = PlannedApp(name="shop", machine="web", port=80, title="The shop", url="http://x")

    def shown(named):
        return [(one.id, one.more) for one in tabs.beside(named, ["web", "db"], ["web"], [app])]

    every = ["terminal-web", "terminal-db", "desktop-web", "app-shop"]
    assert shown(()) == [(name, False) for name in every]
    assert shown(("shop", "web")) == [("app-shop", False), ("terminal-web", False), ("terminal-db", True), ("desktop-web", True)]
    assert shown(("gone",)) == [(name, False) for name in every], "what a page names and nobody has any more takes nothing away"
    assert tabs.beside((), [], [], []) == ()


def test_an_image_is_served_as_what_it_is_and_runs_nothing(translated):
    client, place = learner(translated), seat(translated)
    assert f'<img src="{place}/img/tree.svg" alt="Un arbre" loading="lazy">' in client.get(place).text
    answer = client.get(f"{place}/img/tree.svg")
    assert (answer.text, answer.headers["content-type"]) == (TREE, "image/svg+xml")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "private, no-cache"
    assert client.get(f"{place}/img/tree.svg", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


@pytest.mark.parametrize(
    "name",
    [
        "nothing.png",
        "..%2f..%2fblueprint.yaml",
        "../01-begin.md",
        "%2e%2e/01-begin.md",
        "..\\blueprint.yaml",
        ".tree.svg",
        "tree.svg%00.png",
        "01-begin.md",
        "unused.png",
        "x" * 200 + ".png",
    ],
)
def test_nothing_but_what_a_page_of_the_guide_shows_can_be_had(house, folder, name):
    (folder / "guide" / "img" / "unused.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    house.open()
    house.settle()
    assert house.learner().get(f"{seat(house)}/img/{name}").status_code in {404, 422}


def test_an_image_of_another_seat_or_of_a_page_that_is_not_open_yet_cannot_be_had(house, folder):
    (folder / "guide" / "img" / "later.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "guide" / "03-later.md").write_text("---\nrequires: [look]\n---\n![Later](img/later.png)\n")
    house.open()
    house.settle()
    ada = house.learner()
    assert ada.get(f"{seat(house, 2)}/img/tree.svg").status_code == 404
    assert ada.get(f"{seat(house)}/img/later.png").status_code == 404
    ada.post(f"{seat(house)}/task/look/give-up")
    assert ada.get(f"{seat(house)}/img/later.png").status_code == 200


def test_an_image_is_the_classs_own_whatever_becomes_of_the_course(translated, folder):
    (folder / "guide" / "img" / "tree.svg").write_text("<svg>new</svg>")
    assert learner(translated).get(f"{seat(translated)}/img/tree.svg").text == TREE


def test_an_image_that_is_not_what_it_says_is_not_served(house, folder):
    (folder / "guide" / "img" / "tree.svg").write_text("<script>alert(1)</script>")
    house.open()
    house.settle()
    assert house.learner().get(f"{seat(house)}/img/tree.svg").status_code == 404


def test_a_translation_may_have_images_of_its_own(house, folder):
    other = TREE.replace("8", "9")
    (folder / "guide.fr" / "img").mkdir(parents=True)
    (folder / "guide.fr" / "img" / "tree.svg").write_text(other)
    for name, text in FR.items():
        (folder / "guide.fr" / name).write_text(text)
    house.open()
    house.settle()
    assert learner(house).get(f"{seat(house)}/img/tree.svg").text == other
    assert learner(house, "en").get(f"{seat(house)}/img/tree.svg").text == TREE


def test_guide_and_tasks_are_read_in_the_language_of_the_page(translated):
    text = learner(translated).get(seat(translated)).text
    assert "Bonjour <strong>ada</strong>" in text
    assert "<title>" in text
    assert "Quel est le mot ?" in box(text, "look")
    assert 'lang="fr"' not in text.replace('<html lang="fr">', "").partition("<footer")[0], "it is the page's own language"
    assert "Hello <strong>ada</strong>" in learner(translated, "en").get(seat(translated)).text


def test_where_there_is_no_translation_the_guide_itself_is_shown_and_says_its_language(translated):
    text = learner(translated, "de").get(seat(translated)).text
    assert '<div lang="en"><p>Hello <strong>ada</strong>' in text
    assert '<span lang="en">What is the word?</span>' in box(text, "look")
    assert "Aufgabe" in text or "Anleitung" in text


def test_hints_and_explanations_come_in_that_language_with_the_seats_values_and_only_when_they_are_due(translated):
    client, place = learner(translated), seat(translated)
    before = client.get(place).text
    assert "Regardez la mer" not in before
    assert "Il brille" not in before
    part = client.post(f"{place}/task/look/hint", data={"which": 1}, headers={"HX-Request": "true"}).text
    assert "Regardez la mer, ada." in part
    part = client.post(f"{place}/task/look/answer", data={"said": "Lighthouse"}, headers={"HX-Request": "true"}).text
    assert "Il brille." in part


def test_choices_keep_their_places_in_every_language(translated):
    place = seat(translated)
    client = learner(translated)
    client.post(f"{place}/task/look/give-up")
    french = re.findall(r'value="(\d)"> <span[^>]*>([^<]+)<', box(client.get(f"{place}?page=2").text, "quiz"))
    english = re.findall(r'value="(\d)"> <span[^>]*>([^<]+)<', box(learner(translated, "en").get(f"{place}?page=2").text, "quiz"))
    same = {"vingt-deux": "22", "quatre cents": "443", "soixante-dix mille": "70000"}
    assert [(at, same[text]) for at, text in french] == english
    right = [at for at, text in english if text != "70000"]
    client.post(f"{place}/task/quiz/choose", data={"choice": right})
    assert "✓" in box(client.get(f"{place}?page=2").text, "quiz")


def test_a_translation_with_a_mistake_is_not_shown_and_takes_nothing_away(house, folder):
    (folder / "guide.fr").mkdir()
    (folder / "guide.fr" / "01-begin.md").write_text(":::hint never closed\n")
    (folder / "guide.fr" / "tasks.yaml").write_text("look: {title: Quoi}\n")
    house.open()
    house.settle()
    text = learner(house).get(seat(house)).text
    assert "Hello <strong>ada</strong>" in text
    assert "What is the word?" in box(text, "look")


def test_trainers_see_which_languages_a_course_has(translated):
    assert "Also in: fr" in translated.client("trainer").get("/blueprints/hello").text


def test_what_labctl_says_of_a_task_that_is_not_done_is_in_the_language_of_the_page(translated):
    client, place = learner(translated), seat(translated)
    own = {"HX-Request": "true"}
    translated.examiner.finds["file"] = [
        task_ports.Exam(Outcome.FAILED, "Make the file", "exit 1"),
        task_ports.Exam(Outcome.FAILED, "touch it as learner", "exit 1"),
    ]
    shown = box(client.post(f"{place}/task/file/check", headers=own).text, "file")
    assert "✕ Faites le fichier" in shown, "its title, where its author said nothing"
    assert "Make the file" not in shown
    assert "✕ touch it as learner" in box(client.post(f"{place}/task/file/check", headers=own).text, "file"), "the author's words stay"
    for where, sent, said in (
        ("look/answer", {"said": " "}, "Une réponse a de 1 à 500 signes. Écrivez-la dans le champ, puis envoyez-la."),
        ("look/hint", {"which": "2"}, "Ils s\u2019ouvrent dans l\u2019ordre."),
    ):
        text = client.post(f"{place}/task/{where}", data=sent, headers=own).text
        assert said in re.sub(r"\s+", " ", text), text
        assert 'lang="en"' not in text
