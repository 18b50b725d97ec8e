"""Purses: what calls hold of their budgets, reserved for several calls at once where many come.

    draw ──> the open allotment has room? ──yes──> drawn, and nothing is waited for
                      │ no
                      └──> one reservation for all that wait, under load with some to spare ──> open allotment

Calls draw from an allotment for a quarter of a second. When the last of them has ended it is settled, to what they used
together; if the process dies, it is booked whole. Where few calls come at the same time, or a budget has little room
left, every call reserves exactly what it may use, so that a budget can be used to its end. It knows no SQL, no clients
and no limits but what budgets say.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from app.clients.budgets import MOST_AT_ONCE
from app.clients.reservations import Reservations
from app.store.budget_records import Amounts, Budget, Held, Standing, total

OPEN_S = 0.25
"""How long an allotment is drawn from: what it has to spare is in nobody's way for longer."""
RENEW_AT = 0.8
"""At which part of that time the next one is asked for, so that where calls go on coming none has to wait for it."""
MANY = 4
"""From how many calls at the same time on there is something to spare."""
GROWTH = 3.0
"""How many times the calls of the last moment an allotment has room for, at most."""
PATIENCE_S = 0.25
"""How long the last calls of an allotment that is not drawn from any more are no reason to share less."""
SHARE = 16
"""Of what a budget has left, at most one part in so many is reserved for several calls at once."""
MAX_PURSES = 10_000


class Allotment:
    """One reservation, by its `id`: what is free of it, and what those of its calls used that have ended.

    `standings` say how its budgets stood, in their order, when it was reserved. `calls` counts those that drew from it,
    `running` those of them that have not ended. It was drawn from until `closed_at`, by the loop's clock.
    """

    __slots__ = (
        "_purse",
        "calls",
        "closed_at",
        "cost_free",
        "cost_used",
        "id",
        "running",
        "standings",
        "tokens_free",
        "tokens_used",
    )

    def __init__(self, purse: "Purse", reservation: str, amounts: Amounts, standings: Sequence[Standing]) -> None:
        self._purse = purse
        self.id = reservation
        self.standings = standings
        self.tokens_free = amounts.tokens
        self.cost_free = amounts.cost
        self.tokens_used = 0
        self.cost_used = 0
        self.calls = 0
        self.running = 0
        self.closed_at = math.inf

    def take(self, tokens: int, cost: int) -> None:
        """Take so much for a call that begins."""
        self.tokens_free -= tokens
        self.cost_free -= cost
        self.calls += 1
        self.running += 1

    def settle(self, tokens: int, cost: int) -> None:
        """Say what a call has used that drew from here, as it ends; it neither waits nor fails."""
        self.running -= 1
        self.tokens_used += tokens
        self.cost_used += cost
        self._purse.call_ended(self)

    def leave(self) -> None:
        """Say that what a call has cost, which is the only one here, is told later: by `Reservations.end`."""
        self._purse.call_left(self)


class _Waiting(NamedTuple):
    amounts: Amounts
    drawn: "asyncio.Future[Allotment | Held]"


class Purse:
    """What calls hold that have the same budgets. It is in `opened` while it has an open allotment."""

    __slots__ = (
        "_budgets",
        "_closed",
        "_closing",
        "_demand",
        "_is_asking",
        "_loop",
        "_open",
        "_opened",
        "_opened_with",
        "_renewal",
        "_reservations",
        "_room",
        "_running",
        "_waiting",
    )

    def __init__(self, reservations: Reservations, budgets: tuple[Budget, ...], opened: "set[Purse]") -> None:
        self._reservations = reservations
        self._budgets = budgets
        self._opened = opened
        self._loop = asyncio.get_running_loop()
        self._room = Amounts()
        self._running = 0
        self._waiting: list[_Waiting] = []
        self._is_asking = False
        self._open: Allotment | None = None
        self._opened_with = (0.0, Amounts())
        self._closing: asyncio.TimerHandle | None = None
        self._renewal: asyncio.TimerHandle | None = None
        self._closed: set[Allotment] = set()
        self._demand = (-math.inf, Amounts())

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs, waits or is open."""
        return not self._running and not self._waiting and not self._is_asking and self._open is None

    def draw(self, tokens: int, cost: int) -> Allotment | None:
        """Draw from what is open for a call that begins; None when it has not so much."""
        allotment = self._open
        if allotment is None or tokens > allotment.tokens_free or cost > allotment.cost_free:
            return None
        allotment.take(tokens, cost)
        self._running += 1
        return allotment

    async def reserve(self, amounts: Amounts, *, is_alone: bool = False) -> Allotment | Held:
        """Reserve for a call that begins; gives what it has drawn from, or what refuses it.

        A call that is alone has a reservation of its own. Raises StoreUnavailableError.
        """
        drawn: asyncio.Future[Allotment | Held] = self._loop.create_future()
        waiting = _Waiting(amounts, drawn)
        if is_alone:
            self._begin([waiting], amounts, is_shared=False)
        else:
            self._waiting.append(waiting)
            self._ask_soon()
        try:
            return await drawn
        except asyncio.CancelledError:
            if drawn.done() and not drawn.cancelled() and drawn.exception() is None:
                # Given up between its having drawn and its being told so.
                allotment = drawn.result()
                if isinstance(allotment, Allotment):
                    allotment.settle(0, 0)
            raise

    def close(self) -> None:
        """Let nobody draw any more from what is open."""
        for timer in (self._closing, self._renewal):
            if timer is not None:
                timer.cancel()
        self._opened.discard(self)
        allotment = self._open
        if allotment is None:
            return
        allotment.closed_at = self._loop.time()
        self._demand = allotment.closed_at, self._demand_for(allotment)
        self._open = None
        self._closed.add(allotment)
        self._end_if_over(allotment)

    def call_ended(self, allotment: Allotment) -> None:
        """Take note that one call less runs."""
        self._running -= 1
        if allotment is not self._open:
            self._end_if_over(allotment)

    def call_left(self, allotment: Allotment) -> None:
        """Take note that one call less runs, whose reservation stays."""
        self._running -= 1
        self._reservations.leave(allotment.id)

    def _end_if_over(self, allotment: Allotment) -> None:
        """End an allotment that is not open any more when all its calls have ended."""
        if not allotment.running:
            self._closed.discard(allotment)
            self._reservations.end(allotment.id, tokens=allotment.tokens_used, cost=allotment.cost_used)

    def _ask_soon(self) -> None:
        # What comes in the same turn of the loop is asked for together.
        if not self._is_asking:
            self._is_asking = True
            self._loop.call_soon(self._ask)

    def _ask(self) -> None:
        waiting = [each for each in self._waiting if not each.drawn.done()]
        self._waiting = []
        together = self._together(waiting) if waiting else None
        if together is None:
            self._is_asking = False
            for each in waiting:
                self._begin([each], each.amounts, is_shared=False)
        else:
            self._begin(waiting, together, is_shared=True)

    def _together(self, waiting: Sequence[_Waiting]) -> Amounts | None:
        # What is reserved for all that wait and for those about to come; None when each had better do it alone.
        running = self._running + len(waiting)
        if self._is_for_each_alone(running):
            return None
        needed = total(each.amounts for each in waiting)
        room = self._room
        if 2 * needed.tokens > room.tokens or 2 * needed.cost > room.cost:
            return None
        spare = self._demand_of_late() or needed
        return Amounts(
            min(needed.tokens + spare.tokens, room.tokens),
            min(needed.cost + spare.cost, room.cost),
        )

    def _is_for_each_alone(self, running: int) -> bool:
        # Where some calls last much longer than others, what is held for those that are over would add up.
        since = self._loop.time() - PATIENCE_S
        over = sum(each.calls - each.running for each in self._closed if each.closed_at <= since)
        return running < MANY or over > running

    def _demand_of_late(self) -> Amounts | None:
        if self._open is not None:
            return self._demand_for(self._open)
        closed_at, amounts = self._demand
        return amounts if self._loop.time() - closed_at < OPEN_S else None

    def _demand_for(self, allotment: Allotment) -> Amounts:
        """Tell what is drawn while an allotment is open, if calls come as they have drawn from this one."""
        opened_at, amounts = self._opened_with
        age_s = max(self._loop.time() - opened_at, OPEN_S / GROWTH)
        tokens, cost = amounts.tokens - allotment.tokens_free, amounts.cost - allotment.cost_free
        return Amounts(int(tokens * OPEN_S / age_s), int(cost * OPEN_S / age_s))

    def _begin(
        self,
        waiting: Sequence[_Waiting],
        amounts: Amounts,
        *,
        is_shared: bool,
        instead_of: Allotment | None = None,
    ) -> None:
        reservation, held = self._reservations.begin(self._budgets, amounts)

        def begun(done: "asyncio.Future[Held]") -> None:
            if is_shared:
                self._is_asking = False
            error = done.exception()
            if error is not None:
                for each in waiting:
                    if not each.drawn.done():
                        each.drawn.set_exception(error)
            elif done.result().refused is None:
                allotment = Allotment(self, reservation, amounts, done.result().standings)
                # What nobody waits for is of no use when the one before it is closed already, as at the end of all.
                is_late = instead_of is not None and instead_of is not self._open and not self._waiting
                self._hand_out(allotment, amounts, waiting, is_shared=is_shared and not is_late)
            else:
                self._refused(waiting, done.result(), is_shared=is_shared)
            self._serve()

        held.add_done_callback(begun)

    def _hand_out(
        self, allotment: Allotment, amounts: Amounts, waiting: Sequence[_Waiting], *, is_shared: bool
    ) -> None:
        self._room = _shares(zip(self._budgets, allotment.standings, strict=True))
        for each in waiting:
            if not each.drawn.done():
                allotment.take(each.amounts.tokens, each.amounts.cost)
                self._running += 1
                each.drawn.set_result(allotment)
        if not is_shared:
            self._end_if_over(allotment)
            return
        self.close()
        self._open = allotment
        self._opened_with = (self._loop.time(), amounts)
        self._opened.add(self)
        self._renewal = self._loop.call_later(OPEN_S * RENEW_AT, self._renew)
        self._closing = self._loop.call_later(OPEN_S, self.close)

    def _renew(self) -> None:
        # Whoever waits has had it asked for already.
        if self._open is None or self._is_asking or self._is_for_each_alone(self._running):
            return
        demand, room = self._demand_for(self._open), self._room
        amounts = Amounts(min(demand.tokens, room.tokens), min(demand.cost, room.cost))
        if amounts != Amounts():
            self._is_asking = True
            self._begin((), amounts, is_shared=True, instead_of=self._open)

    def _refused(self, waiting: Sequence[_Waiting], held: Held, *, is_shared: bool) -> None:
        if is_shared:
            # There was less room than it had seemed.
            self._room = Amounts()
            for each in waiting:
                self._begin([each], each.amounts, is_shared=False)
            return
        for each in waiting:
            if not each.drawn.done():
                each.drawn.set_result(held)

    def _serve(self) -> None:
        # Those that came while others were asked for.
        if self._is_asking or not self._waiting:
            return
        left: list[_Waiting] = []
        for each in self._waiting:
            if each.drawn.done():
                continue
            allotment = None if left else self.draw(each.amounts.tokens, each.amounts.cost)
            if allotment is None:
                left.append(each)
            else:
                each.drawn.set_result(allotment)
        self._waiting = left
        if left:
            self._ask_soon()


def _shares(standings: Iterable[tuple[Budget, Standing]]) -> Amounts:
    tokens = cost = MOST_AT_ONCE
    for budget, (used, reserved) in standings:
        if budget.tokens is not None:
            tokens = min(tokens, (budget.tokens - used.tokens - reserved.tokens) // SHARE)
        if budget.cost is not None:
            cost = min(cost, (budget.cost - used.cost - reserved.cost) // SHARE)
    return Amounts(tokens, cost)


class Purses:
    """The purses of one process, each for the calls that have the same budgets."""

    def __init__(self, reservations: Reservations) -> None:
        self._purses: dict[tuple[Budget, ...], Purse] = {}
        self._opened: set[Purse] = set()
        self.reservations = reservations

    def of(self, budgets: tuple[Budget, ...]) -> Purse:
        """Give the purse for these budgets, which are in the order of their keys."""
        purse = self._purses.get(budgets)
        if purse is None:
            if len(self._purses) >= MAX_PURSES:
                self._purses = {key: purse for key, purse in self._purses.items() if not purse.is_idle}
            purse = self._purses[budgets] = Purse(self.reservations, budgets, self._opened)
        return purse

    def close(self) -> None:
        """Let nobody draw any more from what is open."""
        for purse in tuple(self._opened):
            purse.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Reserve and settle while the block runs, and write at its end what is left."""
        async with self.reservations.running():
            try:
                yield
            finally:
                self.close()
