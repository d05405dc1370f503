"""Caps and quotas of the door, on a clock that is set."""

from __future__ import annotations

import asyncio

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


def test_addresses_take_turns_so_whoever_tries_very_many_codes_makes_another_wait_for_one_of_them_only():
    async def run():
        line, came = limits.Line(1), []

        async def try_(address, number):
            await line.enter(address)
            came.append((address, number))

        await line.enter("first")
        many = [asyncio.create_task(try_("192.0.2.1", number)) for number in range(300)]
        await asyncio.sleep(0)
        ada = asyncio.create_task(try_("192.0.2.2", 1))
        await asyncio.sleep(0)
        for _ in range(2):
            line.leave()
            await asyncio.sleep(0)
        await ada
        assert came == [("192.0.2.1", 0), ("192.0.2.2", 1)]
        for _ in range(300):
            line.leave()
            await asyncio.sleep(0)
        await asyncio.gather(*many)
        assert came[2:] == [("192.0.2.1", number) for number in range(1, 300)]

    asyncio.run(run())


def test_whoever_went_away_keeps_no_place_in_the_line_and_loses_none():
    async def run():
        line = limits.Line(1)
        await line.enter("a")
        gone, next_, last = (asyncio.create_task(line.enter(one)) for one in ("b", "b", "c"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        line.leave()  # the place is next_'s, who goes away before they know
        next_.cancel()
        await asyncio.wait([next_])
        await asyncio.wait_for(last, 5)
        line.leave()
        await asyncio.wait_for(line.enter("d"), 5)

    asyncio.run(run())


def test_very_many_wrong_codes_hit_a_code_that_lives_for_two_minutes_once_in_tens_of_millions_of_times():
    chosen = limits.Limits()
    wrong = chosen.looked_at / chosen.pause * entering.CODE_LIFE.total_seconds()
    assert wrong / len(entering.ALPHABET) ** entering.LENGTH < 1 / 5e7
