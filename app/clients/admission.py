"""Admission: whether a request and its model calls may run, by every limit that holds, and what becomes of that.

    enter, before the body is read ──> rates of requests, slots (limits.py) ──> Entrance ──> leave
    admit, before the model is asked ──> rates of tokens, budgets (reservations.py) ──> Reservation ──> settle

A client without limits, at a gateway without limits, meets no counter and no store. It knows no HTTP but the names of
the RateLimit fields.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count

from app.clients.budgets import bounded, budgets_of, nanodollars, policies_of, tell_left
from app.clients.counters import open_counters
from app.clients.estimate import Estimate, Used, without_usage
from app.clients.identity import Client
from app.clients.limits import Counters, Draw
from app.clients.parties import Parties, Party, Whose
from app.clients.plan import Demand, Terms
from app.clients.rate_headers import NO_QUOTAS, Quotas, rate_headers
from app.clients.refusals import budget_refusal, counter_refusal
from app.clients.reservations import Reservations
from app.errors import FieldError, FileTooLargeError, InvalidFieldError, RateLimitedError
from app.settings import Settings
from app.store.budget_records import Amounts, Budget, Held
from app.store.budgets import BudgetBook
from app.store.database import Database

log = logging.getLogger("gateway.limits")
MAX_KNOWN = 10_000
"""For how many clients the terms are remembered."""


class Entrance:
    """What a request holds from its head to its end.

    `quotas` tell how the client's own limits stood as it came in, `terms` what they ask of its model calls.
    """

    __slots__ = ("_admission", "_draw", "quotas", "terms")

    def __init__(
        self,
        admission: "Admission | None" = None,
        draw: Draw | None = None,
        quotas: Quotas = NO_QUOTAS,
        terms: Terms | None = None,
    ) -> None:
        self._admission = admission
        self._draw = draw
        self.quotas = quotas
        self.terms = terms

    def leave(self) -> None:
        """Give slots back; it neither waits nor fails, and only the first counts."""
        admission, draw = self._admission, self._draw
        self._admission = None
        if admission is not None and draw is not None and draw.slots:
            admission.correct(draw, 0)


NO_ENTRANCE = Entrance()


class Reservation:
    """The tokens and money that an admitted model call holds until it is settled.

    `call` is the id of its reservation of budgets, "" if it holds none; a deferred call is settled by that id.
    `quotas` are the client's remaining limits at admission.
    """

    __slots__ = ("_admission", "_draw", "call", "estimate", "quotas")

    def __init__(
        self,
        admission: "Admission | None",
        estimate: Estimate,
        draw: Draw | None,
        call: str,
        quotas: Quotas,
    ) -> None:
        self._admission = admission
        self._draw = draw
        self.call = call
        self.estimate = estimate
        self.quotas = quotas

    def settle(self, usage: Used | None, *, streamed_tokens: int = 0) -> None:
        """Book what the call has used, whatever way it ended; it neither waits nor fails, and only the first counts.

        None when no usage was seen: its input is booked then, and `streamed_tokens` of output. NOTHING when the model
        was not asked.
        """
        admission, self._admission = self._admission, None
        if admission is None:
            return
        used = without_usage(self.estimate, streamed_tokens) if usage is None else usage
        tokens = bounded(used.input_tokens + used.output_tokens)
        if self._draw is not None:
            admission.correct(self._draw, tokens - self._draw.amount)
        if self.call:
            # A price that is not known is not zero.
            cost = self.estimate.cost if used.cost is None else used.cost
            admission.reservations.end(self.call, tokens=tokens, cost=nanodollars(cost or 0.0))

    def leave(self) -> None:
        """Leave the reservation until `Admission.settle_later` books the cost; until then the estimate counts."""
        admission, self._admission = self._admission, None
        if admission is not None and self.call:
            admission.reservations.leave(self.call)


class Admission:
    """Admits requests and calls, for one process; what it counts and books is shared as far as the stores are."""

    def __init__(
        self, parties: Parties, counters: Counters, reservations: Reservations, clock: Callable[[], float]
    ) -> None:
        self._parties = parties
        self._counters = counters
        self.reservations = reservations
        self._clock = clock
        self._numbers = count()
        self._terms: dict[int, tuple[Client, Terms]] = {}

    @property
    def state(self) -> str:
        """Say for `/readyz` how counting is: `ok`, or `away` while LIMITS_ON_OUTAGE decides."""
        return self._counters.state

    def enter_at_once(self, client: Client) -> Entrance | None:
        """Let a request in, if nothing has to be waited for and nothing refuses it; `enter` does the rest.

        It counts from here, whatever becomes of it.
        """
        terms = self._terms_of(client)
        demand = terms.of_request
        if demand is None:
            return NO_ENTRANCE
        draw = Draw(next(self._numbers), self._clock(), 1, demand.windows, demand.slots)
        used = self._counters.take_at_once(draw)
        return None if used is None else self._entrance(terms, demand, draw, used)

    async def enter(self, client: Client) -> Entrance:
        """Let a request in, or raise RateLimitedError with the limit that refuses it, when to come again, and headers.

        It counts from here, whatever becomes of it. Raises StoreUnavailableError.
        """
        terms = self._terms_of(client)
        demand = terms.of_request
        if demand is None:
            return NO_ENTRANCE
        draw = Draw(next(self._numbers), self._clock(), 1, demand.windows, demand.slots)
        return self._entrance(terms, demand, draw, await self._taken(demand, draw, NO_QUOTAS))

    def _entrance(self, terms: Terms, demand: Demand, draw: Draw, used: Sequence[int]) -> Entrance:
        values: list[int] = []
        demand.tell(values, used, draw.taken_at)
        return Entrance(self, draw, Quotas(demand.told, values), terms)

    def correct(self, draw: Draw, correction: int) -> None:
        """Give back what a draw holds, and add to each of its windows what was used more, or less."""
        self._counters.close(draw, correction, now=self._clock())

    async def admit(self, client: Client, estimate: Estimate, entrance: Entrance = NO_ENTRANCE) -> Reservation:
        """Admit a model call of a request that came in by `entrance`; raises RateLimitedError as `enter` does.

        Raises InvalidFieldError if a limit is in money and the model has no price, and StoreUnavailableError.
        """
        terms = entrance.terms or self._terms_of(client)
        if not terms.has_allowance:
            return Reservation(None, estimate, None, "", entrance.quotas)
        now = self._clock()
        allowance = terms.allowance(now)
        if allowance.is_in_money and estimate.cost is None:
            text = "The model has no price here, and a limit that holds for you is in money; name a model that has one."
            raise InvalidFieldError(text, errors=(FieldError("model", text),))
        demand, draw = terms.of_call, None
        told, values = entrance.quotas.told, [*entrance.quotas.values]
        if demand is not None:
            draw = Draw(next(self._numbers), now, estimate.tokens, demand.windows, demand.slots)
            used = self._counters.take_at_once(draw)
            if used is None:
                used = await self._taken(demand, draw, entrance.quotas)
            told += demand.told
            demand.tell(values, used, now)
        call = ""
        if allowance.budgets:
            amounts = Amounts(bounded(estimate.tokens), bounded(nanodollars(estimate.cost or 0.0)))
            try:
                call, held = await self.reservations.hold(allowance.budgets, amounts)
            except BaseException:
                self._undo(draw)
                raise
            if held.refused is not None:
                self._undo(draw)
                raise _refusal(allowance.lines, held, amounts, now, Quotas(told, values))
            told += allowance.told
            allowance.tell(values, held.standings, now)
        return Reservation(self, estimate, draw, call, Quotas(told, values))

    async def _taken(self, demand: Demand, draw: Draw, quotas: Quotas) -> Sequence[int]:
        """Take what could not be taken at once; gives how the counters stand. `quotas` stand before it in a refusal."""
        try:
            taken = await self._counters.take(draw)
        except asyncio.CancelledError:
            # It may have been taken all the same.
            self._undo(draw)
            raise
        if taken.refused is not None:
            values = [*quotas.values]
            demand.tell(values, taken.used, draw.taken_at)
            stood = Quotas(quotas.told + demand.told, values)
            raise counter_refusal(demand, draw, taken, rate_headers(stood))
        return taken.used

    def _undo(self, draw: Draw | None) -> None:
        if draw is not None:
            self.correct(draw, -draw.amount)

    def settle_later(self, call: str, used: Used) -> None:
        """Book what a call has cost that was left; it neither waits nor fails, and only the first counts."""
        self.reservations.end(call, tokens=used.tokens, cost=nanodollars(used.cost or 0.0))

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
        amounts = Amounts(bytes=bounded(count))
        held = await self.reservations.use(tuple(budget for _, budget in budgets), amounts)
        if held.refused is not None:
            raise _refusal(budgets, held, amounts, now, NO_QUOTAS)

    def check_file(self, client: Client, size_bytes: int) -> None:
        """Raise FileTooLargeError when a file is larger than any limit that holds for the client allows."""
        limits = [party.limits.max_file_bytes for party in self._parties.of(client)]
        most = min((limit for limit in limits if limit is not None), default=None)
        if most is not None and size_bytes > most:
            raise FileTooLargeError(f"The file has {size_bytes} bytes; at most {most} are allowed for you.")

    async def sweep(self) -> None:
        """Prolong what runs here, and book the calls of processes that died; to be run every minute."""
        await self._counters.renew(now=self._clock())
        booked = await self.reservations.sweep()
        if booked:
            log.warning("%d calls ended without a word; booked at their estimates", booked)

    async def drained(self) -> None:
        """Wait until everything that has ended is counted and booked."""
        await self._counters.drained()
        await self.reservations.drained()


def _refusal(
    budgets: tuple[tuple[Party, Budget], ...], held: Held, amounts: Amounts, now: float, quotas: Quotas
) -> RateLimitedError:
    party, budget = next((party, budget) for party, budget in budgets if budget == held.refused)
    standing = held.standings[0]
    if party.whose is Whose.CLIENT:
        values = [*quotas.values]
        tell_left(values, budget, standing, now)
        quotas = Quotas((*quotas.told, policies_of(budget)), values)
    return budget_refusal(party, budget, standing, amounts, now=now, headers=rate_headers(quotas))


@asynccontextmanager
async def open_admission(
    settings: Settings, database: Database, *, clock: Callable[[], float] = time.time
) -> AsyncIterator[Admission]:
    """Open what counts and books; at the end, what is still to be written is. `clock` gives seconds since the epoch."""
    redis_url = None if settings.redis_url is None else settings.redis_url.get_secret_value()
    reservations = Reservations(BudgetBook(database), clock)
    async with open_counters(redis_url, settings.limits_on_outage) as counters, reservations.running():
        yield Admission(Parties.of_settings(settings), counters, reservations, clock)
