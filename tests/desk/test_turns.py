"""Turns: who comes next, how fast, and who goes where too many wait; on a clock that is set."""

from __future__ import annotations

import asyncio

import pytest

from labctl import errors, turns


def test_addresses_take_turns_so_whoever_tries_very_many_codes_makes_another_wait_for_one_of_them_only():
    async def run():
        line, came = turns.Line(1), []

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
        line = turns.Line(1)
        await line.enter("a")
        gone, next_, last = (asyncio.create_task(line.enter(one)) for one in ("b", "b", "c"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        line.leave()  # the place is next_'s, who goes away before they know
        next_.cancel()
        await asyncio.wait([next_])
        await asyncio.wait_for(last, 60)
        line.leave()
        await asyncio.wait_for(line.enter("d"), 60)

    asyncio.run(run())


def test_where_too_many_wait_the_last_of_the_fullest_address_goes_and_others_keep_their_place():
    async def run():
        line = turns.Line(1, most=3)
        await line.enter("room")
        crowd = [asyncio.create_task(line.enter("room")) for _ in range(4)]
        await asyncio.wait(crowd[3:])
        with pytest.raises(errors.Busy, match="too many") as refused:
            await crowd[3]
        assert refused.value.retry_after == turns.SOON
        ada = asyncio.create_task(line.enter("elsewhere"))
        await asyncio.wait(crowd[2:3])
        with pytest.raises(errors.Busy):
            await crowd[2]
        for _ in range(4):
            line.leave()
        await asyncio.gather(ada, *crowd[:2])

    asyncio.run(asyncio.wait_for(run(), 120))


def test_where_everybody_comes_from_elsewhere_whoever_comes_last_goes():
    async def run():
        line = turns.Line(1, most=2)
        await line.enter("a")
        waiting = [asyncio.create_task(line.enter(one)) for one in "bc"]
        await asyncio.sleep(0)
        with pytest.raises(errors.Busy):
            await line.enter("d")
        for _ in range(3):
            line.leave()
        await asyncio.gather(*waiting)

    asyncio.run(asyncio.wait_for(run(), 120))


def test_a_burst_goes_at_once_and_then_only_the_rate():
    now = [100.0]
    pace = turns.Pace(2.0, 3, lambda: now[0])
    assert [pace.wait() for _ in range(5)] == [0.0, 0.0, 0.0, 0.5, 1.0]
    now[0] += 1.0
    assert pace.wait() == 0.5
    now[0] += 3600
    assert [pace.wait() for _ in range(4)] == [0.0, 0.0, 0.0, 0.5], "more than a burst is not saved up"


def test_whoever_gives_up_while_the_pace_holds_them_leaves_their_place_to_the_next():
    async def run():
        line = turns.Turns(places=1, rate=1e-6, burst=1, most=5)
        await line.enter("a")
        line.leave()
        held, next_ = (asyncio.create_task(line.enter(one)) for one in "bc")
        await asyncio.sleep(0)
        held.cancel()
        await asyncio.wait([held])
        await asyncio.sleep(0)
        assert not next_.done()
        next_.cancel()
        await asyncio.wait([next_])
        line._pace = turns.Pace(1.0, 1)
        await line.enter("d")

    asyncio.run(asyncio.wait_for(run(), 120))
