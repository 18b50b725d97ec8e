"""The three renderings of an error: RFC 9457 for REST, Google's format on Google's paths, OpenAI's below OpenAI's path.

This module knows no framework and no request.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import orjson

from app.errors.base import GatewayError
from app.errors.surfaces import Surface


@dataclass(frozen=True, slots=True)
class Rendered:
    """An error as sent over the wire."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def problem_of(error: GatewayError, *, request_id: str, base_url: str, instance: str | None) -> dict[str, object]:
    """Return the RFC 9457 problem detail: every member is present, null if empty.

    `base_url` is the gateway's own origin without a trailing slash, or "" for a relative `type`.
    """
    return {
        "type": f"{base_url}/problems/{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        "code": error.code,
        "request_id": request_id,
        "errors": [
            {"field": e.field, "received": e.received, "allowed": e.allowed, "message": e.message} for e in error.errors
        ],
        "retryable": error.retryable,
        "retry_after_s": error.retry_after_s,
        "upstream": None
        if error.upstream is None
        else {"status": error.upstream.status, "code": error.upstream.code, "message": error.upstream.message},
    }


_GOOGLE_STATUS: Mapping[int, str] = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def _google_of(error: GatewayError) -> dict[str, object]:
    fallback = "INTERNAL" if error.status >= 500 else "INVALID_ARGUMENT"
    details: list[dict[str, object]] = []
    if error.errors:
        violations = [{"field": e.field, "description": e.message} for e in error.errors]
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations})
    if error.retry_after_s is not None:
        delay = f"{error.retry_after_s:.3f}".rstrip("0").rstrip(".") + "s"
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    code = error.google_status or error.status
    shown: dict[str, object] = {
        "code": code,
        "message": error.detail,
        "status": error.google_word or _GOOGLE_STATUS.get(code, fallback),
    }
    if details:
        shown["details"] = details
    return {"error": shown}


def _interactions_of(error: GatewayError) -> dict[str, object]:
    shown = cast("dict[str, str]", _google_of(error)["error"])
    code = "invalid_request" if shown["status"] == "INVALID_ARGUMENT" else shown["status"].lower()
    return {"error": {"code": code, "message": error.detail}}


# OpenAI answers all of these as a bad request, and its clients know no other name for them.
_OPENAI_STATUS: Mapping[int, int] = {411: 400, 415: 400, 422: 400}
_OPENAI_TYPE: Mapping[int, str] = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def _openai_of(error: GatewayError) -> dict[str, object]:
    fallback = "server_error" if error.status >= 500 else "invalid_request_error"
    return {
        "error": {
            "message": error.detail,
            "type": _OPENAI_TYPE.get(error.status, fallback),
            "param": error.errors[0].field if error.errors else None,
            "code": error.code.replace("-", "_"),
        }
    }


def render(
    error: GatewayError, surface: Surface, *, request_id: str, base_url: str = "", instance: str | None = None
) -> Rendered:
    """Return an error rendered for its surface: status, headers (content type, Retry-After, its own) and body."""
    content_type = "application/json; charset=utf-8"
    status = error.status
    if surface is Surface.REST:
        content_type = "application/problem+json"
        body = problem_of(error, request_id=request_id, base_url=base_url, instance=instance)
    elif surface is Surface.OPENAI:
        body = _openai_of(error)
        status = _OPENAI_STATUS.get(status) or error.google_status or status
    else:
        body = _google_of(error) if surface is Surface.GOOGLE else _interactions_of(error)
        status = error.google_status or status
    headers = [("content-type", content_type), ("cache-control", "no-store")]
    if error.retry_after_s is not None:
        headers.append(("retry-after", str(max(1, math.ceil(error.retry_after_s)))))
    headers.extend(error.headers.items())
    return Rendered(status, tuple(headers), orjson.dumps(body))
