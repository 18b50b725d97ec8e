"""Admission: whether a request and its model calls may run, by every limit that holds, and what becomes of that.

    enter, before the body is read ──> rates of requests, slots (limits.py) ──> Entrance ──> leave
    admit, before the model is asked ──> rates of tokens (limits.py), budgets (budgets.py) ──> Reservation ──> settle

A client without limits, at a gateway without limits, meets no counter and no store. It knows no HTTP but the names of
the RateLimit fields.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from secrets import token_hex
from typing import NamedTuple

from app.clients.budgets import Budgets, bounded, budgets_of, nanodollars, quotas_of
from app.clients.counters import open_counters
from app.clients.estimate import Estimate, Used, without_usage
from app.clients.identity import Client
from app.clients.limits import Counters
from app.clients.parties import Parties, Party, Whose
from app.clients.plan import Plan, Terms
from app.clients.rate_headers import Quota, rate_headers
from app.clients.refusals import budget_refusal, counter_refusal
from app.errors import FieldError, FileTooLargeError, InvalidFieldError, RateLimitedError
from app.settings import Settings
from app.store.budget_records import Amounts, Budget, Held
from app.store.budgets import BudgetBook
from app.store.database import Database

log = logging.getLogger("gateway.limits")
MAX_KNOWN = 10_000
"""For how many clients the terms are remembered."""


class Entrance:
    """What a request holds from its head to its end. `quotas` tell how the client's own limits stood as it came in."""

    __slots__ = ("_leave", "quotas")

    def __init__(self, quotas: tuple[Quota, ...] = (), leave: Callable[[], None] | None = None) -> None:
        self.quotas = quotas
        self._leave = leave

    def leave(self) -> None:
        """Give slots back; it neither waits nor fails, and only the first counts."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()


class Reservation:
    """What an admitted model call holds, until it is settled. `call` is its id, `quotas` how the limits stood then."""

    __slots__ = ("_leave", "_settle", "call", "estimate", "quotas")

    def __init__(
        self,
        call: str,
        estimate: Estimate,
        quotas: tuple[Quota, ...] = (),
        settle: Callable[[Used], None] | None = None,
        leave: Callable[[], None] | None = None,
    ) -> None:
        self.call = call
        self.estimate = estimate
        self.quotas = quotas
        self._settle = settle
        self._leave = leave

    def settle(self, usage: Used | None, *, streamed_tokens: int = 0) -> None:
        """Book what the call has used, whatever way it ended; it neither waits nor fails, and only the first counts.

        None when no usage was seen: its input is booked then, and `streamed_tokens` of output. NOTHING when the model
        was not asked.
        """
        settle, self._settle = self._settle, None
        if settle is not None:
            settle(without_usage(self.estimate, streamed_tokens) if usage is None else usage)

    def leave(self) -> None:
        """Leave what is held of budgets: `Admission.settle_later` books what the call has cost.

        Until then its estimate counts, also when that is never told.
        """
        self._settle = None
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()


class _Running(NamedTuple):
    """A model call that runs: what it drew, if anything, and whether it holds something of a budget."""

    plan: Plan | None
    has_budgets: bool


NO_ENTRANCE = Entrance()


class Admission:
    """Admits requests and calls, for one process; what it counts and books is shared as far as the stores are."""

    def __init__(self, parties: Parties, counters: Counters, budgets: Budgets, clock: Callable[[], float]) -> None:
        self._parties = parties
        self._counters = counters
        self._budgets = budgets
        self._clock = clock
        self._inside: dict[str, Plan] = {}
        self._running: dict[str, _Running] = {}
        self._process = token_hex(8)
        self._calls = count()
        self._terms: dict[int, tuple[Client, Terms]] = {}

    @property
    def state(self) -> str:
        """Say for `/readyz` how counting is: `ok`, or `away` while LIMITS_ON_OUTAGE decides."""
        return self._counters.state

    def _new_id(self) -> str:
        return f"{self._process}-{next(self._calls):x}"

    async def enter(self, client: Client) -> Entrance:
        """Let a request in, or raise RateLimitedError with the limit that refuses it, when to come again, and headers.

        It counts from here, whatever becomes of it. Raises StoreUnavailableError.
        """
        terms = self._terms_of(client)
        plan = terms.of_request(request=self._new_id(), now=self._clock()) if terms.parties else None
        if plan is None:
            return NO_ENTRANCE
        quotas = await self._take(plan, [])
        if plan.draw.slots:
            self._inside[plan.draw.id] = plan
        return Entrance(tuple(quotas), lambda: self._go(plan))

    def _go(self, plan: Plan) -> None:
        if self._inside.pop(plan.draw.id, None) is not None:
            self._counters.close(plan.draw, plan.ending(), now=self._clock())

    async def admit(self, client: Client, estimate: Estimate, entrance: Entrance = NO_ENTRANCE) -> Reservation:
        """Admit a model call of a request that came in by `entrance`; raises RateLimitedError as `enter` does.

        Raises InvalidFieldError when a limit is in money and the model has no price, and StoreUnavailableError.
        """
        terms = self._terms_of(client)
        if not terms.has_allowance:
            return Reservation("", estimate, entrance.quotas)
        now = self._clock()
        call = self._new_id()
        budgets = terms.budgets(now)
        _check_price(budgets, estimate)
        quotas = [*entrance.quotas]
        plan = terms.of_call(estimate, call=call, now=now)
        if plan is not None:
            quotas += await self._take(plan, quotas)
        if budgets:
            quotas += await self._reserve(call, plan, budgets, estimate, quotas)
        self._running[call] = _Running(plan, has_budgets=bool(budgets))
        return Reservation(
            call,
            estimate,
            tuple(quotas),
            lambda used: self._settle(call, estimate, used),
            lambda: self._leave(call, estimate),
        )

    async def _take(self, plan: Plan, known: list[Quota]) -> list[Quota]:
        try:
            taken = await self._counters.take(plan.draw)
        except asyncio.CancelledError:
            # It may have been taken all the same.
            self._undo(plan)
            raise
        if taken.refused is not None:
            raise counter_refusal(plan, taken, taken.refused, rate_headers([*known, *plan.quotas(taken)]))
        return plan.quotas(taken)

    def _undo(self, plan: Plan | None) -> None:
        if plan is not None:
            self._counters.close(plan.draw, plan.undoing(), now=self._clock())

    async def _reserve(
        self,
        call: str,
        plan: Plan | None,
        budgets: tuple[tuple[Party, Budget], ...],
        estimate: Estimate,
        quotas: list[Quota],
    ) -> list[Quota]:
        now = self._clock()
        amounts = Amounts(estimate.tokens, nanodollars(estimate.cost or 0.0))
        lines = [budget for _, budget in budgets]
        try:
            held = await self._budgets.reserve(call, lines, amounts)
        except BaseException:
            self._undo(plan)
            raise
        if held.refused is not None:
            self._undo(plan)
            raise _refusal(budgets, held, amounts, now, quotas)
        found = []
        for (party, budget), standing in zip(budgets, held.standings, strict=True):
            if party.whose is Whose.CLIENT:
                found += quotas_of(budget, standing, now=now)
        return found

    def _settle(self, call: str, estimate: Estimate, used: Used) -> None:
        if self._end(call, used.tokens):
            # A price that is not known is not zero.
            cost = estimate.cost if used.cost is None else used.cost
            self._budgets.settle(call, tokens=bounded(used.tokens), cost=nanodollars(cost or 0.0))

    def _leave(self, call: str, estimate: Estimate) -> None:
        # What nobody prolongs is booked at its estimate by the next sweep, and can be settled all the same.
        self._end(call, estimate.tokens)

    def _end(self, call: str, tokens: int) -> bool:
        running = self._running.pop(call)
        if running.plan is not None:
            self._counters.close(running.plan.draw, running.plan.settling(bounded(tokens)), now=self._clock())
        return running.has_budgets

    def settle_later(self, call: str, used: Used) -> None:
        """Book what a call has cost that was left; it neither waits nor fails, and only the first counts."""
        self._budgets.settle(call, tokens=bounded(used.tokens), cost=nanodollars(used.cost or 0.0))

    def has_budgets(self, client: Client) -> bool:
        """Whether any limit in tokens or money holds for a client."""
        return self._terms_of(client).has_allowance

    def has_byte_limits(self, client: Client) -> bool:
        """Whether any limit on what is uploaded holds for a client."""
        limits = [party.limits for party in self._parties.of(client)]
        return any(each.bytes_per_day or each.max_file_bytes or each.stored_bytes for each in limits)

    def _terms_of(self, client: Client) -> Terms:
        known = self._terms.get(id(client))
        if known is not None and known[0] is client:
            return known[1]
        if len(self._terms) >= MAX_KNOWN:
            self._terms.clear()
        terms = Terms(self._parties.of(client))
        self._terms[id(client)] = (client, terms)
        return terms

    async def take_bytes(self, client: Client, count: int) -> None:
        """Count bytes that a client uploads today, for good; raises RateLimitedError when there is no room."""
        parties = tuple(party for party in self._parties.of(client) if party.limits.bytes_per_day is not None)
        if not parties or not count:
            return
        now = self._clock()
        budgets = tuple((party, budget) for party, budget in budgets_of(parties, now) if budget.bytes is not None)
        amounts = Amounts(bytes=count)
        held = await self._budgets.reserve(None, [budget for _, budget in budgets], amounts)
        if held.refused is not None:
            raise _refusal(budgets, held, amounts, now, [])

    def check_file(self, client: Client, size_bytes: int) -> None:
        """Raise FileTooLargeError when a file is larger than any limit that holds for the client allows."""
        limits = [party.limits.max_file_bytes for party in self._parties.of(client)]
        most = min((limit for limit in limits if limit is not None), default=None)
        if most is not None and size_bytes > most:
            raise FileTooLargeError(f"The file has {size_bytes} bytes; at most {most} are allowed for you.")

    async def sweep(self) -> None:
        """Prolong what runs here, and book the calls of processes that died; to be run every minute."""
        await self._counters.renew([plan.draw for plan in self._inside.values()], now=self._clock())
        booked = await self._budgets.sweep([call for call, each in self._running.items() if each.has_budgets])
        if booked:
            log.warning("%d calls ended without a word; booked at their estimates", booked)

    async def drained(self) -> None:
        """Wait until everything that has ended is counted and booked."""
        await self._counters.drained()
        await self._budgets.writer.drained()


def _refusal(
    budgets: tuple[tuple[Party, Budget], ...], held: Held, amounts: Amounts, now: float, quotas: list[Quota]
) -> RateLimitedError:
    party, budget = next((party, budget) for party, budget in budgets if budget is held.refused)
    standing = held.standings[0]
    if party.whose is Whose.CLIENT:
        quotas = [*quotas, *quotas_of(budget, standing, now=now)]
    return budget_refusal(party, budget, standing, amounts, now=now, headers=rate_headers(quotas))


def _check_price(budgets: tuple[tuple[Party, Budget], ...], estimate: Estimate) -> None:
    if estimate.cost is None and any(budget.cost is not None for _, budget in budgets):
        text = "The model has no price here, and a limit that holds for you is in money; name a model that has one."
        raise InvalidFieldError(text, errors=(FieldError("model", text),))


@asynccontextmanager
async def open_admission(
    settings: Settings, database: Database, *, clock: Callable[[], float] = time.time
) -> AsyncIterator[Admission]:
    """Open what counts and books; at the end, what is still to be written is. `clock` gives seconds since the epoch."""
    redis_url = None if settings.redis_url is None else settings.redis_url.get_secret_value()
    budgets = Budgets(BudgetBook(database), clock)
    async with open_counters(redis_url, settings.limits_on_outage) as counters, budgets.writer.running():
        yield Admission(Parties.of_settings(settings), counters, budgets, clock)
