"""Connections are shared fairly: by groups, by users within them, within bounds of number and time."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BusyError
from app.gemini.caller import Caller, blame, on_behalf_of
from app.gemini.connections import ConnectionSlots


def slots(total: int, *, share: float = 1.0, max_waiting: int = 100, wait_s: float = 60.0) -> ConnectionSlots:
    return ConnectionSlots(total, share, max_waiting, wait_s)


def caller(group: str, user: str = "") -> Caller:
    return Caller(group, user or group)


async def turns(count: int = 5) -> None:
    """Let the tasks that are ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


class Line:
    """Calls that wait, in the order in which they got their connections."""

    def __init__(self, shared: ConnectionSlots) -> None:
        self._shared = shared
        self.served: list[str] = []
        self.refused: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def join(self, *names: str) -> None:
        """Let calls wait, one after the other; a name is `group` or `group/user`."""
        for name in names:
            self.tasks.append(asyncio.create_task(self._wait(name)))
            await turns()

    async def _wait(self, name: str) -> None:
        group, _, user = name.partition("/")
        try:
            await self._shared.take(caller(group, user))
        except BusyError:
            self.refused.append(name)
        else:
            self.served.append(name)

    async def serve(self, holder: Caller, count: int) -> list[str]:
        """Release `count` connections, each as soon as the last one is used."""
        for _ in range(count):
            self._shared.release(holder)
            await turns()
            holder = caller(*self.served[-1].partition("/")[::2])
        return self.served

    async def leave(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_a_free_connection_is_taken_at_once() -> None:
    shared = slots(2)

    await shared.take(caller("a"), within_s=0)
    await shared.take(caller("b"), within_s=0)

    with pytest.raises(BusyError, match="All 2 connections"):
        await shared.take(caller("c"), within_s=0)


async def test_a_group_uses_every_connection_that_no_other_waits_for_up_to_its_share() -> None:
    shared = slots(8, share=0.75)

    for _ in range(6):
        await shared.take(caller("a"), within_s=0)
    with pytest.raises(BusyError, match="its share of the connections"):
        await shared.take(caller("a"), within_s=0)

    await shared.take(caller("b"), within_s=0)


async def test_a_share_is_at_least_one_connection() -> None:
    shared = slots(1, share=0.01)

    await shared.take(caller("a"), within_s=0)


async def test_free_connections_go_round_robin_between_groups() -> None:
    shared = slots(1)
    await shared.take(caller("a"))
    line = Line(shared)
    await line.join("a", "a", "a", "b", "b", "c")

    assert await line.serve(caller("a"), 6) == ["a", "b", "c", "a", "b", "a"]


async def test_within_a_group_they_go_round_robin_between_users() -> None:
    shared = slots(1)
    await shared.take(caller("k", "1"))
    line = Line(shared)
    await line.join("k/1", "k/1", "k/1", "k/2", "k/3", "x")

    assert await line.serve(caller("k", "1"), 6) == ["k/1", "x", "k/2", "k/3", "k/1", "k/1"]


async def test_a_group_at_its_share_waits_while_others_go_first() -> None:
    shared = slots(4, share=0.5)
    for group in ("a", "a", "b", "b"):
        await shared.take(caller(group))
    line = Line(shared)
    await line.join("a", "c")

    shared.release(caller("b"))
    await turns()
    assert line.served == ["c"]
    shared.release(caller("a"))
    await turns()
    assert line.served == ["c", "a"]


async def test_a_call_waits_no_longer_than_the_limit() -> None:
    shared = slots(1, wait_s=0.01)
    await shared.take(caller("a"))

    with pytest.raises(BusyError, match=r"none got free within 0\.01 s; retry in 2 s") as busy:
        await shared.take(caller("b"))

    assert (busy.value.status, busy.value.retry_after_s) == (503, 2)
    shared.release(caller("a"))
    await shared.take(caller("c"), within_s=0)


async def test_a_full_queue_refuses_at_once_the_calls_of_the_longest_line() -> None:
    shared = slots(1, max_waiting=4)
    await shared.take(caller("a"))
    line = Line(shared)

    await line.join("a", "a", "a", "a", "a")
    assert line.refused == ["a"]
    await line.join("b")
    assert line.refused == ["a", "a"]
    await line.join("b", "b")
    assert line.refused == ["a", "a", "a", "b"]

    await line.leave()


async def test_in_a_full_queue_of_one_group_its_users_are_held_even() -> None:
    shared = slots(1, max_waiting=4)
    await shared.take(caller("k"))
    line = Line(shared)

    await line.join("k/1", "k/1", "k/1", "k/1", "k/2", "k/2", "k/2")

    assert line.refused == ["k/1", "k/1", "k/2"]
    await line.leave()


async def test_a_call_that_is_cancelled_while_it_waits_keeps_nothing() -> None:
    shared = slots(1)
    await shared.take(caller("a"))
    line = Line(shared)
    await line.join("b", "c")

    line.tasks[0].cancel()
    await turns()
    assert await line.serve(caller("a"), 1) == ["c"]


async def test_a_connection_that_comes_together_with_a_cancellation_goes_to_the_next() -> None:
    shared = slots(1)
    await shared.take(caller("a"))
    line = Line(shared)
    await line.join("b", "c")

    shared.release(caller("a"))
    line.tasks[0].cancel()
    await turns()

    assert line.served == ["c"]


async def test_a_deadline_that_strikes_during_the_wait_is_blamed_on_the_connections() -> None:
    shared = slots(1)
    await shared.take(caller("a"))
    late = BusyError("late")

    with on_behalf_of("b", "b") as waiting:
        assert blame(late) is late
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await shared.take(waiting)

        assert "No connection to Gemini was free in time" in blame(late).detail


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["join", "leave", "cancel"]), st.sampled_from("abc"), st.sampled_from("12")),
        max_size=60,
    ),
    total=st.integers(1, 4),
    share=st.sampled_from([0.3, 0.75, 1.0]),
)
async def test_no_connection_is_lost_and_no_connection_is_used_twice(
    steps: list[tuple[str, str, str]], total: int, share: float
) -> None:
    shared = slots(total, share=share, max_waiting=5)
    held: list[Caller] = []
    waiting: list[asyncio.Task[None]] = []

    async def call(one: Caller) -> None:
        await shared.take(one)
        held.append(one)

    for step, group, user in steps:
        if step == "join":
            waiting.append(asyncio.create_task(call(Caller(group, user))))
        elif step == "leave" and held:
            shared.release(held.pop(0))
        elif step == "cancel" and waiting:
            waiting.pop(0).cancel()
        await turns(3)
        used = Counter(one.group for one in held)
        assert used.total() <= total
        assert max(used.values(), default=0) <= max(1, int(total * share))

    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for one in held:
        shared.release(one)
    for number in range(total):
        await shared.take(caller(str(number)), within_s=0)
