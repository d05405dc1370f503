"""Tasks: which are open, what they are worth, which answers are right."""

from __future__ import annotations

import hashlib

import pytest

from labctl.model import tasks
from labctl.model.plan import PlannedAnswer, PlannedChoice, PlannedHint, PlannedTask
from tests import fakes


def task(name, *requires, **keys):
    return PlannedTask(id=name, title=name, proof="confirm", requires=requires, **keys)


def done(name, **keys):
    return tasks.Standing(name, done=fakes.NOON, **keys)


def test_a_task_opens_when_all_it_requires_is_done_or_given_up():
    last = task("c", "a", "b")
    assert tasks.state(last, {}) is tasks.State.LOCKED
    assert tasks.state(last, {"a": done("a"), "b": tasks.Standing("b", tries=3)}) is tasks.State.LOCKED
    assert tasks.state(last, {"a": done("a"), "b": done("b", gave_up=True)}) is tasks.State.OPEN
    assert tasks.state(last, {"c": done("c")}) is tasks.State.DONE
    assert tasks.state(last, {"c": done("c", gave_up=True)}) is tasks.State.GIVEN_UP


def test_each_hint_costs_what_it_says():
    one = task("a", points=10, hints=(PlannedHint(text="x", cost=4), PlannedHint(text="y", cost=6)))
    assert [tasks.worth(one, hints) for hints in range(3)] == [10, 6, 0]


def test_one_is_through_when_all_that_is_not_optional_is_done():
    every = (task("a"), task("b", optional=True))
    assert not tasks.through(every, {"b": done("b")})
    assert tasks.through(every, {"a": done("a")})


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"texts": ("Storm Lantern",)}, "  storm   LANTERN\n"),
        ({"texts": ("caf\u00e9",)}, "cafe\u0301"),
        ({"texts": ("one", "two")}, "two"),
        ({"matches": "nginx[ /]*1\\.[0-9.]+"}, " Nginx 1.22 "),
        ({"matches": r"\S+@\S+"}, "ada@example.org"),
        ({"sha256": hashlib.sha256(b"hello").hexdigest()}, "Hello "),
        ({"texts": ("x",), "matches": "y"}, "y"),
    ],
)
def test_an_answer_is_right_however_it_is_spaced_or_capitalised(answer, said):
    assert tasks.right(PlannedAnswer(**answer), said)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"texts": ("storm lantern",)}, "stormlantern"),
        ({"texts": ("Lamp",), "case": True}, "lamp"),
        ({"matches": "nginx"}, "nginx 1.22"),
        ({"matches": "Nginx", "case": True}, "nginx"),
        ({"sha256": hashlib.sha256(b"hello").hexdigest(), "case": True}, "Hello"),
        ({"texts": ("x",)}, ""),
    ],
)
def test_another_answer_is_wrong(answer, said):
    assert not tasks.right(PlannedAnswer(**answer), said)


def test_exactly_the_right_choices_are_right_in_an_order_that_tells_nothing():
    texts = [f"choice {number}" for number in range(6)]
    rights = {"choice 0", "choice 3"}
    one = task("quiz", choices=tuple(PlannedChoice(text=text, right=text in rights) for text in texts))
    other = task("quiz", choices=tuple(reversed(one.choices)))
    plan = fakes.plan("e000000001", 1)
    shown = [one.choices[number].text for number in tasks.shuffled(plan, one)]
    assert shown == [other.choices[number].text for number in tasks.shuffled(plan, other)]
    assert shown != texts
    good = [place for place, text in enumerate(shown) if text in rights]
    assert tasks.chosen_right(plan, one, good)
    assert not tasks.chosen_right(plan, one, good[:1])
    assert not tasks.chosen_right(plan, one, range(6))
    assert not tasks.chosen_right(plan, one, ())
