"""Claims and facts: one worker at a time, and a worker thought dead cannot overwrite its successor."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta

import pytest

from labctl import errors
from labctl.drivers import liveness
from labctl.model.environment import Facts, Machine, State, Step, Trouble
from tests import fakes

_SAY_WHO = "from labctl.drivers import liveness; print(liveness.myself(), flush=True); input()"
HOLD = timedelta(seconds=60)


@pytest.fixture
def env(store):
    room = fakes.classroom()
    store.open(room, fakes.plans_for(room), range(1, 3))
    return room.seats[0].environment


def test_while_a_claim_lives_nobody_else_gets_one(store, clock, env):
    first = store.claim(env, "one", HOLD)
    assert store.claim(env, "two", HOLD) is None
    clock.pass_(seconds=59)
    assert store.claim(env, "two", HOLD) is None
    clock.pass_(seconds=1)
    second = store.claim(env, "two", HOLD)
    assert second.fence > first.fence


def test_a_holder_seen_to_be_dead_holds_nothing_any_more(store, env):
    me = liveness.myself()
    child = subprocess.Popen([sys.executable, "-c", _SAY_WHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    holder = f"{child.stdout.readline().strip()}/turn"
    old = store.claim(env, holder, HOLD)
    assert store.claim(env, f"{me}/turn", HOLD) is None
    child.kill()
    child.wait()
    new = store.claim(env, f"{me}/turn", HOLD)
    assert new.fence > old.fence
    assert store.claim(env, f"{me}/other turn", HOLD) is None, "our own living process was taken for dead"
    child.stdin.close()
    child.stdout.close()


@pytest.mark.parametrize("elsewhere", ["", "two", "other-boot/1/1", "a/b/c", "//", "{machine}/x/1", "{machine}/1/", "{machine}"])
def test_of_holders_elsewhere_nothing_is_known_so_they_are_not_dead(elsewhere):
    assert not liveness.surely_dead(elsewhere.replace("{machine}", liveness.myself().partition("/")[0]))


def test_a_pid_given_to_another_process_is_not_the_holder():
    machine, pid, start = liveness.myself().split("/")
    assert not liveness.surely_dead(f"{machine}/{pid}/{start}")
    assert liveness.surely_dead(f"{machine}/{pid}/{int(start) - 1}")


def test_a_renewed_claim_lives_on(store, clock, env):
    claim = store.claim(env, "one", HOLD)
    clock.pass_(seconds=50)
    store.renew(claim, HOLD)
    clock.pass_(seconds=50)
    assert store.claim(env, "two", HOLD) is None


def test_a_released_claim_is_free_at_once(store, env):
    claim = store.claim(env, "one", HOLD)
    store.release(claim)
    assert store.claim(env, "two", HOLD) is not None


def test_facts_come_back_as_they_were_settled(store, clock, env):
    machine = Machine("box", 33, "sandbox", "container", "100.64.1.1", "bc:24:11:00:01:01", "ssh-ed25519 AAAA", stand_in=True)
    trouble = Trouble(Step.PROVE, "the check said no", 3, clock.now(), clock.now() + HOLD, 2)
    facts = Facts(State.CONFIGURED, 1, Step.PROVE, clock.now(), trouble, (machine,))
    store.settle(store.claim(env, "one", HOLD), facts)
    assert store.environment(env).facts == facts
    store.settle(store.claim(env, "one", HOLD), Facts())
    assert store.environment(env).facts == Facts()


def test_the_predecessor_writes_nothing_any_more(store, clock, env):
    old = store.claim(env, "one", HOLD)
    clock.pass_(seconds=61)
    new = store.claim(env, "two", HOLD)
    for write in (lambda: store.settle(old, Facts(state=State.READY)), lambda: store.renew(old, HOLD)):
        with pytest.raises(errors.ClaimLost):
            write()
    store.release(old)  # of no effect
    assert store.environment(env).facts == Facts()
    assert store.claim(env, "three", HOLD) is None
    store.settle(new, Facts(state=State.BUILT))
    assert store.environment(env).facts.state is State.BUILT


def test_a_late_worker_still_settles_when_nobody_took_over(store, clock, env):
    claim = store.claim(env, "one", HOLD)
    clock.pass_(seconds=600)
    store.settle(claim, Facts(state=State.BUILT))
    assert store.environment(env).facts.state is State.BUILT


def test_of_many_claimants_at_once_exactly_one_wins(store, env):
    won = []
    meet = threading.Barrier(8, timeout=60)

    def try_(name):
        meet.wait()
        claim = store.claim(env, name, HOLD)
        if claim:
            won.append(claim)

    threads = [threading.Thread(target=try_, args=(f"w{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_a_gone_environment_loses_its_plan_and_is_listed_only_when_asked(store, env):
    store.settle(store.claim(env, "one", HOLD), Facts(state=State.GONE))
    with pytest.raises(errors.NotFound, match="is gone, and its plan with it"):
        store.plan(env)
    assert store.environments() == ()
    assert [one.id for one in store.environments(gone=True)] == [env]
