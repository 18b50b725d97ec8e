"""The values that travel in and out of the ledger, free of SQL. Times are seconds since the epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

MODALITIES = ("text", "image", "audio", "video", "document")

LedgerSurface = Literal["rest", "openai", "native"]


class LedgerOutcome(StrEnum):
    """The end of a request, in the ledger's column `outcome`."""

    OK = "ok"
    """Answered whole."""
    BLOCKED = "blocked"
    """Gemini withheld the answer, or refused the prompt for its content."""
    TRUNCATED = "truncated"
    """A limit on the answer's length cut it."""
    REFUSED = "refused"
    """The gateway refused the request: a limit, a missing right, a wrong field."""
    REJECTED = "rejected"
    """Gemini refused the request with a status of 4xx."""
    FAILED = "failed"
    """Gemini or the gateway failed."""
    CUT = "cut"
    """The answer broke off after it had begun."""
    DEADLINE = "deadline"
    """The request's time was over."""
    CLIENT_GONE = "client-gone"
    """The client left before the end."""
    SHUTDOWN = "shutdown"
    """The gateway's own end cut the request."""
    DEFERRED = "deferred"
    """Accepted; a later row has the usage."""


UNFINISHED = frozenset(LedgerOutcome) - {
    LedgerOutcome.OK,
    LedgerOutcome.BLOCKED,
    LedgerOutcome.TRUNCATED,
    LedgerOutcome.DEFERRED,
}
"""Outcomes that count as failed calls. Rows of version 0.1 have other words, and are counted by their status."""


@dataclass(slots=True)
class Entry:
    """One request that has ended.

    `at` is the time of its arrival, `status` is HTTP's. `model` is None if none was asked. Times are milliseconds since
    the arrival; `first_byte_ms` is None without an answer. `cost_usd` is an estimate, None without a price. `metadata`
    is the client's own JSON text.
    """

    at: float
    client_id: str
    client_name: str
    surface: LedgerSurface
    operation: str
    outcome: str
    status: int
    total_ms: float
    first_byte_ms: float | None = None
    model: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    cached_tokens: int = 0
    input_by_modality: Mapping[str, int] = field(default_factory=dict)
    bytes_in: int = 0
    bytes_out: int = 0
    cost_usd: float | None = None
    metadata: str | None = None


class UsageBy(StrEnum):
    """The key by which usage is summed."""

    DAY = "day"
    MODEL = "model"
    CLIENT = "client"
    USER = "user"
    OPERATION = "operation"


@dataclass(frozen=True, slots=True)
class UsageSum:
    """The usage of one day, model, client, user or operation.

    `key` is the day (YYYY-MM-DD), the model (None for calls without a model), the client's id or the operation; `name`
    is the client's in a sum by client. `failed_calls` failed, with any HTTP status; `unpriced_calls` used tokens of a
    model without a price, which the cost leaves out. The cost is None if no call had a price.
    """

    key: str | None
    name: str | None
    calls: int
    failed_calls: int
    unpriced_calls: int
    input_tokens: int
    output_tokens: int
    thinking_tokens: int
    cached_tokens: int
    input_by_modality: dict[str, int]
    bytes_in: int
    bytes_out: int
    estimated_cost_usd: float | None


@dataclass(frozen=True, slots=True)
class UsageSums:
    """Sums: days newest first, other keys most tokens first; `has_more` if there are more than 1,000."""

    sums: tuple[UsageSum, ...]
    has_more: bool
