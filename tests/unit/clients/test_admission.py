import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from app.clients import budget_writer
from app.clients.admission import MAX_LIVE_SESSIONS, Admission, RateTicket, Reservation
from app.clients.budgets import MOST_AT_ONCE
from app.clients.counter_choice import open_counters
from app.clients.counters import LEASE_S, WINDOW_S
from app.clients.identity import LOCAL, Client, Limits
from app.clients.limit_owners import LimitOwners
from app.clients.rate_headers import rate_headers
from app.clients.reservations import Reservations
from app.errors import FileTooLargeError, RateLimitedError, StoreUnavailableError, UnpricedModelError
from app.store.budget_records import NO_AMOUNTS, Amounts, BudgetState
from app.store.budgets import BudgetBook
from app.store.database import Database, open_database
from tests.servers import PostgresServer, ValkeyServer
from tests.unit.clients.clock import Clock

TODAY = "2025-11-25"
SMALL = Amounts(tokens=100, cost=10_000_000)


def client(name: str = "web", *, issuer: str | None = None, **limits: float) -> Client:
    return Client(id=name, name=name, issuer=issuer, limits=Limits(**limits))  # type: ignore[arg-type]  # by name


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@asynccontextmanager
async def opened(
    database: Database, redis_url: str | None, clock: Clock, owners: LimitOwners | None = None
) -> AsyncIterator[Admission]:
    reservations = Reservations(BudgetBook(database), clock)
    async with open_counters(redis_url, "refuse") as counters, reservations.running():
        yield Admission(owners or LimitOwners(), counters, reservations, clock)


@pytest.fixture
async def admission(database: Database, redis_url: str | None, clock: Clock) -> AsyncIterator[Admission]:
    async with opened(database, redis_url, clock) as admission:
        yield admission


@dataclass(frozen=True, slots=True)
class Running:
    """A request that came in, and its one admitted model call."""

    ticket: RateTicket
    reservation: Reservation

    def headers(self) -> dict[str, str]:
        return rate_headers(self.reservation.quotas)

    def settle(self, amounts: Amounts) -> None:
        self.reservation.settle(amounts)
        self.ticket.release()


async def begin(admission: Admission, caller: Client, estimate: Amounts = SMALL) -> Running:
    """Let a request in and admit its model call, as the gateway does."""
    ticket = await admission.enter(caller)
    try:
        return Running(ticket, await admission.admit(caller, estimate, ticket))
    except BaseException:
        ticket.release()
        raise


async def refusal(admission: Admission, caller: Client, estimate: Amounts = SMALL) -> RateLimitedError:
    with pytest.raises(RateLimitedError) as caught:
        await begin(admission, caller, estimate)
    return caught.value


async def state_of(database: Database, admission: Admission, subject: str = "client:web") -> BudgetState:
    await admission.drained()
    return await BudgetBook(database).state(subject, TODAY)


async def test_a_client_without_limits_meets_no_counter_and_has_no_headers(admission: Admission) -> None:
    reservation = await begin(admission, LOCAL)
    reservation.settle(Amounts(5))

    assert reservation.headers() == {}


async def test_a_minutes_requests_are_admitted_and_the_next_is_told_when_to_come_again(
    admission: Admission, clock: Clock
) -> None:
    web = client(requests_per_minute=2)
    clock.now += 18
    headers = [(await begin(admission, web)).headers() for _ in range(2)]

    error = await refusal(admission, web)

    assert [each["RateLimit"] for each in headers] == ['"requests";r=1;t=42', '"requests";r=0;t=42']
    assert {each["RateLimit-Policy"] for each in headers} == {'"requests";q=2;w=60'}
    assert error.detail == "Your limit of 2 requests a minute is reached."
    assert error.retry_after_s == 42
    assert error.headers == headers[1]
    clock.now += 42
    await begin(admission, web)


async def test_the_headers_tell_of_every_limit_of_the_clients_own(admission: Admission) -> None:
    web = client(
        requests_per_minute=60,
        tokens_per_minute=1_000,
        concurrent_requests=4,
        tokens_per_day=5_000,
        cost_per_month=2.5,
        bytes_per_day=700,
    )

    headers = (await begin(admission, web)).headers()

    assert headers == {
        "RateLimit-Policy": '"requests";q=60;w=60, "concurrent-requests";q=4;qu="concurrent-requests", '
        '"tokens";q=1000;qu="tokens";w=60, "cost-month";q=2500000;qu="micro-usd";w=2592000, '
        '"tokens-day";q=5000;qu="tokens";w=86400, "bytes-day";q=700;qu="content-bytes";w=86400',
        "RateLimit": '"requests";r=59;t=60, "concurrent-requests";r=3, "tokens";r=900;t=60, '
        '"cost-month";r=2490000;t=475200, "tokens-day";r=4900;t=43200, "bytes-day";r=700;t=43200',
    }


async def test_a_slot_is_free_again_when_the_call_has_ended(admission: Admission) -> None:
    web = client(concurrent_requests=1)
    first = await begin(admission, web)
    error = await refusal(admission, web)
    first.settle(Amounts(2))

    assert error.detail == "Your limit of 1 concurrent requests is reached; wait until a call has ended."
    assert error.retry_after_s == 1
    await begin(admission, web)


async def test_the_number_of_live_sessions_of_a_client_is_limited(admission: Admission) -> None:
    held = [await admission.enter_live(client()) for _ in range(MAX_LIVE_SESSIONS)]

    with pytest.raises(RateLimitedError) as refused:
        await admission.enter_live(client())
    await admission.enter_live(client("other"))
    held[0].release()
    await admission.enter_live(client())

    assert refused.value.detail == "You have 20 Live sessions, the largest number allowed; end a session first."


async def test_a_call_that_runs_longer_than_a_lease_keeps_its_slot_and_its_reservation(
    admission: Admission, clock: Clock, database: Database
) -> None:
    web = client(concurrent_requests=1, tokens_per_day=1_000)
    await begin(admission, web)
    for _ in range(6):
        clock.now += 60
        await admission.sweep()

    assert clock.now > LEASE_S
    await refusal(admission, web)
    assert await state_of(database, admission) == BudgetState(Amounts(), Amounts(100, 10_000_000))


@pytest.mark.parametrize("used", [Amounts(38, 5_000_000), Amounts(1_200, 500_000_000), Amounts()], ids=str)
async def test_a_reservation_is_settled_once_to_the_used_amounts(
    admission: Admission, database: Database, used: Amounts
) -> None:
    running = await begin(admission, client(tokens_per_day=1_000, tokens_per_minute=1_000))
    held = await BudgetBook(database).state("client:web", TODAY)
    running.settle(used)
    running.settle(Amounts(18, 9))

    assert held == BudgetState(Amounts(), Amounts(100, 10_000_000))
    assert await state_of(database, admission) == BudgetState(used, Amounts())


async def test_tokens_of_a_minute_are_corrected_too(admission: Admission) -> None:
    web = client(tokens_per_minute=150)
    (await begin(admission, web)).settle(Amounts(50))
    await admission.drained()

    (await begin(admission, web)).settle(Amounts(110))
    await admission.drained()
    error = await refusal(admission, web)

    assert error.detail == "Your limit of 150 tokens a minute has 0 left, and this call may use 100."


async def test_a_days_budget_is_refused_until_the_day_ends(admission: Admission, clock: Clock) -> None:
    web = client(tokens_per_day=150)
    (await begin(admission, web)).settle(Amounts(100))
    await admission.drained()

    error = await refusal(admission, web)

    assert error.detail == "Your limit of 150 tokens a day has 50 left, and this call may use 100."
    assert error.retry_after_s == 12 * 3600
    assert error.headers["RateLimit"] == '"tokens-day";r=50;t=43200'
    clock.now += 12 * 3600
    await begin(admission, web)


async def test_an_overrun_limit_shows_zero_remaining(admission: Admission) -> None:
    web = client(tokens_per_day=150, tokens_per_minute=150)
    (await begin(admission, web)).settle(Amounts(300))
    await admission.drained()

    assert (await refusal(admission, web)).headers["RateLimit"] == '"tokens";r=0;t=60'
    assert '"tokens-day";r=0;' in (await refusal(admission, client(tokens_per_day=150))).headers["RateLimit"]


async def test_where_only_running_calls_are_in_the_way_the_wait_is_short(admission: Admission) -> None:
    web = client(tokens_per_day=150)
    await begin(admission, web)

    assert (await refusal(admission, web)).retry_after_s == 5


@pytest.mark.parametrize(
    "limits", [Limits(tokens_per_minute=99), Limits(tokens_per_day=99), Limits(cost_per_month=0.001)], ids=str
)
async def test_a_call_larger_than_its_limit_is_told_that_waiting_does_not_help(
    admission: Admission, limits: Limits
) -> None:
    error = await refusal(admission, Client("web", "web", limits=limits))

    assert error.retry_after_s is None
    assert "waiting does not help" in error.detail


async def test_a_call_refused_by_a_budget_costs_a_request_but_no_tokens_and_no_slot(admission: Admission) -> None:
    web = client(requests_per_minute=2, tokens_per_minute=250, concurrent_requests=1, tokens_per_day=190)
    await refusal(admission, web, Amounts(200))

    (await begin(admission, web)).settle(NO_AMOUNTS)
    assert (await refusal(admission, web)).detail == "Your limit of 2 requests a minute is reached."


async def test_every_request_holds_its_slot_from_its_head_to_its_end(admission: Admission) -> None:
    web = client(concurrent_requests=1, tokens_per_day=10_000)
    ticket = await admission.enter(web)
    for _ in range(2):
        (await admission.admit(web, SMALL, ticket)).settle(Amounts(2))
    with pytest.raises(RateLimitedError):
        await admission.enter(web)
    ticket.release()
    ticket.release()

    await admission.enter(web)


async def test_a_limit_in_money_refuses_a_model_without_a_price(admission: Admission) -> None:
    with pytest.raises(UnpricedModelError, match=r"Model 'gemini-9' has no price.*operator") as caught:
        await admission.admit(client(cost_per_day=1), SMALL, unpriced="Model 'gemini-9'")

    assert caught.value.errors[0].field == "model"


async def test_limits_of_the_issuer_and_of_the_gateway_hold_for_all_their_clients(
    database: Database, redis_url: str | None, clock: Clock
) -> None:
    owners = LimitOwners(Limits(tokens_per_day=350), {"app": Limits(requests_per_minute=2)})
    async with opened(database, redis_url, clock, owners) as admission:
        await begin(admission, client("one", issuer="app"))
        reservation = await begin(admission, client("two", issuer="app"))
        of_issuer = await refusal(admission, client("three", issuer="app"))
        await begin(admission, client("four"))
        of_gateway = await refusal(admission, client("five"))

    assert of_issuer.detail == "Your group's limit of 2 requests a minute is reached."
    assert of_gateway.detail == "The gateway's limit of 350 tokens a day has 50 left, and this call may use 100."
    # What others have left of theirs is not shown.
    assert reservation.headers() == of_issuer.headers == of_gateway.headers == {}


async def test_bytes_are_counted_as_they_are_uploaded(admission: Admission) -> None:
    web = client(bytes_per_day=1_000)
    await admission.take_bytes(web, 600)
    await admission.take_bytes(web, 300)
    with pytest.raises(RateLimitedError) as caught:
        await admission.take_bytes(web, 101)
    await admission.take_bytes(web, 100)

    assert caught.value.detail == "Your limit of 1000 uploaded bytes a day has 100 left, and this call may use 101."
    assert caught.value.headers["RateLimit"] == '"bytes-day";r=100;t=43200'


async def test_bytes_of_a_client_without_such_a_limit_are_not_counted(admission: Admission, database: Database) -> None:
    await admission.take_bytes(client(tokens_per_day=5), 600)
    await admission.take_bytes(LOCAL, 600)

    assert await state_of(database, admission) == BudgetState()


async def test_the_smallest_limit_of_a_file_holds(database: Database, clock: Clock) -> None:
    owners = LimitOwners(Limits(max_file_bytes=500), {"app": Limits(max_file_bytes=50)})
    async with opened(database, None, clock, owners) as admission:
        admission.check_file(LOCAL, 500)
        admission.check_file(client(issuer="app", max_file_bytes=100), 50)
        with pytest.raises(FileTooLargeError, match="your limit is 50 "):
            admission.check_file(client(issuer="app", max_file_bytes=100), 51)


async def test_of_concurrent_callers_on_three_replicas_exactly_the_limit_is_admitted_in_one_window(
    database_url: str, valkey: ValkeyServer, clock: Clock
) -> None:
    web = client(requests_per_minute=10, tokens_per_day=2_500)

    async with AsyncExitStack() as stack:
        replicas = []
        for _ in range(3):
            database = await stack.enter_async_context(open_database(database_url))
            replicas.append(await stack.enter_async_context(opened(database, valkey.url, clock)))

        async def attempt(number: int) -> bool:
            try:
                await begin(replicas[number % 3], web)
            except RateLimitedError:
                return False
            return True

        admitted = []
        for _ in range(3):
            admitted.append(sum(await asyncio.gather(*(attempt(number) for number in range(24)))))
            clock.now += WINDOW_S

    assert admitted == [10, 10, 5]


async def test_the_calls_of_a_replica_that_died_are_booked_once_at_their_estimates(
    database_url: str, valkey: ValkeyServer, clock: Clock
) -> None:
    web = client(concurrent_requests=2, tokens_per_day=1_000)
    async with open_database(database_url) as one, open_database(database_url) as two:
        async with opened(one, valkey.url, clock) as dead, opened(two, valkey.url, clock) as alive:
            lost = [await begin(dead, web) for _ in range(2)]
            await refusal(alive, web)
            clock.now += LEASE_S + 1
            await asyncio.gather(alive.sweep(), alive.sweep())
            booked = await state_of(two, alive)

            assert booked == BudgetState(Amounts(200, 20_000_000), Amounts())
            await begin(alive, web)
        assert lost


async def test_a_call_that_is_cancelled_while_it_is_admitted_holds_nothing(
    admission: Admission, database: Database
) -> None:
    web = client(requests_per_minute=50, concurrent_requests=20, tokens_per_day=3_000)
    tasks = [asyncio.ensure_future(begin(admission, web)) for _ in range(20)]
    for number, task in enumerate(tasks):
        await asyncio.sleep(0)
        if number % 2:
            task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    left = [each for each in ended if not isinstance(each, BaseException)]

    standing = await state_of(database, admission)

    assert standing.reserved.tokens == 100 * len(left)
    assert standing.used == Amounts()
    for each in left:
        each.settle(NO_AMOUNTS)
    more = [await begin(admission, web) for _ in range(20)]
    assert len(more) == 20


async def test_everything_that_ended_is_written_before_the_end(database: Database, clock: Clock) -> None:
    async with opened(database, None, clock) as admission:
        calls = [await begin(admission, client(tokens_per_day=10_000)) for _ in range(20)]
        for call in calls:
            call.settle(Amounts(2))

    assert await BudgetBook(database).state("client:web", TODAY) == BudgetState(Amounts(40), Amounts())


async def test_while_the_database_is_away_limited_calls_are_refused_and_nothing_that_ended_is_lost(
    postgres: PostgresServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget_writer, "RETRY_S", 0.05)
    web = client(requests_per_minute=7, tokens_per_day=1_000)
    async with open_database(postgres.new_database()) as database, opened(database, None, clock) as admission:
        running = await begin(admission, web)
        postgres.stop()
        try:
            running.settle(Amounts(3))
            for _ in range(4):
                with pytest.raises(StoreUnavailableError):
                    await begin(admission, web)
            await begin(admission, client("free", requests_per_minute=1))
        finally:
            postgres.start()

        await begin(admission, web)
        assert await state_of(database, admission) == BudgetState(Amounts(3), Amounts(100, 10_000_000))


@pytest.mark.parametrize("usage", [Amounts(10**30, 10**30), Amounts(-5, -5)])
async def test_a_usage_beyond_all_bounds_is_booked_within_them(
    admission: Admission, database: Database, usage: Amounts
) -> None:
    (await begin(admission, client(tokens_per_day=1_000, tokens_per_minute=1_000))).settle(usage)

    standing = await state_of(database, admission)

    assert admission.state == "ok"
    assert standing.reserved == Amounts()
    assert 0 <= standing.used.tokens <= MOST_AT_ONCE
    assert 0 <= standing.used.cost <= MOST_AT_ONCE


async def test_an_estimate_beyond_all_bounds_is_refused(admission: Admission) -> None:
    for limits in (Limits(tokens_per_day=10), Limits(cost_per_day=10), Limits(tokens_per_minute=10)):
        await refusal(admission, Client("web", "web", limits=limits), Amounts(10**30, 10**30))
