"""Connections without a ticket: whoever waits longest goes first, and nobody is kept out by those who say nothing."""

from __future__ import annotations

import asyncio

from api.terminals import lobby


async def wait(place, address, gone, name):
    try:
        async with place.waiting(address, 60):
            await asyncio.Event().wait()
    except TimeoutError:
        gone.append(name)


def test_of_the_address_that_has_most_whoever_came_first_goes():
    async def play():
        place, gone = lobby.Lobby(3), []
        async with asyncio.TaskGroup() as group:
            tasks = []
            for address, name in [("b", "other"), ("a", "first"), ("a", "second"), ("a", "third"), ("a", "fourth")]:
                tasks.append(group.create_task(wait(place, address, gone, name)))
                await asyncio.sleep(0)
            await asyncio.wait(tasks[1:3])
            assert gone == ["first", "second"]
            assert len(place) == 3
            for task in tasks:
                task.cancel()
        assert len(place) == 0

    asyncio.run(play())


def test_who_says_something_leaves_the_place_to_others(world):
    shared = world.api.made.state.hall.lobby
    before = len(shared)
    silent = world.show(None)
    tab = world.tab("ada")
    tab.until(rb"\$ ")
    assert len(shared) == before + 1
    assert silent.closed() == 4401
    assert len(shared) == before
