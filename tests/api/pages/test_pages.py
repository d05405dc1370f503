"""Pages as a browser without JavaScript meets them: who gets what, what forms do, and what bad input gets."""

from __future__ import annotations

import io
import re
import zipfile

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from api import who
from api.pages import render
from labctl import settings
from labctl.model.people import Account
from tests.api.browser import Browser

# path template -> what each of (nobody, trainer, it, learner for own seat, learner for another's) gets by GET.
PAGES = {
    "/": (303, 200, 200, 303, None),
    "/check": (200, 200, 200, 200, None),
    "/labctl.css": (200, 200, 200, 200, None),
    "/open": (303, 200, 200, 403, None),
    "/blueprints": (303, 200, 200, 403, None),
    "/blueprints/{name}": (303, 200, 200, 403, None),
    "/it": (303, 403, 200, 403, None),
    "/account": (303, 200, 200, 200, None),
    "/it/events": (303, 403, None, 403, None),
    "/it/people": (303, 403, 200, 403, None),
    "/it/people/{account}/close": (303, 403, 200, 403, None),
    "/class/{slug}": (303, 200, 200, 403, 403),
    "/class/{slug}/invite": (303, 200, 200, 403, 403),
    "/class/{slug}/wall": (303, 200, 200, 403, 403),
    "/class/{slug}/journal": (303, 200, 200, 403, 403),
    "/class/{slug}/events": (303, None, None, 403, 403),
    "/class/{slug}/{action}": (303, 200, 200, 403, 403),
    "/class/{slug}/seat/{number}": (303, 200, 200, 403, 403),
    "/class/{slug}/seat/{number}/{action}": (303, 200, 200, 403, 403),
    "/class/{slug}/seat/{number}/events": (303, None, None, 403, 403),
    "/seat/{environment}": (303, 200, 200, 200, 404),
    "/seat/{environment}/reset": (303, 200, 200, 200, 404),
    "/seat/{environment}/img/{image}": (303, 200, 200, 200, 404),
    "/seat/{environment}/events": (303, None, None, None, 404),
}
# The same for POST; forms are sent empty or with what stands in FORMS.
FORMS = {
    "/seat/{environment}/joining": {"answer": "allowed"},
    "/class/{slug}/invite": {"email": "otto@example.com"},
    "/it/people/invite": {"email": "new@example.org"},
    "/class/{slug}/message": {"text": "hello"},
    "/class/{slug}/extend": {"until": "2030-03-04T23:30"},
    "/class/{slug}/seat/{number}/note": {"text": "slow"},
    "/language": {"language": "fr"},
}
POSTS = {
    "/open": (401, 422, 422, 403, None),
    "/open/fit": (401, 422, 422, 403, None),
    # From a page of ours only, which these clients are not.
    "/language": (403, 403, 403, 403, None),
    "/csp-reports": (204, 204, 204, 204, None),
    # Tokens have no account to change.
    "/account/name": (401, 403, 403, 403, None),
    "/account/password": (401, 403, 403, 403, None),
    "/account/passkeys/options": (401, 403, 403, 403, None),
    "/account/passkeys": (401, 403, 403, 403, None),
    "/account/passkeys/{key}/label": (401, 403, 403, 403, None),
    "/account/passkeys/{key}/remove": (401, 403, 403, 403, None),
    "/account/sessions/{session}/end": (401, 403, 403, 403, None),
    "/it/retry/{environment}": (401, 403, 303, 403, None),
    "/it/people/invite": (401, 403, 200, 403, None),
    "/it/people/{account}/roles": (401, 403, 303, 403, None),
    "/it/people/{account}/link": (401, 403, 200, 403, None),
    "/it/people/{account}/sign-out": (401, 403, 303, 403, None),
    "/it/people/{account}/close": (401, 403, 303, 403, None),
    "/it/people/invitations/{invitation}/withdraw": (401, 403, 404, 403, None),
    "/class/{slug}/code": (401, 303, 303, 403, 403),
    "/class/{slug}/invite": (401, 200, 200, 403, 403),
    "/class/{slug}/seat/{number}/link": (401, 200, 200, 403, 403),
    "/class/{slug}/seat/{number}/free": (401, 303, 303, 403, 403),
    "/class/{slug}/message": (401, 303, 303, 403, 403),
    "/class/{slug}/extend": (401, 303, 303, 403, 403),
    "/class/{slug}/retry": (401, 303, 303, 403, 403),
    "/class/{slug}/seat/{number}/helped": (401, 303, 303, 403, 403),
    "/class/{slug}/seat/{number}/note": (401, 303, 303, 403, 403),
    "/class/{slug}/seat/{number}/reset": (401, 303, 303, 403, 403),
    "/class/{slug}/seat/{number}/undo": (401, 303, 303, 403, 403),
    "/class/{slug}/seat/{number}/swap": (401, 409, 409, 403, 403),
    # The learner's to say: staff cannot answer for them.
    "/seat/{environment}/joining": (401, 403, 403, 303, 404),
    "/seat/{environment}/apps/{app}": (401, 404, 404, 404, 404),
    "/seat/{environment}/page": (401, 303, 303, 303, 404),
    "/seat/{environment}/help": (401, 303, 303, 303, 404),
    "/seat/{environment}/help/done": (401, 303, 303, 303, 404),
    "/seat/{environment}/task/{task}/answer": (401, 403, 403, 400, 404),
    "/seat/{environment}/task/{task}/check": (401, 303, 303, 303, 404),
    "/seat/{environment}/task/{task}/choose": (401, 403, 403, 400, 404),
    "/seat/{environment}/task/{task}/confirm": (401, 403, 403, 400, 404),
    "/seat/{environment}/task/{task}/hint": (401, 403, 403, 400, 404),
    "/seat/{environment}/task/{task}/give-up": (401, 403, 403, 303, 404),
    "/seat/{environment}/file": (401, 403, 403, 404, 404),
    "/seat/{environment}/code": (401, 200, 200, 200, 404),
    "/seat/{environment}/bundle": (401, 200, 200, 200, 404),
    "/seat/{environment}/reset": (401, 303, 303, 303, 404),
    "/seat/{environment}/undo": (401, 303, 303, 303, 404),
    "/class/{slug}/close": (401, 303, 303, 403, 403),
}
OPEN_TO_ALL = {"/check", "/labctl.css", "/language", "/csp-reports"}


def filled(house, path, **values):
    """The address of that page, of things that there are."""
    accounts = house.wiring.signing_in.accounts
    if accounts.account(email="otto@example.org") is None:
        accounts.add_account(Account("otto", "Otto", "otto@example.org", frozenset(), house.clock.now()))
    return path.format(
        slug="monday",
        name="hello",
        account="otto",
        task="file",
        key="ab",
        session="ab",
        invitation="ab" * 32,
        app="nothing",
        image="tree.svg",
        **values,
    )


def pages(app):
    every = [route for included in app.routes for route in getattr(included, "original_router", APIRouter()).routes]
    # Those of signing in stand in tests/api/test_roles.py.
    made = [route for route in every if isinstance(route, APIRoute) and route.endpoint.__module__.startswith("api.pages.")]
    assert len(made) > 20
    return {(method, route.path): route for route in made for method in route.methods}


def test_every_page_stands_in_the_tables(house):
    assert set(pages(house.app)) == {("GET", path) for path in PAGES} | {("POST", path) for path in POSTS}


def test_every_page_asks_who_asks_but_those_that_tell_nothing_of_anybody(house):
    def asks(dependant):
        return isinstance(dependant.call, who.May) or any(asks(one) for one in dependant.dependencies)

    assert {path for (_, path), route in pages(house.app).items() if not asks(route.dependant)} == OPEN_TO_ALL


@pytest.mark.parametrize("place", range(5), ids=["nobody", "trainer", "it", "learner-own", "learner-other"])
def test_each_role_gets_what_the_tables_say(house, place):
    house.open()
    house.settle()
    learner = house.learner(seat=1)
    client = [house.client(), house.client("trainer"), house.client("it"), learner, learner][place]
    number = 2 if place == 4 else 1
    environment = house.wiring.desk.seat("monday", number)[1].id
    wrong = []
    for method, table in (("GET", PAGES), ("POST", POSTS)):
        for path, row in table.items():
            if row[place] is None:
                continue
            house.settle()
            action = "reset" if "seat" in path else "close"
            address = filled(house, path, number=number, environment=environment, action=action)
            data = FORMS.get(path) if method == "POST" else None
            answer = client.request(method, address, data=data, follow_redirects=False)
            if answer.status_code != row[place]:
                wrong.append(f"{method} {address}: {answer.status_code} for {row[place]}: {answer.text[-600:]}")
            if answer.status_code >= 400 and "text/html" not in answer.headers["content-type"]:
                wrong.append(f"{method} {address}: no page")
    assert wrong == []


def test_whoever_is_not_signed_in_is_asked_to_and_comes_back(house):
    answer = house.client().get("/class/monday", follow_redirects=False)
    assert answer.headers["location"] == "/sign-in?next=/class/monday"


def test_a_page_lets_a_browser_run_nothing_but_ours_and_no_cache_keeps_it(house):
    one, two = (house.client("trainer").get("/") for _ in range(2))
    policy = one.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    nonces = [re.search(r"'nonce-([^']+)'", answer.headers["content-security-policy"])[1] for answer in (one, two)]
    assert nonces[0] != nonces[1]
    assert f'nonce="{nonces[0]}"' in one.text
    assert one.headers["cache-control"] == "no-store"
    assert one.headers["x-content-type-options"] == "nosniff"


def test_no_page_has_inline_script_or_style(house):
    house.open()
    house.settle()
    environment = house.wiring.desk.seat("monday", 1)[1].id
    for path in PAGES:
        if path.endswith("events"):
            continue
        action = "reset" if "seat" in path else "close"
        text = house.client("it").get(filled(house, path, number=1, environment=environment, action=action)).text
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]* src=)|javascript:", text), path


def test_a_class_is_opened_by_a_form_and_its_board_shows_every_seat(house):
    client = house.client("trainer")
    pasted = "Ada Lovelace <ada@example.org>\r\n\r\ngrace.hopper@example.org\r\nLinus; linus@example.org"
    answer = client.post("/open", data={"blueprint": "hello", "learners": pasted, "spares": "1"})
    assert answer.status_code == 200
    assert answer.url.path == "/class/hello"
    assert "The class is open" in answer.text
    house.settle()
    text = client.get("/class/hello").text
    for name in ("Ada Lovelace", "Grace Hopper", "Linus"):
        assert name in text
    assert text.count('id="seat-') == 4
    again = client.post("/open", data={"blueprint": "hello", "learners": pasted})
    assert again.url.path == "/class/hello-2"


def test_a_pasted_roster_with_mistakes_opens_nothing_marks_each_line_and_loses_nothing(house):
    pasted = "Ada Lovelace, ada@example.org\nGrace Hopper, grace.example.org\nAda again, ada@example.org"
    form = {"blueprint": "hello", "learners": pasted, "spares": "2", "starts": "2030-03-04T12:00", "name": "fresh"}
    answer = house.client("trainer").post("/open", data=form)
    assert answer.status_code == 422
    assert "Nothing was opened" in answer.text
    assert re.findall(r'<li value="(\d+)"><mark>([^<]*)</mark>', answer.text) == [
        ("2", "Grace Hopper, grace.example.org"),
        ("3", "Ada again, ada@example.org"),
    ]
    assert pasted in answer.text
    assert 'value="fresh"' in answer.text
    assert 'value="2030-03-04T12:00"' in answer.text
    assert house.wiring.classrooms.classrooms() == ()


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"blueprint": "nowhere"}, 404, "nowhere"),
        ({"name": "Not a name"}, 400, "is not a name for a class"),
        ({"spares": "many"}, 400, "is not a number of spares"),
        ({"starts": "soon"}, 400, "is not a date and time"),
        ({"ends": "2001-01-01T10:00"}, 400, "before it begins"),
        ({"learners": ""}, 422, "Nothing was opened"),
    ],
)
def test_what_is_wrong_with_a_form_is_said_beside_it(house, change, status, said):
    form = {"blueprint": "hello", "learners": "Ada, ada@example.org", "name": "mine", **change}
    answer = house.client("trainer").post("/open", data=form)
    assert answer.status_code == status
    assert said in answer.text
    assert '<form method="post" action="/open"' in answer.text
    assert house.wiring.classrooms.classrooms() == ()


def test_whether_it_fits_is_answered_without_opening_as_a_page_and_as_a_part(house):
    form = {"blueprint": "hello", "learners": "Ada, ada@example.org"}
    client = house.client("trainer")
    page = client.post("/open/fit", data=form)
    part = client.post("/open/fit", data=form, headers={"HX-Request": "true"})
    for answer in (page, part):
        assert "1 seat fits" in answer.text
    assert "<html" in page.text
    assert part.text.strip().startswith('<div id="fit"')
    assert house.wiring.classrooms.classrooms() == ()


@pytest.mark.parametrize(
    ("hours", "change", "until"),
    [
        ("", {}, "2030-03-05 17:00 (8:00 h)"),
        (", hours: 2", {}, "2030-03-05 12:00 (3:00 h)"),
        (", hours: 2", {"ends": "2030-03-05T12:30"}, "2030-03-05 12:30 (3:30 h)"),
    ],
)
def test_the_form_says_until_when_the_class_lasts_and_that_is_when_it_ends(house, hours, change, until):
    book = house.wiring.settings.blueprints[0] / "hello" / "blueprint.yaml"
    book.write_text(book.read_text().replace("area: systems", f"area: systems{hours}"))
    trainer = house.client("trainer")
    form = {"blueprint": "hello", "name": "monday", "learners": "", "starts": "2030-03-05T09:00", **change}
    said = f"The class lasts until {until}; then its machines are removed."
    assert said in trainer.post("/open/fit", data=form).text
    assert said in trainer.post("/open/fit?course=true", data=form, headers={"HX-Request": "true"}).text
    opened = {**form, "learners": "Ada, ada@example.org"}
    assert trainer.post("/open", data=opened).status_code == 200
    assert f"{house.wiring.desk.room('monday').lease.ends:%Y-%m-%d %H:%M}" == until[:16]


def test_a_raised_hand_stands_in_the_queue_until_somebody_helped(house):
    house.open()
    house.settle()
    trainer, ada = house.client("trainer"), house.learner(seat=1)
    mine = f"/seat/{house.wiring.desk.seat('monday', 1)[1].id}"
    assert "Your trainer sees that you wait" in ada.post(f"{mine}/help", data={"text": "it <b>hangs</b>"}).text
    assert "1 learner waits for help" in trainer.get("/class/monday").text
    assert "it &lt;b&gt;hangs&lt;/b&gt;" in trainer.get("/class/monday/seat/1").text
    trainer.post("/class/monday/seat/1/helped")
    assert "waits for help" not in trainer.get("/class/monday").text
    assert "Ask for help" in ada.get(mine).text


def test_a_message_reaches_every_learner_and_a_note_none(house):
    house.open()
    house.settle()
    trainer = house.client("trainer")
    trainer.post("/class/monday/message", data={"text": "Break until ten"})
    trainer.post("/class/monday/seat/1/note", data={"text": "needs more time"})
    for seat in (1, 2):
        text = house.learner(seat=seat).get("/").text
        assert "Break until ten" in text
        assert "needs more time" not in text
    assert "needs more time" in trainer.get("/class/monday/seat/1").text


def test_an_empty_message_is_refused_in_a_sentence_with_a_way_back(house):
    house.open()
    answer = house.client("trainer").post("/class/monday/message", data={"text": "  "})
    assert answer.status_code == 400
    assert "There is no text" in answer.text
    assert 'href="/"' in answer.text


@pytest.mark.parametrize(
    "there", ["http://testserver/class/monday?sort=name", "http://elsewhere/class/monday", "http://testserver//elsewhere", "http://["]
)
def test_a_refused_form_leads_back_to_the_page_of_ours_on_which_it_stood_and_nowhere_else(house, there):
    house.open()
    text = house.client("trainer").post("/class/monday/seat/1/swap", headers={"Referer": there}).text
    assert "has no spare" in text
    assert ('href="/class/monday?sort=name">Back' in text) is there.endswith("sort=name")
    assert "elsewhere" not in text


def test_whoever_asks_for_help_or_comes_back_stays_on_their_page_of_the_guide(house):
    house.open()
    house.settle()
    ada, mine = house.learner(seat=1), f"/seat/{house.wiring.desk.seat('monday', 1)[1].id}"
    second = 'href="?page=2#guide" aria-current="page"'
    assert second in ada.post(f"{mine}/help", headers={"Referer": f"http://testserver{mine}?page=2"}).text
    assert second not in ada.get(mine).text, "nobody has come that far"
    ada.post(f"{mine}/page", data={"page": "2"})
    assert second in ada.get(mine).text
    assert second not in ada.post(f"{mine}/help/done", headers={"Referer": f"http://testserver{mine}?page=1"}).text


def test_a_learner_gets_a_code_that_no_cache_keeps_and_files_in_a_zip_with_a_private_key(house):
    house.open()
    house.settle()
    ada, mine = house.learner(seat=1), f"/seat/{house.wiring.desk.seat('monday', 1)[1].id}"
    code = ada.post(f"{mine}/code")
    shown = re.search(r'<p class="big"><code>([a-z0-9]{8})</code>', code.text)
    assert code.headers["cache-control"] == "no-store"
    assert house.wiring.entering.redeem(shown[1], "ada").seat == 1
    packed = ada.post(f"{mine}/bundle")
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        names = archive.namelist()
        assert "labctl-monday-1/config" in names
        assert archive.getinfo("labctl-monday-1/id").external_attr >> 16 == 0o100600
        config = archive.read("labctl-monday-1/config").decode()
        how = archive.read("labctl-monday-1/README.txt").decode()
    assert "Unpack the files into your home folder" in how
    assert "    ssh -F labctl-monday-1/config box\r\n" in how
    assert "ssh -F labctl-monday-1/config box" in ada.get(mine).text
    assert "@FOLDER@" not in config
    assert "~/labctl-monday-1/id" in config


def test_resetting_says_what_is_lost_before_it_does_it(house):
    house.open()
    house.settle()
    trainer = house.client("trainer")
    asked = trainer.get("/class/monday/seat/1/reset").text
    assert "Ada Lovelace" in asked
    assert "is lost" in asked
    before = house.wiring.desk.seat("monday", 1)[1].wishes.round
    assert "The seat starts again" in trainer.post("/class/monday/seat/1/reset").text
    assert house.wiring.desk.seat("monday", 1)[1].wishes.round == before + 1


def test_a_class_that_is_closed_has_no_time_left_and_its_learner_is_told_why_they_are_out(house):
    house.open()
    house.settle()
    trainer = house.client("trainer")
    assert " left, until " in trainer.get("/class/monday").text
    trainer.post("/class/monday/close")
    house.settle()
    text = trainer.get("/class/monday").text
    assert " left, until " not in text
    assert "done after" not in text
    assert "your seat ends with its class" in house.client().get("/sign-in?next=/seat/abc").text
    assert "your seat ends with its class" not in house.client().get("/sign-in?next=/open").text


def test_closing_by_the_page_removes_everything(house):
    house.open()
    house.settle()
    trainer = house.client("trainer")
    assert "cannot be undone" in trainer.get("/class/monday/close").text
    assert "being removed" in trainer.post("/class/monday/close").text
    house.settle()
    assert house.cluster.crumbs() == []
    assert "monday" not in trainer.get("/").text
    assert "monday" in trainer.get("/?closed=true").text


def test_the_language_follows_the_browser_until_somebody_chooses(house):
    client = Browser(house.app)
    client.headers["Authorization"] = house.client("trainer").headers["Authorization"]
    assert "Meine Kurse" in client.get("/", headers={"Accept-Language": "it, de-AT;q=0.9, en;q=0.1"}).text
    assert "My classes" in client.get("/", headers={"Accept-Language": "it"}).text
    assert client.form("/language", origin="http://evil.example", language="fr").status_code == 403
    client.form("/language", language="fr", back="/open")
    assert "Mes classes" in client.get("/", headers={"Accept-Language": "de"}).text


@pytest.mark.parametrize("back", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_choosing_a_language_leads_nowhere_else(house, back):
    answer = Browser(house.app).form("/language", language="fr", back=back)
    assert answer.headers["location"] == "/"


def test_nobody_can_make_a_page_say_their_words(house):
    house.open()
    text = house.client("trainer").get("/class/monday?said=<b>your bank</b>").text
    assert "your bank" not in text


def test_names_are_shown_as_text_whatever_they_are(house):
    roster = 'name,email\n"<script>alert(1)</script>",ada@example.org\n'
    house.client("trainer").post("/api/v1/classrooms", json={"blueprint": "hello", "name": "monday", "roster": roster})
    for path in ("/class/monday", "/class/monday/wall", "/class/monday/seat/1", "/class/monday/seat/1/reset"):
        text = house.client("trainer").get(path).text
        assert "<script>alert" not in text
        assert "&lt;script&gt;" in text


def test_a_learner_is_told_the_same_of_anothers_seat_as_of_one_that_is_not_there(house):
    house.open()
    other = house.wiring.desk.seat("monday", 2)[1].id
    ada = house.learner(seat=1)
    texts = [re.sub(r"nonce=\S+", "", ada.get(f"/seat/{one}").text.replace(one, "X")) for one in (other, "zzzzzzzzzz")]
    assert texts[0] == texts[1]


def test_a_blueprint_with_mistakes_names_each_by_file_and_line(house):
    text = house.client("trainer").get("/blueprints/broken").text
    assert re.search(r"blueprint\.yaml:\d+:\d+", text)
    assert "This blueprint has mistakes" in text


def test_a_browsers_report_is_counted_and_a_huge_one_refused(house):
    assert house.client().post("/csp-reports", content=b'{"csp-report":{}}').status_code == 204
    assert house.client().post("/csp-reports", content=b"x" * 20_000).status_code == 413
    assert house.app.state.policy_reports == 1


def test_the_style_sheet_is_asked_for_by_its_digest(house):
    first = house.client().get("/labctl.css")
    assert house.client().get("/labctl.css", headers={"If-None-Match": first.headers["etag"]}).status_code == 304


def test_the_guide_stands_beside_the_machines_page_by_page_with_the_seats_own_values(house):
    house.open()
    house.settle()
    ada, mine = house.learner(seat=1), f"/seat/{house.wiring.desk.seat('monday', 1)[1].id}"
    one = ada.get(mine).text
    assert "Hello <strong>ada</strong>" in one
    assert "ls &lt;home&gt;" in one
    assert "<summary>Where am I?</summary>" in one
    assert "about 10 minutes" in one
    assert "Well done, Ada Lovelace." in ada.get(f"{mine}?page=2").text
    assert "Well done, Ada Lovelace." in ada.get(f"{mine}?page=99").text


def test_turning_pages_is_progress_that_the_board_shows_and_going_back_takes_nothing_away(house):
    house.open()
    house.settle()
    trainer, ada, mine = house.client("trainer"), house.learner(seat=1), f"/seat/{house.wiring.desk.seat('monday', 1)[1].id}"
    assert 'name="page" value="2"' in ada.get(mine).text
    assert "Well done" in ada.post(f"{mine}/page", data={"page": "2"}).text
    ada.post(f"{mine}/page", data={"page": "1"})
    trainer.post(f"{mine}/page", data={"page": "1"})
    assert "<td>2/2</td>" in trainer.get("/class/monday").text
    assert ada.post(f"{mine}/page", data={"page": "3"}).status_code == 400
    assert ada.post(f"{mine}/page", data={"page": "many"}).status_code == 422
    order = trainer.get("/class/monday?sort=progress").text
    assert order.index('id="seat-2"') < order.index('id="seat-1"')


def test_a_guide_with_a_mistake_leaves_the_machines_and_names_the_line_to_authors(house, tmp_path):
    page = tmp_path / "blueprints" / "hello" / "guide" / "02-end.md"
    page.write_text("# End\n\n:::hint never closed\n")
    house.open()
    house.settle()
    mine = house.learner(seat=1).get(f"/seat/{house.wiring.desk.seat('monday', 1)[1].id}").text
    assert "cannot be shown" in mine
    assert "ssh ada+box@" in mine
    assert "guide/02-end.md:3:1" in house.client("trainer").get("/blueprints/hello").text


def test_a_hand_stays_up_through_a_swap_and_the_old_address_leads_to_a_button_home(house):
    form = {"blueprint": "hello", "learners": "Ada, ada@example.org", "spares": "1", "name": "monday"}
    trainer = house.client("trainer")
    trainer.post("/open", data=form)
    house.settle()
    ada, old = house.learner(seat=1), house.wiring.desk.seat("monday", 1)[1].id
    ada.post(f"/seat/{old}/help")
    assert "spare" in trainer.post("/class/monday/seat/1/swap").text
    asked = trainer.get("/class/monday/seat/1/swap").text
    assert "No spare seat is ready in this class." in asked
    assert 'action="/class/monday/seat/1/swap"' not in asked
    house.settle()
    gone = ada.get(f"/seat/{old}")
    assert gone.status_code == 404
    assert 'href="/"' in gone.text
    assert "You wait for help since" in ada.get("/").text


def test_times_are_said_and_taken_in_the_sites_zone(house):
    house.wiring.settings.time_zone = "Europe/Paris"
    form = {"blueprint": "hello", "learners": "Ada, ada@example.org", "starts": "2030-03-05T09:00", "ends": "2030-03-05T17:00"}
    assert "2030-03-05 17:00" in house.client("trainer").post("/open", data=form).text
    (room,) = house.wiring.classrooms.classrooms()
    assert f"{room.lease.starts:%H:%M %Z}" == "08:00 UTC"


def test_a_zone_that_is_none_is_refused_at_the_start():
    with pytest.raises(ValueError, match="is not a time zone"):
        settings.Settings(time_zone="Paris")


def test_a_learners_page_has_their_machines_own_screen_where_the_terminal_gets_in_no_more_and_nobody_elses(house):
    house.open()
    house.settle()
    page, ada = f"/seat/{house.wiring.desk.seat('monday', 1)[1].id}", house.learner(seat=1)
    built = "desktop.js" in render.built() and "terminal.js" in render.built()
    assert ('data-console="box" hidden' in ada.get(page).text) == built
    text = ada.get(f"{page}?console=box").text
    assert text.count('kind="console"') == built
    assert ("Back to the terminal" in text) == built
    for named in ("other", "box'", "../box"):
        assert 'kind="console"' not in ada.get(page, params={"console": named}).text
    for other in (house.client("trainer"), house.learner(seat=2)):
        assert "data-console" not in other.get(f"{page}?console=box").text
    house.wiring.desk.reset("monday", 1, who="trainer")
    assert "data-console" not in ada.get(f"{page}?console=box").text


def test_a_seat_that_is_not_ready_has_its_machines_own_screens_on_its_trainers_page_and_only_there(house):
    house.open()
    house.settle()
    trainer, ada = house.client("trainer"), house.learner(seat=1)
    page = "/class/monday/seat/1?console=box&mode=watch"
    assert "What the machines show themselves" not in trainer.get(page).text
    house.wiring.desk.reset("monday", 1, who="trainer")
    text = trainer.get(page).text
    assert ("What the machines show themselves" in text) == ("desktop.js" in render.built())
    assert text.count('kind="console"') == ("desktop.js" in render.built())
    # It has no machine with a desktop, and the script all the same.
    assert ("/static/desktop.js" in text) == ("desktop.js" in render.built())
    assert "<lab-desktop" not in trainer.get("/class/monday/seat/1?console=other").text
    assert "show themselves" not in ada.get(f"/seat/{house.wiring.desk.seat('monday', 1)[1].id}").text
    house.wiring.desk.close("monday", who="trainer")
    assert "What the machines show themselves" not in trainer.get(page).text
