"""Admission: decides whether a request and its model calls may run, by every limit that holds for the client.

    enter, before the body is read ──> rates of requests, slots (counters.py) ──> RateTicket ──> release
    admit, before the model is asked ──> rates of tokens, budgets (reservations.py) ──> Reservation ──> settle

A client without limits, at a gateway without limits, meets no counter and no store. This module knows no HTTP but the
names of the RateLimit fields.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count

from app.clients.budgets import append_left, bounded, budgets_of, policies_of
from app.clients.counter_choice import open_counters
from app.clients.counters import Counter, CounterRequest, Counters
from app.clients.identity import Client
from app.clients.limit_owners import LimitOwner, LimitOwners, OwnerKind
from app.clients.limit_sets import ClientLimits, LimitSet
from app.clients.rate_headers import NO_QUOTAS, Quotas, rate_headers
from app.clients.refusals import budget_refusal, counter_refusal
from app.clients.reservations import Reservations
from app.errors import FieldError, FileTooLargeError, RateLimitedError, UnpricedModelError
from app.settings import Settings
from app.store.budget_records import Amounts, Budget, HoldResult
from app.store.budgets import BudgetBook
from app.store.database import Database

log = logging.getLogger("gateway.limits")
MAX_LIVE_SESSIONS = 20
MAX_KNOWN = 10_000
"""For how many clients the limits are remembered."""


class RateTicket:
    """A request's place in the counters, held from its head to its end.

    `quotas` are the rest of the client's own limits when it came in, `limits` those of its model calls.
    """

    __slots__ = ("_admission", "_request", "limits", "quotas")

    def __init__(
        self,
        admission: "Admission | None" = None,
        request: CounterRequest | None = None,
        quotas: Quotas = NO_QUOTAS,
        limits: ClientLimits | None = None,
    ) -> None:
        self._admission = admission
        self._request = request
        self.quotas = quotas
        self.limits = limits

    def release(self) -> None:
        """Free the slots; neither waits nor fails, and only the first call counts."""
        admission, request = self._admission, self._request
        self._admission = None
        if admission is not None and request is not None and request.slots:
            admission.correct(request, 0)


NO_TICKET = RateTicket()


class Reservation:
    """The tokens and money that an admitted model call holds until it is settled.

    A deferred call is settled by its `id`, "" if it holds no budget. `quotas` are the rest of the client's limits at
    admission.
    """

    __slots__ = ("_admission", "_request", "id", "quotas")

    def __init__(
        self,
        admission: "Admission | None" = None,
        request: CounterRequest | None = None,
        reservation_id: str = "",
        quotas: Quotas = NO_QUOTAS,
    ) -> None:
        self._admission = admission
        self._request = request
        self.id = reservation_id
        self.quotas = quotas

    def settle(self, amounts: Amounts) -> None:
        """Book the amounts that the call has used; neither waits nor fails, and only the first call counts."""
        admission, self._admission = self._admission, None
        if admission is None:
            return
        if self._request is not None:
            admission.correct(self._request, bounded(amounts.tokens) - self._request.amount)
        if self.id:
            admission.reservations.end(self.id, amounts)


class Admission:
    """Admits requests and calls for one process; counters and budgets are shared as far as their stores are."""

    def __init__(
        self, owners: LimitOwners, counters: Counters, reservations: Reservations, clock: Callable[[], float]
    ) -> None:
        self._owners = owners
        self._counters = counters
        self.reservations = reservations
        self._clock = clock
        self._numbers = count()
        self._limits: dict[int, tuple[Client, ClientLimits]] = {}

    @property
    def state(self) -> str:
        """Return the counters' state for `/readyz`: `ok`, or `away` while LIMITS_ON_OUTAGE decides."""
        return self._counters.state

    def enter_at_once(self, client: Client) -> RateTicket | None:
        """Let a request in if no counter must be waited for and none refuses, else return None: use `enter` then.

        The request counts from here on, whatever its end.
        """
        limits = self._limits_of(client)
        of_request = limits.of_request
        if of_request is None:
            return NO_TICKET
        request = self._request(of_request, 1)
        used = self._counters.take_at_once(request)
        return None if used is None else self._ticket(limits, of_request, request, used)

    async def enter(self, client: Client) -> RateTicket:
        """Let a request in; raises RateLimitedError for the limit that refuses, and StoreUnavailableError.

        The request counts from here on, whatever its end.
        """
        limits = self._limits_of(client)
        of_request = limits.of_request
        if of_request is None:
            return NO_TICKET
        request = self._request(of_request, 1)
        return self._ticket(limits, of_request, request, await self._taken(of_request, request, NO_QUOTAS))

    async def enter_live(self, client: Client) -> RateTicket:
        """Occupy one of a client's places for Live sessions; the caller releases it at the session's end.

        Raises RateLimitedError if all are taken, and StoreUnavailableError.
        """
        places = (Counter(f"client:{client.id}:live-sessions", MAX_LIVE_SESSIONS),)
        request = CounterRequest(next(self._numbers), self._clock(), 0, (), places)
        try:
            result = await self._counters.take(request)
        except asyncio.CancelledError:
            # The counters may have counted it already.
            self.correct(request, 0)
            raise
        if result.refused is not None:
            raise RateLimitedError(
                f"You have {MAX_LIVE_SESSIONS} Live sessions, the largest number allowed; end a session first.",
                retry_after_s=1,
            )
        return RateTicket(self, request)

    async def enter_listing(self, client: Client, requests: int) -> Quotas:
        """Count a listing as so many requests, or as a whole minute's if its limit is lower; return what is left.

        Raises RateLimitedError and StoreUnavailableError as `enter` does.
        """
        limits = self._limits_of(client).of_listing
        if limits is None:
            return NO_QUOTAS
        request = self._request(limits, min(requests, *(counter.quota for counter in limits.windows)))
        used = self._counters.take_at_once(request)
        if used is None:
            used = await self._taken(limits, request, NO_QUOTAS)
        values: list[int] = []
        limits.append_left(values, used, request.taken_at)
        return Quotas(limits.told, values)

    def _request(self, limits: LimitSet, amount: int) -> CounterRequest:
        return CounterRequest(next(self._numbers), self._clock(), amount, limits.windows, limits.slots)

    def _ticket(
        self, limits: ClientLimits, of_request: LimitSet, request: CounterRequest, used: Sequence[int]
    ) -> RateTicket:
        values: list[int] = []
        of_request.append_left(values, used, request.taken_at)
        return RateTicket(self, request, Quotas(of_request.told, values), limits)

    def correct(self, request: CounterRequest, correction: int) -> None:
        """Free the slots of a counted request, and add the correction to each of its windows."""
        self._counters.close(request, correction, now=self._clock())

    async def admit(
        self,
        client: Client,
        amounts: Amounts,
        ticket: RateTicket = NO_TICKET,
        *,
        unpriced: str | None = None,
        may_be_deferred: bool = False,
    ) -> Reservation:
        """Admit a model call of a request that came in with `ticket`, and hold its estimated amounts.

        The reservation of a call that may be deferred lasts for days without its process. Raises RateLimitedError as
        `enter` does, UnpricedModelError if a limit is in money and `unpriced`, a part of the call, has no price,
        and StoreUnavailableError.
        """
        limits = ticket.limits or self._limits_of(client)
        if not limits.has_budgets:
            return Reservation(quotas=ticket.quotas)
        now = self._clock()
        budget_set = limits.budget_set(now)
        if budget_set.is_in_money and unpriced is not None:
            text = (
                f"{unpriced} has no price on this gateway, and a limit that holds for you is in money. Use another, or "
                "ask the gateway's operator for a price or for limits in tokens."
            )
            raise UnpricedModelError(text, errors=(FieldError("model", text),))
        amounts = Amounts(bounded(amounts.tokens), bounded(amounts.cost))
        of_call, request = limits.of_call, None
        told, values = ticket.quotas.told, [*ticket.quotas.values]
        if of_call is not None:
            request = self._request(of_call, amounts.tokens)
            used = self._counters.take_at_once(request)
            if used is None:
                used = await self._taken(of_call, request, ticket.quotas)
            told += of_call.told
            of_call.append_left(values, used, request.taken_at)
        reservation_id = ""
        if budget_set.budgets:
            try:
                reservation_id, held = await self.reservations.hold(
                    budget_set.budgets, amounts, may_be_deferred=may_be_deferred
                )
            except BaseException:
                self._undo(request)
                raise
            if held.refused is not None:
                self._undo(request)
                raise _refusal(budget_set.owned, held, amounts, now, Quotas(told, values))
            told += budget_set.told
            budget_set.append_left(values, held.states, now)
        return Reservation(self, request, reservation_id, Quotas(told, values))

    async def _taken(self, limits: LimitSet, request: CounterRequest, quotas: Quotas) -> Sequence[int]:
        """Count in counters that must be waited for; return the counts. `quotas` precede them in a refusal."""
        try:
            result = await self._counters.take(request)
        except asyncio.CancelledError:
            # The counters may have counted it already.
            self._undo(request)
            raise
        if result.refused is not None:
            values = [*quotas.values]
            limits.append_left(values, result.used, request.taken_at)
            told = Quotas(quotas.told + limits.told, values)
            raise counter_refusal(limits, request, result, rate_headers(told))
        return result.used

    def _undo(self, request: CounterRequest | None) -> None:
        if request is not None:
            self.correct(request, -request.amount)

    def settle_deferred(self, reservation_id: str, amounts: Amounts) -> None:
        """Book the amounts of a deferred call; neither waits nor fails, and only the first call counts."""
        self.reservations.end(reservation_id, amounts)

    def has_budgets(self, client: Client) -> bool:
        """Return whether any limit in tokens or money holds for a client."""
        return self._limits_of(client).has_budgets

    def has_byte_limits(self, client: Client) -> bool:
        """Return whether any limit on uploads holds for a client."""
        limits = [owner.limits for owner in self._owners.of(client)]
        return any(each.bytes_per_day or each.max_file_bytes or each.stored_bytes for each in limits)

    def _limits_of(self, client: Client) -> ClientLimits:
        known = self._limits.get(id(client))
        if known is not None and known[0] is client:
            return known[1]
        if len(self._limits) >= MAX_KNOWN:
            self._limits.clear()
        limits = ClientLimits(self._owners.of(client))
        self._limits[id(client)] = (client, limits)
        return limits

    async def take_bytes(self, client: Client, count: int) -> None:
        """Count bytes that a client uploads today, for good; raises RateLimitedError if a budget has no room."""
        owners = tuple(owner for owner in self._owners.of(client) if owner.limits.bytes_per_day is not None)
        if not owners or not count:
            return
        now = self._clock()
        owned = tuple((owner, budget) for owner, budget in budgets_of(owners, now) if budget.bytes is not None)
        amounts = Amounts(bytes=bounded(count))
        held = await self.reservations.use(tuple(budget for _, budget in owned), amounts)
        if held.refused is not None:
            raise _refusal(owned, held, amounts, now, NO_QUOTAS)

    def max_file_bytes(self, client: Client) -> int | None:
        """Return the smallest limit on one file's size that holds for a client, None without such a limit."""
        limits = [owner.limits.max_file_bytes for owner in self._owners.of(client)]
        return min((limit for limit in limits if limit is not None), default=None)

    def check_file(self, client: Client, size_bytes: int) -> None:
        """Raise FileTooLargeError if a file is larger than the smallest limit that holds for the client."""
        most = self.max_file_bytes(client)
        if most is not None and size_bytes > most:
            raise FileTooLargeError(f"The file has {size_bytes} bytes; your limit is {most} bytes.")

    async def sweep(self) -> None:
        """Prolong running requests and calls, and book the calls of processes that died; to be run every minute."""
        await self._counters.renew(now=self._clock())
        booked = await self.reservations.sweep()
        if booked:
            log.warning("%d calls ended without a settlement and were booked at their estimates", booked)

    async def drained(self) -> None:
        """Wait until everything that has ended is counted and booked."""
        await self._counters.drained()
        await self.reservations.drained()


def _refusal(
    owned: tuple[tuple[LimitOwner, Budget], ...], held: HoldResult, amounts: Amounts, now: float, quotas: Quotas
) -> RateLimitedError:
    owner, budget = next((owner, budget) for owner, budget in owned if budget == held.refused)
    state = held.states[0]
    if owner.kind is OwnerKind.CLIENT:
        values = [*quotas.values]
        append_left(values, budget, state, now)
        quotas = Quotas((*quotas.told, policies_of(budget)), values)
    return budget_refusal(owner, budget, state, amounts, now=now, headers=rate_headers(quotas))


@asynccontextmanager
async def open_admission(
    settings: Settings, database: Database, *, clock: Callable[[], float] = time.time
) -> AsyncIterator[Admission]:
    """Open counters and reservations, and write the rest at the end. `clock` gives seconds since the epoch."""
    redis_url = None if settings.redis_url is None else settings.redis_url.get_secret_value()
    reservations = Reservations(BudgetBook(database), clock)
    async with open_counters(redis_url, settings.limits_on_outage) as counters, reservations.running():
        yield Admission(LimitOwners.of_settings(settings), counters, reservations, clock)
