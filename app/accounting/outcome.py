"""The end of a model call, and the amounts that are booked for it. Pure functions.

    surface ──> Outcome ──(estimate, price)──> booking_of ──> Booking ──> budget and ledger, by metering.py

The surface that asked the model makes the outcome once; all booked amounts follow from the outcome.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto

from app.accounting.estimate import CHARS_PER_TOKEN, Estimate
from app.clients.budgets import NANO, bounded, nanodollars
from app.errors import (
    PROBLEMS,
    BlockedByModelError,
    ClientGoneError,
    GatewayError,
    UpstreamFailedError,
    UpstreamRefusedError,
    UpstreamTimeoutError,
    UpstreamUnfinishedError,
)
from app.gemini.answer import Usage
from app.gemini.finish_reasons import BLOCKED, FAILED, TRUNCATED
from app.gemini.models import Price
from app.request.usage import Booking
from app.store.ledger_records import LedgerOutcome


class OutcomeKind(Enum):
    """The ways in which a model call can end."""

    ANSWERED = auto()
    """Whole, with its usage."""
    UNMETERED = auto()
    """Whole, without its usage."""
    CUT = auto()
    """Broken off, perhaps after some text or usage."""
    REFUSED = auto()
    """Refused before a model worked: costs nothing."""
    DEFERRED = auto()
    """Accepted; its cost is known later."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a model call.

    `word` is the ledger's. `usage` is Gemini's last usage, None without any; `text_chars` is the length of the text
    that came, thoughts excluded. `tier` is the service tier that the answer named.
    """

    kind: OutcomeKind
    word: LedgerOutcome
    usage: Usage | None = None
    text_chars: int = 0
    tier: str | None = None

    @classmethod
    def whole(
        cls, usage: Usage | None, finish_reason: str | None, *, text_chars: int = 0, tier: str | None = None
    ) -> "Outcome":
        """Return the outcome of an answer that came whole, with or without usage."""
        is_metered = usage is not None and usage.is_counted
        kind = OutcomeKind.ANSWERED if is_metered else OutcomeKind.UNMETERED
        return cls(kind, word_of_finish(finish_reason), usage, text_chars, tier)

    @classmethod
    def broken(
        cls, error: BaseException | None, usage: Usage | None, text_chars: int = 0, *, tier: str | None = None
    ) -> "Outcome":
        """Return the outcome of a call that `error` ended: a refusal if no model can have worked, else a cut."""
        if usage is None and not text_chars and is_free(error):
            return cls.refused(word_of_error(error))
        has_begun = usage is not None or text_chars > 0
        return cls(OutcomeKind.CUT, word_of_error(error, has_begun=has_begun), usage, text_chars, tier)

    @classmethod
    def refused(cls, word: LedgerOutcome) -> "Outcome":
        """Return the outcome of a call that costs nothing."""
        return cls(OutcomeKind.REFUSED, word)

    @classmethod
    def refused_by_status(cls, status: int) -> "Outcome":
        """Return the outcome of a call that Gemini refused with an HTTP status of 400 or above."""
        return cls.refused(LedgerOutcome.FAILED if status >= 500 else LedgerOutcome.REJECTED)


DEFERRED = Outcome(OutcomeKind.DEFERRED, LedgerOutcome.DEFERRED)


_PERHAPS_ASKED = (UpstreamUnfinishedError, ClientGoneError)
"""Errors after which a model may have worked all the same."""


def is_free(error: BaseException | None) -> bool:
    """Return whether a call that ended in `error`, before any of its answer, cost nothing.

    True for Gemini's refusals, and for errors of the request or the gateway before the request's last byte was sent.
    """
    if isinstance(error, UpstreamRefusedError):
        return True
    return isinstance(error, GatewayError) and not isinstance(error, _PERHAPS_ASKED)


def word_of_finish(finish_reason: str | None) -> LedgerOutcome:
    """Return the ledger's word for a whole answer, by Gemini's finish reason in lower case, None without a reason."""
    if finish_reason in TRUNCATED:
        return LedgerOutcome.TRUNCATED
    if finish_reason in BLOCKED:
        return LedgerOutcome.BLOCKED
    return LedgerOutcome.FAILED if finish_reason in FAILED else LedgerOutcome.OK


def word_of_error(error: BaseException | None, *, has_begun: bool = False) -> LedgerOutcome:
    """Return the ledger's word for a call or request that ended in `error`.

    A cancellation is a cut; the end of the request shows whether a deadline, the client or a shutdown cancelled.
    """
    if not isinstance(error, GatewayError):
        return LedgerOutcome.FAILED if isinstance(error, Exception) else LedgerOutcome.CUT
    if has_begun and isinstance(error, UpstreamFailedError) and not isinstance(error, UpstreamRefusedError):
        return LedgerOutcome.CUT
    return _word_of_kind(type(error))


def word_of_code(code: str) -> LedgerOutcome:
    """Return the ledger's word for a request that was answered with a problem of this code."""
    return _word_of_kind(PROBLEMS.get(code, GatewayError))


def _word_of_kind(kind: type[GatewayError]) -> LedgerOutcome:
    if issubclass(kind, ClientGoneError):
        return LedgerOutcome.CLIENT_GONE
    if issubclass(kind, BlockedByModelError):
        return LedgerOutcome.BLOCKED
    if issubclass(kind, UpstreamTimeoutError) and not issubclass(kind, UpstreamRefusedError):
        return LedgerOutcome.DEADLINE
    if kind.status >= 500:
        return LedgerOutcome.FAILED
    return LedgerOutcome.REJECTED if issubclass(kind, UpstreamRefusedError) else LedgerOutcome.REFUSED


_COMPLETE = frozenset({None, LedgerOutcome.OK, LedgerOutcome.TRUNCATED, LedgerOutcome.DEFERRED})


def word_of_request(
    word: LedgerOutcome | None, *, code: str | None, status: int, is_shutdown: bool = False
) -> LedgerOutcome:
    """Return the ledger's word for a request, from its last model call's word, its problem's code and its HTTP status.

    A client that left has the status 499. The word of a model call that ended badly says more than the problem that
    followed, except for a deadline, which the model call sees as a mere cancellation.
    """
    if is_shutdown:
        return LedgerOutcome.SHUTDOWN
    if status == ClientGoneError.status:
        return LedgerOutcome.CLIENT_GONE
    problem = None if code is None else word_of_code(code)
    if word is None and problem is None and status >= 400:
        return LedgerOutcome.FAILED if status >= 500 else LedgerOutcome.REFUSED
    if problem is not None and (word in _COMPLETE or problem is LedgerOutcome.DEADLINE):
        return problem
    return word or LedgerOutcome.OK


NO_BOOKING = Booking(Usage(), 0)


def booking_of(outcome: Outcome, estimate: Estimate, price: Price | None) -> Booking:
    """Return the amounts to book for a call that ended in `outcome`.

    Gemini's last usage counts on every ending. Without usage, the estimated input and the text that came count: never
    zero, and never more because an answer was read to its end.
    """
    if outcome.kind in {OutcomeKind.REFUSED, OutcomeKind.DEFERRED}:
        return NO_BOOKING
    usage = outcome.usage or Usage()
    if outcome.kind is not OutcomeKind.ANSWERED:
        # A stream may count its output only in its last chunk, and its input in no chunk.
        usage = replace(
            usage,
            input_tokens=usage.input_tokens or estimate.input_tokens,
            output_tokens=usage.output_tokens or outcome.text_chars // CHARS_PER_TOKEN,
        )
    return Booking(usage, None if price is None else bounded(nanodollars(price.cost(usage))))


def dollars(cost: int | None) -> float | None:
    """Return billionths of a US dollar as US dollars."""
    return None if cost is None else cost / NANO


def total_of(bookings: Iterable[Booking]) -> Booking:
    """Return the sum of several bookings; its cost is None if any of them has no price."""
    usage, cost = Usage(), 0
    is_priced = True
    for booking in bookings:
        usage += booking.usage
        cost += booking.cost or 0
        is_priced = is_priced and booking.cost is not None
    return Booking(usage, cost if is_priced else None)
