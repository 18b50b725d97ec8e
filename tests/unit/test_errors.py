import json
import re
from typing import Any

import pytest

from app.errors import (
    PROBLEMS,
    BusyError,
    ClientGoneError,
    FieldError,
    FileNotFoundProblemError,
    ForbiddenError,
    ForbiddenOriginError,
    GatewayError,
    InternalError,
    InvalidFieldError,
    MethodNotAllowedError,
    RateLimitedError,
    Rendered,
    ResourceNotFoundError,
    Surface,
    UnauthenticatedError,
    UpstreamSaid,
    UpstreamTimeoutError,
    problem_of,
    render,
    surface_of,
)

KINDS = sorted(PROBLEMS.items())


def family(root: type[GatewayError] = GatewayError) -> list[type[GatewayError]]:
    """Every error of the gateway's error module; those of other modules are kinds of these."""
    direct = [kind for kind in root.__subclasses__() if kind.__module__.startswith("app.errors.")]
    kinds = [kind for child in direct for kind in (child, *family(child))]
    return [kind for kind in kinds if "code" in vars(kind)]


def shown(error: GatewayError, surface: Surface) -> Any:
    return json.loads(
        render(error, surface, request_id="req_1", base_url="https://g", instance="/api/v1/generate").body
    )


INVALID = InvalidFieldError(
    "temperature: must be at most 2.",
    errors=(FieldError("temperature", "must be at most 2", received="3", allowed="0 to 2"),),
)


def test_every_error_has_a_code_of_its_own() -> None:
    assert len({kind.code for kind in family()}) == len(family())
    assert {kind.code: kind for kind in family()} == PROBLEMS


def test_the_list_of_codes_is_closed() -> None:
    assert [code for code, _ in KINDS] == [
        "bad-model-answer",
        "blocked-by-model",
        "body-too-large",
        "busy",
        "bytes-needed",
        "cache-not-found",
        "client-gone",
        "empty-file",
        "fields-too-large",
        "file-failed",
        "file-not-found",
        "file-not-ready",
        "file-quota",
        "file-too-large",
        "forbidden",
        "forbidden-origin",
        "foreign-host",
        "headers-too-large",
        "internal",
        "invalid-field",
        "issuer-unavailable",
        "length-required",
        "malformed-request",
        "method-not-allowed",
        "name-taken",
        "not-found",
        "offset-conflict",
        "rate-limited",
        "rejected-by-model",
        "resource-not-found",
        "slow-body",
        "store-unavailable",
        "stored-bytes",
        "too-many-pages",
        "too-many-pixels",
        "unauthenticated",
        "unknown-model",
        "unpriced-model",
        "unreadable-file",
        "unsupported-file-type",
        "unsupported-media-type",
        "upload-conflict",
        "upload-failed",
        "upstream-credentials",
        "upstream-failed",
        "upstream-quota",
        "upstream-timeout",
        "upstream-unavailable",
        "wrong-claim",
    ]


@pytest.mark.parametrize(("code", "kind"), KINDS)
def test_every_error_names_a_remedy(code: str, kind: type[GatewayError]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
    assert 400 <= kind.status <= 599
    assert kind.title
    assert not kind.title.endswith(".")
    assert kind.advice.endswith(".")
    assert kind.__doc__


@pytest.mark.parametrize("kind", [kind for kind in family() if kind is not InternalError])
def test_every_error_has_words_of_its_own(kind: type[GatewayError]) -> None:
    assert kind.title != GatewayError.title
    assert kind.advice != GatewayError.advice


def test_a_problem_has_every_member_and_nothing_else() -> None:
    assert shown(INVALID, Surface.REST) == {
        "type": "https://g/problems/invalid-field",
        "title": "A field is not valid",
        "status": 422,
        "detail": "temperature: must be at most 2.",
        "instance": "/api/v1/generate",
        "code": "invalid-field",
        "request_id": "req_1",
        "errors": [
            {"field": "temperature", "received": "3", "allowed": "0 to 2", "message": "must be at most 2"},
        ],
        "retryable": False,
        "retry_after_s": None,
        "upstream": None,
    }


def test_a_problem_tells_of_gemini_and_of_the_wait() -> None:
    error = RateLimitedError(
        "Wait.", retry_after_s=46.5, upstream=UpstreamSaid(429, "RESOURCE_EXHAUSTED", "Slow down.")
    )

    problem = shown(error, Surface.REST)

    assert problem["retry_after_s"] == 46.5
    assert problem["retryable"] is True
    assert problem["upstream"] == {"status": 429, "code": "RESOURCE_EXHAUSTED", "message": "Slow down."}
    assert problem["errors"] == []


def test_a_problem_without_a_base_has_a_relative_type() -> None:
    problem = problem_of(BusyError("Busy."), request_id="r", base_url="", instance=None)

    assert (problem["type"], problem["instance"]) == ("/problems/busy", None)


def test_a_known_wait_makes_any_error_worth_a_retry() -> None:
    assert not FileNotFoundProblemError("Gone.").retryable
    assert FileNotFoundProblemError("Gone.", retry_after_s=1).retryable


@pytest.mark.parametrize(("code", "kind"), KINDS)
def test_on_the_google_surface_every_error_has_googles_shape(code: str, kind: type[GatewayError]) -> None:
    error = shown(kind(f"About {code}."), Surface.GOOGLE)

    assert list(error) == ["error"]
    assert list(error["error"]) == ["code", "message", "status"]
    assert (error["error"]["code"], error["error"]["message"]) == (kind.google_status or kind.status, f"About {code}.")
    assert re.fullmatch("[A-Z]+(_[A-Z]+)*", error["error"]["status"])


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (INVALID, "INVALID_ARGUMENT"),
        (UnauthenticatedError("."), "UNAUTHENTICATED"),
        (ForbiddenError("."), "PERMISSION_DENIED"),
        (ForbiddenOriginError("."), "PERMISSION_DENIED"),
        (FileNotFoundProblemError("."), "PERMISSION_DENIED"),
        (ResourceNotFoundError("."), "NOT_FOUND"),
        (RateLimitedError("."), "RESOURCE_EXHAUSTED"),
        (ClientGoneError("."), "CANCELLED"),
        (InternalError("."), "INTERNAL"),
        (BusyError("."), "UNAVAILABLE"),
        (UpstreamTimeoutError("."), "DEADLINE_EXCEEDED"),
    ],
)
def test_google_has_a_word_for_each_status(error: GatewayError, status: str) -> None:
    assert shown(error, Surface.GOOGLE)["error"]["status"] == status


@pytest.mark.parametrize(
    ("wait_s", "delay"), [(47, "47s"), (0.5, "0.5s"), (172_799.25, "172799.25s"), (1e7, "10000000s")]
)
def test_google_details_name_the_fields_and_the_wait(wait_s: float, delay: str) -> None:
    details = shown(InvalidFieldError("No.", errors=INVALID.errors, retry_after_s=wait_s), Surface.GOOGLE)["error"][
        "details"
    ]

    assert details == [
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": "temperature", "description": "must be at most 2"}],
        },
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay},
    ]


@pytest.mark.parametrize(
    ("error", "kind", "param"),
    [
        (INVALID, "invalid_request_error", "temperature"),
        (UnauthenticatedError("Say who."), "authentication_error", None),
        (ForbiddenOriginError("No."), "permission_error", None),
        (RateLimitedError("Wait."), "rate_limit_error", None),
        (BusyError("Busy."), "server_error", None),
        (InternalError("Oh."), "server_error", None),
    ],
)
def test_on_the_openai_surface_every_error_has_openais_shape(error: GatewayError, kind: str, param: str | None) -> None:
    assert shown(error, Surface.OPENAI) == {
        "error": {"message": error.detail, "type": kind, "param": param, "code": error.code.replace("-", "_")}
    }


def test_interactions_have_codes_in_words() -> None:
    assert shown(INVALID, Surface.INTERACTIONS) == {"error": {"code": "invalid_request", "message": INVALID.detail}}
    assert shown(ResourceNotFoundError("No."), Surface.INTERACTIONS)["error"]["code"] == "not_found"


def headers(rendered: Rendered) -> dict[str, str]:
    assert len(dict(rendered.headers)) == len(rendered.headers)
    return dict(rendered.headers)


@pytest.mark.parametrize(
    ("surface", "status", "content_type"),
    [
        (Surface.REST, 422, "application/problem+json"),
        (Surface.GOOGLE, 400, "application/json; charset=utf-8"),
        (Surface.INTERACTIONS, 400, "application/json; charset=utf-8"),
        (Surface.OPENAI, 400, "application/json; charset=utf-8"),
    ],
)
def test_an_error_is_of_its_surfaces_type_and_never_stored(surface: Surface, status: int, content_type: str) -> None:
    rendered = render(INVALID, surface, request_id="r")

    assert rendered.status == status
    assert headers(rendered) == {"content-type": content_type, "cache-control": "no-store"}


@pytest.mark.parametrize(
    ("wait_s", "seconds"), [(0.0, "1"), (0.2, "1"), (1.0, "1"), (1.4, "2"), (2.5, "3"), (46.6, "47"), (60, "60")]
)
def test_retry_after_is_whole_seconds_and_never_too_early(wait_s: float, seconds: str) -> None:
    rendered = render(BusyError("Busy.", retry_after_s=wait_s), Surface.REST, request_id="r")

    assert headers(rendered)["retry-after"] == seconds


def test_an_errors_own_headers_go_with_it() -> None:
    rendered = render(MethodNotAllowedError("No.", headers={"Allow": "GET"}), Surface.REST, request_id="r")

    assert headers(rendered)["Allow"] == "GET"


@pytest.mark.parametrize(
    ("path", "surface"),
    [
        ("/api/v1/generate", Surface.REST),
        ("/", Surface.REST),
        ("/healthz", Surface.REST),
        ("/v1x/models", Surface.REST),
        ("/uploads/x", Surface.REST),
        ("/v1/models", Surface.GOOGLE),
        ("/v1beta/models/m:generateContent", Surface.GOOGLE),
        ("/v1alpha/files", Surface.GOOGLE),
        ("/v1beta", Surface.GOOGLE),
        ("/v1beta/openaix", Surface.GOOGLE),
        ("/upload/v1beta/files", Surface.GOOGLE),
        ("/ws/google.ai", Surface.GOOGLE),
        ("/v1beta/openai/chat/completions", Surface.OPENAI),
        ("/v1/openai", Surface.OPENAI),
    ],
)
def test_the_surface_is_told_by_the_path(path: str, surface: Surface) -> None:
    assert surface_of(path) is surface
