"""`/usage`: the client's own usage."""

import time
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from app.api.accept import named
from app.api.access import for_any_client
from app.api.caller import caller_of
from app.api.openapi import answers
from app.api.schemas import UsageReport, UsageRow
from app.clients.keys import KeyedClient
from app.clients.usage_report import as_csv, record_of
from app.errors import FieldError, InvalidFieldError
from app.store.ledger_records import UsageBy

router = APIRouter(prefix="/api/v1/usage")

DEFAULT_PERIOD_S = 30 * 86_400.0
_LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
_NO_KEYS = {"day": None, "model": None, "operation": None, "user": None}
_SINCE = "RFC 3339, or a date: the first moment of the period. By default 30 days before until."
_BY = "The grouping of the sums; `user` is the user of a short-lived token, null for the key itself."
_UNTIL = "RFC 3339, or a date: the moment after the period. By default now."


@router.get(
    "",
    operation_id="getUsage",
    summary="Get your usage",
    response_model=None,
    responses=answers(UsageReport),
)
@for_any_client
async def get_usage(
    request: Request,
    *,
    since: Annotated[datetime | None, Query(description=_SINCE)] = None,
    until: Annotated[datetime | None, Query(description=_UNTIL)] = None,
    by: Annotated[Literal["day", "model", "operation", "user"], Query(description=_BY)] = "day",
) -> Response:
    """Sum the calls of the client and of its users.

    Times and days without an offset are in UTC. `Accept: text/csv` returns CSV.
    """
    caller = caller_of(request)
    end = time.time() if until is None else _seconds(until)
    start = end - DEFAULT_PERIOD_S if since is None else _seconds(since)
    if start >= end:
        message = "must be before until"
        error = FieldError("since", message, received=_told(start).isoformat(), allowed=f"before {_told(end)}")
        raise InvalidFieldError(f"since: {message}.", errors=(error,))
    key = UsageBy(by)
    client = caller.client
    # Only key clients have users. The id of an identity provider's client may contain a slash too.
    has_users = isinstance(client, KeyedClient)
    report = await caller.services.ledger.usage(
        client_id=client.id, since=start, until=end, by=key, has_users=has_users
    )
    if "text/csv" in named(request) and "application/json" not in named(request):
        return Response(as_csv(report, key), media_type="text/csv; charset=utf-8")
    answer = UsageReport(
        data=[UsageRow.model_validate(_NO_KEYS | record_of(found, key)) for found in report.sums],
        has_more=report.has_more,
        since=_told(start),
        until=_told(end),
    )
    return Response(answer.json_bytes(), media_type="application/json")


def _seconds(moment: datetime) -> float:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    # Dates outside this range overflow in the database.
    return min(max(aware.timestamp(), 0.0), _LATEST)


def _told(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
