"""Limits for all users of a key together, under concurrency: SQLite and PostgreSQL, memory and Redis."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.clients.admission import Admission
from app.clients.identity import NO_LIMITS, Client, Limits
from app.errors import RateLimitedError
from app.store.budget_records import Amounts
from app.store.budgets import BudgetBook
from app.store.database import Database, open_database
from tests.unit.clients.clock import Clock
from tests.unit.clients.test_admission import SMALL, TODAY, begin, opened

USERS = 50


def user(number: int, total: Limits, own: Limits = NO_LIMITS) -> Client:
    name = f"cli_a/user{number}"
    return Client(name, name, limits=own, issuer="cli_a", total_limits=total)


def key(total: Limits) -> Client:
    return Client("cli_a", "a", total_limits=total)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


async def refused(admission: Admission, caller: Client, estimate: Amounts = SMALL) -> str | None:
    try:
        await begin(admission, caller, estimate)
    except RateLimitedError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("total", "estimate", "admitted"),
    [
        (Limits(tokens_per_day=1_000), SMALL, 10),
        (Limits(tokens_per_month=1_050), SMALL, 10),
        (Limits(cost_per_day=0.07), SMALL, 7),
        (Limits(cost_per_month=0.07), SMALL, 7),
        (Limits(tokens_per_minute=1_000), SMALL, 10),
        (Limits(requests_per_minute=13), SMALL, 13),
        (Limits(concurrent_requests=3), SMALL, 3),
    ],
)
async def test_fifty_users_at_once_never_pass_the_total_limit_of_their_key(
    database: Database, redis_url: str | None, clock: Clock, total: Limits, estimate: Amounts, admitted: int
) -> None:
    async with opened(database, redis_url, clock) as one, opened(database, redis_url, clock) as two:
        # In memory each process counts rates and slots by itself.
        replicas = (one, one) if redis_url is None else (one, two)
        ended = await asyncio.gather(
            *(refused(replicas[number % 2], user(number, total), estimate) for number in range(USERS)),
            refused(one, key(total), estimate),
        )

    assert ended.count(None) == admitted
    assert all("all users of your key together" in text for text in ended if text is not None)


async def test_an_overrun_of_one_user_counts_against_all_others(
    database: Database, redis_url: str | None, clock: Clock
) -> None:
    total = Limits(tokens_per_day=1_000)
    async with opened(database, redis_url, clock) as admission:
        running = await begin(admission, user(1, total))
        running.settle(Amounts(1_050, 100_000_000))
        await admission.drained()

        assert await refused(admission, user(2, total)) is not None
        assert await refused(admission, key(total)) is not None
        state = await BudgetBook(database).state("key:cli_a", TODAY)
    assert (state.used.tokens, state.reserved.tokens) == (1_050, 0)


async def test_a_users_own_limit_holds_besides_the_total_limit(
    database: Database, redis_url: str | None, clock: Clock
) -> None:
    total, own = Limits(tokens_per_day=250), Limits(tokens_per_day=100)
    async with opened(database, redis_url, clock) as admission:
        first = await begin(admission, user(1, total, own))
        again = await refused(admission, user(1, total, own))
        await begin(admission, user(2, total, own))
        third = await refused(admission, user(3, total, own))

    assert first.headers()["RateLimit-Policy"] == '"tokens-day";q=100;qu="tokens";w=86400'
    assert again is not None
    assert "Your limit of 100 tokens a day" in again
    assert third is not None
    assert "all users of your key together of 250 tokens a day" in third


async def test_a_call_that_the_total_limit_refuses_holds_nothing_of_the_users_own_limit(
    database: Database, redis_url: str | None, clock: Clock
) -> None:
    total, own = Limits(tokens_per_day=50), Limits(tokens_per_day=100, tokens_per_minute=100)
    async with opened(database, redis_url, clock) as admission:
        assert await refused(admission, user(1, total, own)) is not None
        await admission.drained()
        state = await BudgetBook(database).state("client:cli_a/user1", TODAY)

    assert (state.used.tokens, state.reserved.tokens) == (0, 0)


async def test_uploaded_bytes_and_the_largest_file_have_total_limits(
    database: Database, redis_url: str | None, clock: Clock
) -> None:
    total = Limits(bytes_per_day=1_000, max_file_bytes=400)
    async with opened(database, redis_url, clock) as admission:
        ended = await asyncio.gather(
            *(admission.take_bytes(user(number, total), 300) for number in range(USERS)), return_exceptions=True
        )
        assert admission.max_file_bytes(user(1, total)) == 400

    assert ended.count(None) == 3
    assert all(isinstance(each, RateLimitedError) for each in ended if each is not None)
