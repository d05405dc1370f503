"""Caps and quotas of the door, on a clock that is set."""

from __future__ import annotations

from labctl.door import limits


class Watch:
    def __init__(self):
        self.at = 100.0

    def __call__(self):
        return self.at


def test_a_seat_may_carry_a_burst_and_then_only_its_rate():
    watch = Watch()
    quota = limits.Quota(1000.0, watch)
    assert quota.wait(2000) == 0.0
    assert quota.wait(500) == 0.5
    watch.at += 0.5
    assert quota.wait(1000) == 1.0
    watch.at += 60
    assert quota.wait(2000) == 0.0, "more than a burst is not saved up"
    assert quota.wait(1) > 0.0


def test_wrong_codes_of_one_login_do_not_close_the_prompt_for_another():
    watch = Watch()
    guesses = limits.Guesses(limits.Limits(guesses_of_login=2, guesses_of_all=4), watch)
    guesses.wrong("ada")
    assert not guesses.too_many("ada")
    guesses.wrong("ada")
    assert guesses.too_many("ada")
    assert not guesses.too_many("grace")
    watch.at += 61
    assert not guesses.too_many("ada")


def test_very_many_wrong_codes_close_the_prompt_for_everybody_for_a_minute():
    watch = Watch()
    guesses = limits.Guesses(limits.Limits(guesses_of_login=2, guesses_of_all=3), watch)
    for login in ("a", "b", "c"):
        guesses.wrong(login)
    assert guesses.too_many("grace")
    watch.at += 61
    assert not guesses.too_many("grace")
