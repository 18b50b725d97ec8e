import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from app.clients import budget_writer
from app.clients.budget_writer import BudgetWriter
from app.errors import StoreUnavailableError
from app.store.budget_records import Amounts, BudgetState, Hold, HoldResult, Settlement

ADMITTED = HoldResult((BudgetState(),))


@dataclass
class Book:
    """Records the writes; a test may let them fail, or delay them."""

    batches: list[tuple[list[str | None], list[str]]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)
    is_writing: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self, holds: Sequence[Hold], settlements: Sequence[Settlement]) -> list[HoldResult]:
        self.is_writing.set()
        await self.may_go_on.wait()
        if any(each.id == "spoilt" for each in holds):
            raise ValueError("a name with a NUL, for example")
        if self.failures:
            raise self.failures.pop(0)
        self.batches.append(([each.id for each in holds], [each.id for each in settlements]))
        return [ADMITTED for _ in holds]


@pytest.fixture
def book() -> Book:
    book = Book()
    book.may_go_on.set()
    return book


@pytest.fixture
async def writer(book: Book) -> AsyncIterator[BudgetWriter]:
    writer = BudgetWriter(book.write)
    async with writer.running():
        yield writer
        book.may_go_on.set()


def hold(call: str) -> Hold:
    return Hold(call, (), Amounts(1), 0)


def settlement(call: str) -> Settlement:
    return Settlement(call, 1, 1)


async def test_entries_that_come_during_a_write_are_written_together(book: Book, writer: BudgetWriter) -> None:
    book.may_go_on.clear()
    first = writer.hold(hold("a"))
    await book.is_writing.wait()
    others = [writer.hold(hold(call)) for call in "bc"]
    writer.settle(settlement("x"))
    book.may_go_on.set()

    assert await asyncio.gather(first, *others) == [ADMITTED] * 3
    assert book.batches == [(["a"], []), (["b", "c"], ["x"])]


async def test_a_settlement_goes_with_the_next_hold(book: Book, writer: BudgetWriter) -> None:
    writer.settle(settlement("a"))
    await writer.hold(hold("b"))

    assert book.batches == [(["b"], ["a"])]


async def test_a_settlement_is_written_though_no_hold_comes(
    book: Book, writer: BudgetWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget_writer, "SETTLE_WITHIN_S", 0)
    writer.settle(settlement("a"))
    await book.is_writing.wait()
    await writer.drained()

    assert book.batches == [([], ["a"])]


async def test_settlements_outlive_an_outage_and_holds_fail_with_it(
    book: Book, writer: BudgetWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget_writer, "RETRY_S", 0)
    book.failures = [StoreUnavailableError("away"), StoreUnavailableError("away")]
    writer.settle(settlement("a"))

    with pytest.raises(StoreUnavailableError):
        await writer.hold(hold("b"))
    await writer.drained()

    # What may have been written before the outage was noticed is taken back.
    assert book.batches == [([], ["a", "b"])]


async def test_a_hold_that_is_cancelled_is_given_back_however_far_it_was(book: Book, writer: BudgetWriter) -> None:
    book.may_go_on.clear()
    written = writer.hold(hold("a"))
    await book.is_writing.wait()
    waiting = writer.hold(hold("b"))
    written.cancel()
    waiting.cancel()
    book.may_go_on.set()
    await writer.drained()

    assert book.batches[0] == (["a"], [])
    assert [call for _, settled in book.batches for call in settled] == ["a"]


async def test_a_defect_fails_the_holds_and_does_not_end_the_writing(
    book: Book, writer: BudgetWriter, caplog: pytest.LogCaptureFixture
) -> None:
    book.failures = [ValueError("secret")]

    with caplog.at_level(logging.ERROR), pytest.raises(ValueError, match="secret"):
        await writer.hold(hold("a"))
    await writer.hold(hold("b"))

    assert caplog.messages == ["not written: ValueError"]
    assert book.batches[-1][0] == ["b"]


async def test_a_call_that_cannot_be_written_spoils_none_that_came_with_it(book: Book, writer: BudgetWriter) -> None:
    book.may_go_on.clear()
    first = writer.hold(hold("a"))
    await book.is_writing.wait()
    others = [writer.hold(hold(call)) for call in ("b", "spoilt", "c")]
    writer.settle(settlement("x"))
    book.may_go_on.set()

    ended = await asyncio.gather(first, *others, return_exceptions=True)

    assert [isinstance(each, ValueError) for each in ended] == [False, False, True, False]
    await writer.drained()
    assert book.batches == [(["a"], []), ([], ["x"]), (["b"], []), (["c"], []), ([], ["spoilt"])]


async def test_settled_reservations_are_written_at_shutdown(book: Book) -> None:
    writer = BudgetWriter(book.write)
    async with writer.running():
        for number in range(1_000):
            writer.settle(settlement(str(number)))

    assert sum(len(settled) for _, settled in book.batches) == 1_000
