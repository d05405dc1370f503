"""Leave to type along, on pages: the learner is asked there too, says yes, no and stop without scripts; and nobody else can say it."""

from __future__ import annotations

from labctl.model import viewing


def seat(house, number=1):
    return f"/seat/{house.wiring.desk.seat('monday', number)[1].id}"


def asks(house, number=1):
    answer = house.client("trainer").post(f"/api/v1/classrooms/monday/seats/{number}/tickets", json={"machine": "box", "mode": "join"})
    assert answer.status_code == 201, answer.text


def may_type(house, number=1):
    principal = house.wiring.entering.way_of("monday", number).principal
    return house.wiring.terminals.typing([principal]) == {principal}


def test_the_learner_is_asked_on_their_page_and_answers_by_a_form(house):
    house.open()
    house.settle()
    ada, trainer = house.learner(seat=1), house.client("trainer")
    assert "asks to type on your" not in ada.get(seat(house)).text
    asks(house)
    assert "trainer asks to type" in ada.get(seat(house)).text
    assert "The learner is asked" in trainer.get("/class/monday/seat/1?mode=join").text
    assert not may_type(house)
    assert trainer.post(f"{seat(house)}/joining", data={"answer": "allowed"}).status_code == 403
    assert not may_type(house)
    assert "may type along now" in ada.post(f"{seat(house)}/joining", data={"answer": "allowed"}).text
    assert may_type(house)
    assert not may_type(house, 2)
    ada.post(f"{seat(house)}/joining", data={"answer": "refused"})
    assert not may_type(house)


def test_a_question_that_nobody_answers_is_gone_after_a_while_and_may_be_asked_again(house):
    house.open()
    house.settle()
    asks(house)
    house.pass_(minutes=3)
    ada = house.learner(seat=1)
    assert "asks to type on your" not in ada.get(seat(house)).text
    assert not may_type(house)
    asks(house)
    assert "asks to type on your" in ada.get(seat(house)).text


def test_the_question_has_one_button_of_each_kind_however_many_terminals_there_are(house):
    house.open()
    house.settle()
    asks(house)
    text = house.learner(seat=1).get(seat(house)).text
    assert (text.count(">Allow<"), text.count(">Refuse<")) == (1, 1)
    assert "data-text-allow" not in text
    assert "data-text-stop=" in text or "lab-terminal" not in text


def test_a_refusal_and_leave_hold_until_the_learner_says_otherwise_or_asks_for_help(house):
    house.open()
    house.settle()
    asks(house)
    house.wiring.terminals.answer("monday", 1, viewing.Answer.REFUSED, who="ada")
    asks(house)
    assert house.wiring.terminals.joining("monday", 1).answer is viewing.Answer.REFUSED
    assert "not want anybody to type along" in house.client("trainer").get("/class/monday/seat/1?mode=join").text
    house.pass_(minutes=60)
    asks(house)
    assert house.wiring.terminals.joining("monday", 1).answer is viewing.Answer.REFUSED
    assert "You are asked again only after you ask for help." in house.learner(seat=1).get(seat(house)).text
    house.wiring.helping.raise_hand("monday", 2, "", who="grace")
    asks(house)
    assert house.wiring.terminals.joining("monday", 1).answer is viewing.Answer.REFUSED, "it was somebody else's hand"
    house.wiring.helping.raise_hand("monday", 1, "", who="ada")
    asks(house)
    assert house.wiring.terminals.joining("monday", 1).answer is viewing.Answer.ASKED
    house.wiring.terminals.answer("monday", 1, viewing.Answer.ALLOWED, who="ada")
    house.pass_(minutes=60)
    assert may_type(house)


def test_a_class_may_be_opened_so_that_nobody_is_asked_but_everybody_can_stop_it(house):
    form = {"blueprint": "hello", "name": "monday", "learners": "Ada, ada@example.org", "join": "true"}
    assert house.client("trainer").post("/open", data=form).status_code == 200
    house.settle()
    asks(house)
    assert may_type(house)
    assert house.wiring.terminals.joining("monday", 1) is None
    house.learner(seat=1).post(f"{seat(house)}/joining", data={"answer": "refused"})
    assert not may_type(house)
