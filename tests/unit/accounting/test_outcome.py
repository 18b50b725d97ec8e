"""The amounts that are booked for each ending of a call, and the ledger's words."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.accounting.estimate import Estimate
from app.accounting.outcome import (
    DEFERRED,
    NO_BOOKING,
    Outcome,
    OutcomeKind,
    booking_of,
    total_of,
    word_of_request,
)
from app.errors import (
    BadModelAnswerError,
    BlockedByModelError,
    BusyError,
    ClientGoneError,
    GatewayError,
    MalformedRequestError,
    RateLimitedError,
    RejectedByModelError,
    UpstreamFailedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from app.gemini.answer import Usage
from app.gemini.models import Price
from app.gemini.refusals import GeminiBusyError, GeminiFailedError, GeminiTimeoutError
from app.request.usage import Booking
from app.store.budget_records import Amounts
from app.store.ledger_records import LedgerOutcome as Word

ESTIMATE = Estimate(100, max_output_tokens=1_000)
PRICE = Price(input=1.0, output=10.0)
USAGE = Usage(5, 3, 900, total_tokens=908)
THINKING = Usage(5, 0, 900, total_tokens=905)


def amounts(outcome: Outcome) -> Amounts:
    return booking_of(outcome, ESTIMATE, PRICE).amounts


def cost(input_tokens: int, output_tokens: int) -> int:
    """Nanodollars at PRICE."""
    return 1_000 * input_tokens + 10_000 * output_tokens


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome.whole(USAGE, "stop"), Amounts(908, cost(5, 903))),
        (Outcome.broken(UpstreamFailedError("cut"), USAGE), Amounts(908, cost(5, 903))),
        (Outcome.broken(asyncio.CancelledError(), THINKING), Amounts(905, cost(5, 900))),
        (Outcome.broken(asyncio.CancelledError(), THINKING, 40), Amounts(915, cost(5, 910))),
        (Outcome.whole(None, "stop", text_chars=40), Amounts(110, cost(100, 10))),
        (Outcome.broken(UpstreamFailedError("cut"), None, 40), Amounts(110, cost(100, 10))),
        (Outcome.broken(asyncio.CancelledError(), None), Amounts(100, cost(100, 0))),
        (Outcome.broken(GeminiFailedError("in mid-stream"), None, 40), Amounts(110, cost(100, 10))),
        (Outcome.broken(GeminiFailedError("at once"), None), Amounts()),
        (Outcome.refused_by_status(429), Amounts()),
        (DEFERRED, Amounts()),
    ],
    ids=str,
)
def test_every_ending_has_its_amounts(outcome: Outcome, expected: Amounts) -> None:
    assert amounts(outcome) == expected


@given(st.integers(0, 10_000))
def test_reading_to_the_end_without_usage_never_costs_more_than_breaking_off_there(chars: int) -> None:
    assert amounts(Outcome.whole(None, "stop", text_chars=chars)) == amounts(
        Outcome.broken(UpstreamFailedError("cut"), None, chars)
    )


@pytest.mark.parametrize(
    "error",
    [
        RejectedByModelError("no"),
        GeminiBusyError("later"),
        GeminiFailedError("500"),
        GeminiTimeoutError("504"),
        UpstreamUnavailableError("not reached"),
        MalformedRequestError("found while the body was sent"),
        BusyError("no connection is free"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_refusal_costs_nothing(error: GatewayError) -> None:
    assert Outcome.broken(error, None).kind is OutcomeKind.REFUSED


@pytest.mark.parametrize(
    "error", [UpstreamFailedError("reset"), UpstreamTimeoutError("late"), ClientGoneError("left"), ValueError(), None]
)
def test_a_call_that_a_model_may_have_worked_on_is_never_free(error: BaseException | None) -> None:
    assert amounts(Outcome.broken(error, None)).tokens > 0


def test_a_model_without_a_price_has_tokens_and_no_cost() -> None:
    assert booking_of(Outcome.whole(USAGE, "stop"), ESTIMATE, None) == Booking(USAGE, None)


def test_bookings_add_up_and_one_without_a_price_makes_the_sum_unpriced() -> None:
    one = Booking(Usage(10, 2, input_by_modality={"text": 10}), 5)
    other = Booking(Usage(12, 3, input_by_modality={"text": 2, "audio": 10}), 7)

    assert total_of([one, other]) == Booking(Usage(22, 5, input_by_modality={"text": 12, "audio": 10}), 12)
    assert total_of([one, Booking(Usage(1), None)]).cost is None
    assert total_of([]) == NO_BOOKING


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("stop", Word.OK),
        (None, Word.OK),
        ("a_reason_of_the_future", Word.OK),
        ("max_tokens", Word.TRUNCATED),
        ("length", Word.TRUNCATED),
        ("safety", Word.BLOCKED),
        ("blocked", Word.BLOCKED),
        ("failed", Word.FAILED),
    ],
)
def test_the_word_of_a_whole_answer_is_that_of_its_finish_reason(reason: str | None, word: Word) -> None:
    assert Outcome.whole(USAGE, reason).word is word


@pytest.mark.parametrize(
    ("error", "has_begun", "word"),
    [
        (RejectedByModelError("no"), False, Word.REJECTED),
        (GeminiBusyError("later"), False, Word.REJECTED),
        (RateLimitedError("the gateway's own"), False, Word.REFUSED),
        (GeminiFailedError("500"), False, Word.FAILED),
        (GeminiTimeoutError("504"), False, Word.FAILED),
        (UpstreamUnavailableError("not reached"), False, Word.FAILED),
        (UpstreamFailedError("reset"), False, Word.FAILED),
        (UpstreamFailedError("reset"), True, Word.CUT),
        (UpstreamTimeoutError("late"), True, Word.DEADLINE),
        (asyncio.CancelledError(), True, Word.CUT),
        (ValueError(), False, Word.FAILED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_word_of_a_broken_call_is_that_of_its_error(error: BaseException, has_begun: bool, word: Word) -> None:
    assert Outcome.broken(error, USAGE if has_begun else None).word is word


@pytest.mark.parametrize(
    ("word", "code", "status", "expected"),
    [
        (None, None, 201, Word.OK),
        (Word.OK, None, 200, Word.OK),
        (Word.TRUNCATED, None, 200, Word.TRUNCATED),
        (Word.OK, BadModelAnswerError.code, 502, Word.FAILED),
        (Word.BLOCKED, BlockedByModelError.code, 422, Word.BLOCKED),
        (Word.REJECTED, RateLimitedError.code, 429, Word.REJECTED),
        (None, RateLimitedError.code, 429, Word.REFUSED),
        (Word.CUT, UpstreamTimeoutError.code, 504, Word.DEADLINE),
        (Word.CUT, UpstreamFailedError.code, 200, Word.CUT),
        (Word.CUT, None, 499, Word.CLIENT_GONE),
        (Word.OK, None, 499, Word.CLIENT_GONE),
        (None, None, 404, Word.REFUSED),
        (None, None, 502, Word.FAILED),
    ],
)
def test_the_word_of_a_request(word: Word | None, code: str | None, status: int, expected: Word) -> None:
    assert word_of_request(word, code=code, status=status) is expected


def test_a_request_that_the_gateways_end_cut_is_a_shutdown() -> None:
    assert word_of_request(Word.CUT, code=None, status=500, is_shutdown=True) is Word.SHUTDOWN
