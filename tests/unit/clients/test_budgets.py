import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clients.budgets import budgets_of, nanodollars
from app.clients.identity import Limits
from app.clients.limit_owners import GATEWAY_KEY, LimitOwner, OwnerKind
from app.store.budget_records import Amounts, Budget, BudgetState, Hold, HoldResult, Settlement
from app.store.budgets import KEPT_BUDGET_S, KEPT_SWEPT_S, BudgetBook
from app.store.database import open_database
from tests.unit.clients.clock import NOON

MIDNIGHT = NOON + 12 * 3600
LEASE = NOON + 180


def day(
    subject: str = "client:web", *, tokens: int | None = None, cost: int | None = None, count: int | None = None
) -> Budget:
    return Budget(subject, "2025-11-25", MIDNIGHT - 86_400, MIDNIGHT, tokens, cost, count)


@pytest.fixture
async def book(database_url: str) -> AsyncIterator[BudgetBook]:
    async with open_database(database_url) as database:
        yield BudgetBook(database)


async def hold(book: BudgetBook, call: str, *budgets: Budget, tokens: int = 0, cost: int = 0, count: int = 0) -> bool:
    (held,) = await book.write([Hold(call, budgets, Amounts(tokens, cost, count), LEASE)], [])
    return held.refused is None


async def settle(book: BudgetBook, *settlements: Settlement) -> None:
    await book.write([], settlements)


async def standing(book: BudgetBook, subject: str = "client:web") -> BudgetState:
    return await book.state(subject, "2025-11-25")


async def test_a_hold_counts_until_it_is_settled_to_its_usage(book: BudgetBook) -> None:
    await hold(book, "a", day(tokens=100), tokens=60, cost=7)
    held = await standing(book)
    await settle(book, Settlement("a", tokens=20, cost=3))

    assert held == BudgetState(Amounts(), Amounts(60, 7))
    assert await standing(book) == BudgetState(Amounts(20, 3), Amounts())


@pytest.mark.parametrize("kind", ["tokens", "cost", "bytes"])
async def test_a_budget_is_filled_to_its_limit_and_no_further(book: BudgetBook, kind: str) -> None:
    amounts, limited = {
        "tokens": (Amounts(tokens=40), day(tokens=100)),
        "cost": (Amounts(cost=40), day(cost=100)),
        "bytes": (Amounts(bytes=40), day(count=100)),
    }[kind]

    outcomes = [await book.write([Hold(call, (limited,), amounts, LEASE)], []) for call in "abc"]

    assert [outcome[0].refused for outcome in outcomes] == [None, None, limited]


async def test_one_that_is_larger_than_the_limit_is_refused_though_nothing_was_used(book: BudgetBook) -> None:
    assert not await hold(book, "a", day(tokens=100), tokens=101)
    assert await standing(book) == BudgetState()


async def test_of_several_budgets_all_are_held_or_none(book: BudgetBook) -> None:
    await hold(book, "a", day(GATEWAY_KEY, tokens=100), tokens=90)

    assert not await hold(book, "b", day(tokens=100), day(GATEWAY_KEY, tokens=100), tokens=20)
    assert await standing(book) == BudgetState()


async def test_a_refusal_tells_which_budget_and_how_it_stands(book: BudgetBook) -> None:
    await hold(book, "a", day(tokens=100), tokens=90)

    held = await book.write([Hold("b", (day(tokens=100),), Amounts(20), LEASE)], [])

    assert held == [HoldResult((BudgetState(Amounts(), Amounts(90)),), refused=day(tokens=100))]


async def test_of_a_batch_those_that_come_first_are_held_as_far_as_there_is_room(book: BudgetBook) -> None:
    both = (day(tokens=100), day(GATEWAY_KEY, tokens=50))
    batch = [
        Hold("a", both, Amounts(30), LEASE),
        Hold("b", both, Amounts(30), LEASE),
        Hold("c", (day(tokens=100),), Amounts(60), LEASE),
        Hold("d", (day("client:other"),), Amounts(1), LEASE),
        Hold("e", both, Amounts(20), LEASE),
    ]

    held = await book.write(batch, [])

    assert [each.refused and each.refused.subject for each in held] == [None, GATEWAY_KEY, "client:web", None, None]
    assert [each.states[-1].reserved.tokens for each in held] == [30, 30, 60, 1, 50]
    assert await standing(book) == BudgetState(Amounts(), Amounts(50))
    assert await standing(book, GATEWAY_KEY) == BudgetState(Amounts(), Amounts(50))
    await settle(book, *(Settlement(call, tokens=1, cost=0) for call in "abcde"))
    assert await standing(book) == BudgetState(Amounts(2), Amounts())


async def test_settlements_in_a_batch_make_room_for_its_holds(book: BudgetBook) -> None:
    await hold(book, "a", day(tokens=100), tokens=100)

    held = await book.write([Hold("b", (day(tokens=100),), Amounts(90), LEASE)], [Settlement("a", 10, 0)])

    assert held == [HoldResult((BudgetState(Amounts(10), Amounts(90)),))]


async def test_bytes_that_one_budget_refuses_are_given_back_to_the_others(book: BudgetBook) -> None:
    await hold(book, "a", day(count=100), day(GATEWAY_KEY, count=10), count=11)

    assert await standing(book) == BudgetState()


async def test_an_overrun_is_booked_and_counts_against_the_next(book: BudgetBook) -> None:
    await hold(book, "a", day(tokens=100), tokens=10)
    await settle(book, Settlement("a", tokens=150, cost=0))

    assert await standing(book) == BudgetState(Amounts(150), Amounts())
    assert not await hold(book, "b", day(tokens=100), tokens=1)


async def test_a_hold_of_zero_passes_a_full_budget(book: BudgetBook) -> None:
    await hold(book, "a", day(tokens=100, count=10), tokens=100)

    assert await hold(book, "b", day(tokens=100, count=10), count=10)


async def test_a_limit_that_was_raised_holds_from_the_next_call(book: BudgetBook) -> None:
    await hold(book, "a", day(tokens=100), tokens=100)

    assert await hold(book, "b", day(tokens=150), tokens=50)


async def test_a_reservation_is_settled_once_however_often_it_is_said(book: BudgetBook) -> None:
    await hold(book, "a", day(tokens=100), tokens=60)
    await settle(book, Settlement("a", tokens=20, cost=0))
    await settle(book, Settlement("a", tokens=20, cost=0), Settlement("never", tokens=5, cost=0))

    assert await standing(book) == BudgetState(Amounts(20), Amounts())


async def test_many_are_settled_at_once(book: BudgetBook) -> None:
    for number in range(20):
        await hold(book, str(number), day(f"client:{number % 3}", tokens=100), day(GATEWAY_KEY), tokens=5)
    await settle(book, *(Settlement(str(number), tokens=1, cost=2) for number in range(20)))

    assert await standing(book, "client:0") == BudgetState(Amounts(7, 14), Amounts())
    assert await standing(book, GATEWAY_KEY) == BudgetState(Amounts(20, 40), Amounts())


async def test_an_abandoned_call_is_booked_at_its_estimate(book: BudgetBook) -> None:
    await hold(book, "dead", day(tokens=100), tokens=60, cost=9)
    early = await book.sweep(now=LEASE)
    late = [await book.sweep(now=LEASE + 1) for _ in range(2)]

    assert (early, late) == (0, [1, 0])
    assert await standing(book) == BudgetState(Amounts(60, 9), Amounts())


async def test_a_call_that_is_said_to_run_is_not_swept(book: BudgetBook) -> None:
    await hold(book, "long", day(tokens=100), tokens=60)
    await book.renew(["long"], lease_until=LEASE + 180)

    assert await book.sweep(now=LEASE + 1) == 0


async def test_a_swept_call_that_ends_later_is_booked_at_its_usage(book: BudgetBook) -> None:
    await hold(book, "slow", day(tokens=100), tokens=60, cost=9)
    await book.sweep(now=LEASE + 1)
    await settle(book, Settlement("slow", tokens=70, cost=4))
    await settle(book, Settlement("slow", tokens=70, cost=4))

    assert await standing(book) == BudgetState(Amounts(70, 4), Amounts())


async def test_budgets_and_swept_reservations_are_forgotten_when_they_are_long_over(book: BudgetBook) -> None:
    await hold(book, "dead", day(tokens=100), tokens=60)
    await book.sweep(now=LEASE + 1)
    await book.forget_ended(LEASE + KEPT_SWEPT_S + 2)
    await settle(book, Settlement("dead", tokens=1, cost=0))
    kept = await standing(book)
    await book.forget_ended(MIDNIGHT + KEPT_BUDGET_S + 1)

    assert kept == BudgetState(Amounts(60), Amounts())
    assert await standing(book) == BudgetState()


async def test_a_day_begins_with_nothing_used(book: BudgetBook) -> None:
    tomorrow = Budget("client:web", "2025-11-26", MIDNIGHT, MIDNIGHT + 86_400, tokens=100)
    await hold(book, "a", day(tokens=100), tokens=100)

    assert await hold(book, "b", tomorrow, tokens=100)


async def test_of_many_at_once_on_several_replicas_exactly_as_many_are_held_as_fit(database_url: str) -> None:
    async with open_database(database_url) as one, open_database(database_url) as two, open_database(database_url) as c:
        books = [BudgetBook(one), BudgetBook(two), BudgetBook(c)]
        budgets = (day(tokens=1_000), day(GATEWAY_KEY, tokens=700))

        held = await asyncio.gather(
            *(hold(books[number % 3], str(number), *budgets, tokens=100) for number in range(24))
        )

        assert sum(held) == 7
        assert await standing(books[0]) == BudgetState(Amounts(), Amounts(700))


async def test_replicas_that_hold_settle_prolong_and_sweep_at_once_never_wait_for_each_other(database_url: str) -> None:
    async with open_database(database_url) as one, open_database(database_url) as two:
        books = [BudgetBook(one), BudgetBook(two)]

        async def calls(number: int) -> None:
            book = books[number % 2]
            clients = [f"client:{number % 3}", f"client:{(number + 1) % 3}"]
            for turn, client in enumerate(clients * 4):
                await hold(book, f"{number}-{turn}", day(client), day(GATEWAY_KEY), tokens=2)
            await book.renew([f"{number}-{turn}" for turn in range(4)], lease_until=LEASE + 60)
            await book.sweep(now=LEASE + 1)
            await settle(book, *(Settlement(f"{number}-{turn}", tokens=1, cost=0) for turn in range(8)))

        await asyncio.gather(*(calls(number) for number in range(8)))

        assert await standing(books[0], GATEWAY_KEY) == BudgetState(Amounts(64), Amounts())


STEP = st.one_of(
    st.tuples(st.just("hold"), st.integers(0, 60)),
    st.tuples(st.just("settle"), st.integers(0, 90)),
    st.tuples(st.just("sweep"), st.just(0)),
)
AT_ONCE = st.lists(STEP, min_size=1, max_size=6)


@settings(max_examples=25, deadline=None)
@given(rounds=st.lists(AT_ONCE, max_size=6))
def test_concurrent_holds_never_exceed_the_unused_budget(
    rounds: list[list[tuple[str, int]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('book')}/gateway.db"
    asyncio.run(_follow(url, rounds))


async def _follow(url: str, rounds: list[list[tuple[str, int]]]) -> None:
    limit, overrun, used = 100, 0, 0
    running: dict[str, int] = {}
    async with open_database(url) as one, open_database(url) as other:
        books = [BudgetBook(one), BudgetBook(other)]

        async def step(call: str, book: BudgetBook, what: str, amount: int) -> None:
            nonlocal overrun, used
            if what == "hold":
                if await hold(book, call, day(tokens=limit), tokens=amount):
                    running[call] = amount
            elif what == "sweep":
                await book.sweep(now=LEASE + 1)
            elif running:
                ended, held = running.popitem()
                overrun += max(amount - held, 0)
                used += amount
                await settle(book, Settlement(ended, tokens=amount, cost=0))

        for turn, steps in enumerate(rounds):
            calls = (step(f"{turn}-{at}", books[at % 2], *each) for at, each in enumerate(steps))
            await asyncio.gather(*calls)
            now = await standing(books[0])
            assert now.reserved.tokens >= 0
            assert now.used.tokens + now.reserved.tokens <= limit + overrun
        await settle(books[0], *(Settlement(call, tokens=held, cost=0) for call, held in running.items()))
        assert await standing(books[1]) == BudgetState(Amounts(used + sum(running.values())), Amounts())


def test_budgets_are_days_and_months_of_utc_in_the_order_of_their_keys() -> None:
    limits = Limits(tokens_per_day=5, tokens_per_month=6, cost_per_month=0.25, bytes_per_day=7)
    owners = [
        LimitOwner(OwnerKind.CLIENT, "client:web", limits),
        LimitOwner(OwnerKind.GATEWAY, GATEWAY_KEY, Limits(cost_per_day=1)),
    ]

    found = [budget for _, budget in budgets_of(owners, NOON)]

    assert found == [
        Budget("client:web", "2025-11", MIDNIGHT - 25 * 86_400, MIDNIGHT + 5 * 86_400, tokens=6, cost=250_000_000),
        Budget("client:web", "2025-11-25", MIDNIGHT - 86_400, MIDNIGHT, tokens=5, bytes=7),
        Budget("total", "2025-11-25", MIDNIGHT - 86_400, MIDNIGHT, cost=1_000_000_000),
    ]
    assert [(each.subject, each.period) for each in found] == sorted((each.subject, each.period) for each in found)


def test_a_month_ends_with_its_year() -> None:
    last_second = 1_767_225_599.0
    (_, budget), *_ = budgets_of([LimitOwner(OwnerKind.GATEWAY, GATEWAY_KEY, Limits(tokens_per_month=1))], last_second)

    assert (budget.period, budget.ends_at) == ("2025-12", last_second + 1)


@pytest.mark.parametrize(
    ("dollars", "expected"), [(0.0, 0), (1e-9, 1), (1e-10, 1), (2.5, 2_500_000_000), (-1.0, 0), (float("inf"), 10**18)]
)
def test_money_is_whole_billionths_of_a_dollar_rounded_up(dollars: float, expected: int) -> None:
    assert nanodollars(dollars) == expected
