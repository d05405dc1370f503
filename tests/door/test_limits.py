"""Caps and quotas of the door, on a clock that is set."""

from __future__ import annotations

from labctl import entering
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


def test_very_many_wrong_codes_hit_a_code_that_lives_for_two_minutes_once_in_tens_of_millions_of_times():
    chosen = limits.Limits()
    wrong = chosen.looked_at / chosen.pause * entering.CODE_LIFE.total_seconds()
    assert wrong / len(entering.ALPHABET) ** entering.LENGTH < 1 / 5e7
